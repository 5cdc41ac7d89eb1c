//! `switchyard key root`: whose keys count, signed. The first root is put on each host by hand; every later one is
//! signed by the keys of the one before, too.

use std::path::{Path, PathBuf};

use clap::Args;
use switchyard_mapsync_protocol::envelope::{LONGEST, Signed};
use switchyard_mapsync_protocol::keys::PublicKey;
use switchyard_mapsync_protocol::root::{Role, Roles, Root};
use switchyard_mapsync_protocol::trust::{Refused, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use super::{read, secret, write_new};
use crate::output::{Exit, Output};

/// Say whose keys count: make a root, or the next one
#[derive(Debug, Args)]
#[command(after_help = "\
A KEY is a key file, or the public line that `switchyard key new` and `key show` say. With --after the next root is \
made: what is not given stays as it was, and the old root's keys must sign it too.

Exit codes: 0 the root is there and hosts take it; 1 it is there and needs more signatures (switchyard key sign); 2 \
nothing was made.

Examples:
  switchyard key root --environment live --root root.key --push ann.key --release hub.key --sign root.key \
--out root.json
  switchyard key root --after root.json --push ann.key --push bob.key --sign root.key --out root.2.json")]
pub(super) struct Arguments {
    /// Whom it is for: hosts take nothing that was signed for another environment
    #[arg(long, value_name = "NAME", required_unless_present = "after", conflicts_with = "after")]
    environment: Option<String>,
    /// Keys that sign the next root
    #[arg(long, value_name = "KEY", required_unless_present = "after")]
    root: Vec<String>,
    /// Keys of the admins, who sign what the files are
    #[arg(long, value_name = "KEY", required_unless_present = "after")]
    push: Vec<String>,
    /// Keys that say when the files are in use
    #[arg(long, value_name = "KEY", required_unless_present = "after")]
    release: Vec<String>,
    /// How many of the root's keys must sign
    #[arg(long, value_name = "N")]
    root_threshold: Option<usize>,
    /// How many of the admins must sign
    #[arg(long, value_name = "N")]
    push_threshold: Option<usize>,
    /// How many must sign a release
    #[arg(long, value_name = "N")]
    release_threshold: Option<usize>,
    /// The root in force
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// Days until it must have been followed by another
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Key files that sign it now
    #[arg(long, value_name = "FILE", required = true)]
    sign: Vec<PathBuf>,
    /// The file to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Arguments {
    pub(super) fn make(&self, output: &mut Output) -> Result<Exit, String> {
        let old = self.after.as_deref().map(Old::read).transpose()?;
        let root = self.next(old.as_ref().map(|old| &old.root))?;
        let mut signed = Signed::new(&root).map_err(|error| error.to_string())?;
        for file in &self.sign {
            signed.sign(&secret(file)?);
        }
        let json = signed.to_json().map_err(|error| error.to_string())?;
        let taken = match &old {
            None => Trusted::begin(&json, &root.environment).map(drop),
            Some(old) => Trusted::begin(&old.octets, &root.environment)
                .and_then(|mut trusted| trusted.accept_root(&json).map(drop)),
        };
        let exit = match &taken {
            Ok(()) => Exit::Fine,
            Err(Refused::TooFewSignatures { .. }) => Exit::Wrong,
            Err(refused) => return Err(format!("no host would take it: {refused}")),
        };
        write_new(&self.out, &json, 0o644)?;
        let out = self.out.display();
        let told =
            format!("{out}: root {} of {}, until {}\n", root.version, root.environment, date(root.expires));
        output.data(told).map_err(|error| error.to_string())?;
        if let Err(refused) = taken {
            let what =
                format!("{out}: {refused}: others sign it with `switchyard key sign {out} --key FILE`");
            output.say(what).map_err(|error| error.to_string())?;
        }
        Ok(exit)
    }

    fn next(&self, old: Option<&Root>) -> Result<Root, String> {
        let environment = match (&self.environment, old) {
            (Some(name), _) => Environment::try_from(name.clone()).map_err(|error| error.to_string())?,
            (None, Some(old)) => old.environment.clone(),
            (None, None) => return Err("--environment NAME is needed for a first root".to_owned()),
        };
        let roles = old.map(|old| &old.roles);
        Ok(Root {
            environment,
            version: old.map_or(1, |old| old.version.saturating_add(1)),
            expires: Timestamp(now().0.saturating_add(u64::from(self.days) * DAY)),
            roles: Roles {
                root: role(&self.root, self.root_threshold, roles.map(|roles| &roles.root))?,
                push: role(&self.push, self.push_threshold, roles.map(|roles| &roles.push))?,
                release: role(&self.release, self.release_threshold, roles.map(|roles| &roles.release))?,
            },
        })
    }
}

/// The root in force, and its octets.
struct Old {
    root: Root,
    octets: Vec<u8>,
}

impl Old {
    fn read(file: &Path) -> Result<Self, String> {
        let octets = read(file, LONGEST as u64)?;
        let root = Signed::from_json(&octets).and_then(|signed| signed.read());
        Ok(Self { root: root.map_err(|error| format!("{}: {error}", file.display()))?, octets })
    }
}

/// Keys as they are named; where none is, those of before. A threshold that nobody gives is that of before, or one.
fn role(keys: &[String], threshold: Option<usize>, old: Option<&Role>) -> Result<Role, String> {
    let keys = match old {
        Some(old) if keys.is_empty() => old.keys.clone(),
        _ => keys.iter().map(|key| public(key)).collect::<Result<_, _>>()?,
    };
    Ok(Role { keys, threshold: threshold.or(old.map(|old| old.threshold)).unwrap_or(1) })
}

/// A public line, or the file of a key.
fn public(words: &str) -> Result<PublicKey, String> {
    match PublicKey::try_from(words.to_owned()) {
        Ok(key) => Ok(key),
        Err(_) => secret(Path::new(words)).map(|key| key.public()),
    }
}

fn now() -> Timestamp {
    Timestamp(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default())
}

/// A day as people write it.
pub(super) fn date(at: Timestamp) -> String {
    let day = i64::try_from(at.0).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    day.map_or_else(|| at.to_string(), |day| day.strftime("%Y-%m-%d").to_string())
}

const DAY: u64 = 24 * 3600;
