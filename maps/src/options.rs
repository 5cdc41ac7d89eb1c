//! What a role says about its maps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use switchyard_smtp::address::Domain;

use crate::guard::Budget;
use crate::installed::MANIFEST;
use crate::name::MapName;
use crate::remote::RemoteOptions;
use crate::spec::{TableSpec, TextKind};

/// Which files make the set, and how they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapOptions {
    /// Where the files stand; a file name below may also be an absolute path.
    pub folder: PathBuf,
    /// The tables of each map, in the order they are asked. A map without any is absent, and absent answers
    /// "not found".
    pub tables: BTreeMap<MapName, Vec<TableSpec>>,
    /// The characters that may part user and extension; empty for none (Postfix's `recipient_delimiter`).
    pub recipient_delimiter: String,
    /// Whether an extension that the key did not name goes on to the alias's targets (Postfix's
    /// `propagate_unmatched_extensions`, whose default holds `virtual`).
    pub propagate_unmatched_extensions: bool,
    /// Maps in which a key `example.org` also stands for the domains below it. In the others, `.example.org`
    /// does (Postfix's `parent_domain_matches_subdomains`; here the default is none, so that nothing is
    /// relayed for a domain that no line names).
    pub parent_domain_matches_subdomains: BTreeSet<MapName>,
    /// What is added to an alias's target without a domain (Postfix's `myorigin`). Without it such a target
    /// is refused.
    pub origin: Option<Domain>,
    /// Domains whose users a key without a domain stands for (Postfix's `mydestination`); `origin` is one too.
    pub local_domains: BTreeSet<Domain>,
    /// The pools that `@name` may name as a next hop.
    pub pools: BTreeSet<String>,
    /// The mail filters that an access table may name.
    pub milters: BTreeSet<String>,
    /// A set on disk that is used in place of the texts ([`installed`](crate::installed)): a folder, or a link
    /// to one.
    pub installed: Option<PathBuf>,
    /// The role meets the world and keeps no mail: an access table may neither hold nor discard any.
    pub edge: bool,
    /// A folder in which a candidate for the next set is looked for: map texts as in [`Self::folder`], or a set
    /// on disk. While it is there it is asked beside the set in use ([`shadow`](crate::shadow)).
    pub candidate: Option<PathBuf>,
    /// How much of a set may go or change at once.
    pub budget: Budget,
    /// Names and ports that are this host: a route to one of them would come back for ever.
    pub own: BTreeSet<(String, u16)>,
    /// Whether a rule that can never answer may stand in a table of rules.
    pub allow_dead_rules: bool,
    /// How servers of tables are asked.
    pub remote: RemoteOptions,
    /// How long the files must be left alone before they are read again.
    pub settle: Duration,
    /// How often the files are looked at, told of a change or not.
    pub poll: Duration,
}

impl Default for MapOptions {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            tables: BTreeMap::new(),
            recipient_delimiter: String::new(),
            propagate_unmatched_extensions: true,
            parent_domain_matches_subdomains: BTreeSet::new(),
            origin: None,
            local_domains: BTreeSet::new(),
            pools: BTreeSet::new(),
            milters: BTreeSet::new(),
            installed: None,
            candidate: None,
            budget: Budget::default(),
            own: BTreeSet::new(),
            edge: false,
            allow_dead_rules: false,
            remote: RemoteOptions::default(),
            settle: Duration::from_millis(50),
            poll: Duration::from_secs(2),
        }
    }
}

impl MapOptions {
    /// The same with one text file more as a table of a map.
    #[must_use]
    pub fn with_file(mut self, map: MapName, file: impl Into<PathBuf>) -> Self {
        self.tables.entry(map).or_default().push(text(file));
        self
    }

    /// The candidate's options, when there is one now.
    pub(crate) fn of_candidate(&self) -> Option<Self> {
        let folder = self.candidate.as_ref().filter(|folder| folder.is_dir())?;
        let installed = folder.join(MANIFEST).exists().then(|| folder.clone());
        Some(Self { folder: folder.clone(), installed, candidate: None, ..self.clone() })
    }

    /// Every file that tells one version of the set from another, each once.
    #[must_use]
    pub fn files(&self) -> BTreeSet<PathBuf> {
        if let Some(set) = &self.installed {
            return BTreeSet::from([set.clone(), set.join(MANIFEST)]);
        }
        let tables = self.tables.values().flatten().flat_map(TableSpec::leaves);
        tables.filter_map(TableSpec::file).map(|file| self.path(file)).collect()
    }

    /// Where a table's file is.
    pub(crate) fn path(&self, file: &Path) -> PathBuf {
        self.folder.join(file)
    }
}

/// A text file as a table.
pub(crate) fn text(file: impl Into<PathBuf>) -> TableSpec {
    TableSpec::Text { kind: TextKind::Plain, file: file.into() }
}
