//! All maps of a role as one: read together, checked together, swapped together.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::{self, Aliases, Compiled, Routes, Source};
use crate::fault::{Fault, Faults};
use crate::lookup::Rules;
use crate::name::MapName;
use crate::options::MapOptions;

/// Octets of a map's file.
const MAX_FILE: u64 = 1 << 30;

/// A proof: this was read and checked whole. Only [`MapSet`]'s loaders make one.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was checked.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// One map of a set.
#[derive(Debug)]
pub(crate) enum Slot<V> {
    /// The role has no such map: every answer is "not found".
    Absent,
    /// It answers.
    Ready(Compiled<V>),
    /// It could not be read when the daemon started: every answer is "unavailable".
    Unavailable(Arc<str>),
}

impl<V> Slot<V> {
    fn entries(&self) -> usize {
        match self {
            Self::Ready(map) => map.table.len(),
            Self::Absent | Self::Unavailable(_) => 0,
        }
    }
}

/// All maps of a role; it is asked through a [`Snapshot`](crate::Snapshot).
#[derive(Debug)]
pub struct MapSet {
    pub(crate) transport: Slot<Routes>,
    pub(crate) recipients: Slot<()>,
    pub(crate) virtual_alias: Slot<Aliases>,
    pub(crate) relay_domains: Slot<()>,
    pub(crate) rules: Rules,
    pub(crate) origin: Option<switchyard_smtp::address::Domain>,
    digest: u64,
}

impl MapSet {
    /// Reads the files of a set. It may take seconds: not for a thread that serves connections.
    ///
    /// # Errors
    /// With everything that is wrong with any of them.
    pub fn load(options: &MapOptions) -> Result<Verified<Self>, Faults> {
        let (set, faults) = Self::start(options);
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    /// Reads the files of a set as a daemon's first: a map that is bad or missing answers "unavailable" until
    /// it is mended, and the others answer.
    #[must_use]
    pub fn start(options: &MapOptions) -> (Verified<Self>, Faults) {
        Self::compile(options, |map| Some(read(map, options.file(map)?)))
    }

    /// Makes a set from texts; only the maps given are in it.
    ///
    /// # Errors
    /// With everything that is wrong with any of them; the map's name stands in for the file's.
    pub fn from_texts(options: &MapOptions, texts: &[(MapName, &str)]) -> Result<Verified<Self>, Faults> {
        let (set, faults) = Self::compile(options, |map| {
            let (_, text) = texts.iter().find(|(name, _)| *name == map)?;
            Some(Ok(Source { map, file: Path::new(map.as_str()).into(), bytes: text.as_bytes().to_vec() }))
        });
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    fn compile(
        options: &MapOptions,
        source: impl Fn(MapName) -> Option<Result<Source, Fault>>,
    ) -> (Verified<Self>, Faults) {
        let rules = Rules::new(options);
        let mut all = Faults::default();
        // What a set means hangs on the settings too: a pool may be gone, or a delimiter new.
        let mut digest = DefaultHasher::new();
        format!("{options:?}").hash(&mut digest);
        let mut source = |map| {
            let source = source(map);
            match &source {
                Some(Ok(source)) => source.bytes.hash(&mut digest),
                other => other.is_some().hash(&mut digest),
            }
            source
        };
        let transport = slot(source(MapName::Transport), &mut all, |text| compile::transport(text, options));
        let recipients = slot(source(MapName::Recipients), &mut all, compile::list);
        let virtual_alias = slot(source(MapName::VirtualAlias), &mut all, |text| {
            compile::virtual_alias(text, options, &rules)
        });
        let relay_domains = slot(source(MapName::RelayDomains), &mut all, compile::list);
        let origin = options.origin.clone();
        let digest = digest.finish();
        (Verified(Self { transport, recipients, virtual_alias, relay_domains, rules, origin, digest }), all)
    }

    /// Equal for sets that were made from equal texts and settings.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many keys a map has.
    #[must_use]
    pub fn entries(&self, map: MapName) -> usize {
        match map {
            MapName::Transport => self.transport.entries(),
            MapName::Recipients => self.recipients.entries(),
            MapName::VirtualAlias => self.virtual_alias.entries(),
            MapName::RelayDomains => self.relay_domains.entries(),
        }
    }
}

fn slot<V>(
    source: Option<Result<Source, Fault>>,
    all: &mut Faults,
    compile: impl FnOnce(&Source) -> Result<Compiled<V>, Faults>,
) -> Slot<V> {
    let compiled = match source {
        None => return Slot::Absent,
        Some(Ok(source)) => compile(&source),
        Some(Err(fault)) => {
            let mut faults = Faults::default();
            faults.push(fault);
            Err(faults)
        }
    };
    match compiled {
        Ok(map) => Slot::Ready(map),
        Err(mut faults) => {
            faults.sort();
            let why = faults.iter().next().map(Fault::to_string).unwrap_or_default();
            all.append(faults);
            Slot::Unavailable(why.into())
        }
    }
}

fn read(map: MapName, file: PathBuf) -> Result<Source, Fault> {
    let file: Arc<Path> = file.into();
    match read_whole(&file) {
        Ok(bytes) => Ok(Source { map, file, bytes }),
        Err(error) => {
            Err(Fault { map, file, line: 0, column: 0, message: format!("cannot be read: {error}") })
        }
    }
}

fn read_whole(file: &Path) -> io::Result<Vec<u8>> {
    // Asked first: opening a pipe would wait for a writer.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut opened = fs::File::open(file)?;
    let before = opened.metadata()?;
    if before.len() > MAX_FILE {
        return Err(io::Error::other(format!("larger than {MAX_FILE} octets")));
    }
    let mut bytes = Vec::new();
    (&mut opened).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let after = opened.metadata()?;
    // Half an old file and half a new one is neither.
    if before.modified()? != after.modified()? || after.len() != bytes.len() as u64 {
        return Err(io::Error::other("it changed while it was read"));
    }
    Ok(bytes)
}
