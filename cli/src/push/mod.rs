//! `switchyard push` and its sisters: a site is checked, proved, signed and brought to a hub; then released.
//!
//! What they have in common stands here: the admin's settings (`push.toml`), the keys, and the hub that answers.

mod check;
mod desk;
mod diff;
mod fleet;
mod log;
mod release;
mod rollback;
mod rollout;
mod root;
mod second;
mod send;
mod stages;
#[cfg(test)]
mod testing;
mod undo;
mod watch;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use switchyard_config::{AdminSettings, Settings};
use switchyard_mapsync::admin::{Admin, AdminError, Earlier, Memory};
use switchyard_mapsync::client::Hub;
use switchyard_mapsync::site::SiteFile;
use switchyard_mapsync::tls::MutualTls;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::{Environment, Timestamp};

use crate::key::secret;
use crate::output::{Exit, Output};

pub(crate) use diff::Arguments as DiffArguments;
pub(crate) use fleet::Arguments as FleetArguments;
pub(crate) use log::Arguments as LogArguments;
pub(crate) use release::Arguments as ReleaseArguments;
pub(crate) use rollback::Arguments as RollbackArguments;
pub(crate) use rollout::Arguments as RolloutArguments;
pub(crate) use root::Arguments as RootArguments;
pub(crate) use send::Arguments as PushArguments;

/// Where the admin's settings are.
#[derive(Debug, Args)]
struct With {
    /// The admin's settings: hubs, keys and certificate; without it ~/.config/switchyard/push.toml
    #[arg(long = "with", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The admin, as the settings say.
struct Office {
    settings: AdminSettings,
    environment: Environment,
    root: Vec<u8>,
    /// What was pushed from here, beside the settings.
    memory: PathBuf,
    now: Timestamp,
}

impl With {
    fn open(&self) -> Result<Office, String> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => usual()?,
        };
        let settings = AdminSettings::load(&file).map_err(text)?;
        let environment = Environment::try_from(settings.environment.clone())
            .map_err(|error| format!("{}: `environment`: {error}", file.display()))?;
        let root = fs::read(&settings.root);
        let root = root.map_err(|error| format!("{}: cannot be read: {error}", settings.root.display()))?;
        let now = Timestamp(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default());
        let memory = file.with_extension(format!("{environment}.seen.json"));
        Ok(Office { settings, environment, root, memory, now })
    }
}

/// XDG Base Directory Specification: `XDG_CONFIG_HOME`, or `~/.config`.
fn usual() -> Result<PathBuf, String> {
    let folder = std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    let folder = folder.ok_or("there is no home to look for push.toml in: name it with --with FILE")?;
    Ok(folder.join("switchyard/push.toml"))
}

impl Office {
    /// The first hub that answers and is not behind what was seen before; a hub that shows what is not to be trusted
    /// is no reason to ask another quietly.
    async fn meet(&self, output: &mut Output) -> Result<Admin, String> {
        let tls = &self.settings.tls;
        let tls = MutualTls {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            authorities: tls.hub_ca.clone(),
        };
        let tls = tls.client().map_err(text)?;
        let (mut last, mut behind) = ("no hub is named".to_owned(), None);
        let dial = |hub: String| Hub::new(hub, self.environment.clone(), tls.clone());
        for hub in &self.settings.hubs {
            let memory = Memory::open(self.memory.clone()).map_err(text)?;
            match Admin::meet(dial(hub.to_string()), &self.root, &self.environment, memory, self.now).await {
                Ok(admin) => match admin.behind() {
                    None => {
                        let others = self.settings.hubs.iter().filter(|other| *other != hub);
                        let others = others.map(|other| dial(other.to_string()));
                        return Ok(admin.with_others(others.collect()));
                    }
                    Some(why) => {
                        output.say(format_args!("hub {hub}: {why}")).map_err(text)?;
                        behind.get_or_insert(admin);
                    }
                },
                Err(AdminError::Hub(error)) if error.status.is_none() => {
                    output.say(&error).map_err(text)?;
                    last = "no hub answers".to_owned();
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        behind.ok_or(last)
    }

    /// Brings what was signed here before and may not have come to a hub, with those of its files that are here.
    async fn bring_unsure(
        &self,
        admin: &mut Admin,
        files: &[SiteFile],
        output: &mut Output,
    ) -> Result<(), String> {
        let earlier = admin.bring_unsure(files).await.map_err(|error| {
            let memory = self.memory.display();
            format!("a generation that was signed here before is not taken, and {memory} keeps it: {error}")
        })?;
        let what = match earlier {
            Earlier::None => return Ok(()),
            Earlier::Brought(HeadRef { generation, .. }) => {
                format!("generation {generation} was signed here before, and the hub has it only now")
            }
            Earlier::GivenUp { generation, why } => format!(
                "generation {generation} was signed here before, and is given up: {why}\nits number is passed over"
            ),
        };
        output.say(what).map_err(text)
    }

    fn push_keys(&self) -> Result<Vec<SecretKey>, String> {
        self.settings.push_keys.iter().map(|file| secret(file)).collect()
    }

    fn release_keys(&self) -> Result<Vec<SecretKey>, String> {
        self.settings.release_keys.iter().map(|file| secret(file)).collect()
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.days) * 24 * 3600)
    }
}

/// Runs what asks hubs; what is wrong is said.
fn with_hubs(asking: impl Future<Output = Result<Exit, String>>) -> Result<Exit, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(text)?;
    runtime.block_on(asking)
}

fn ended(done: Result<Exit, String>, output: &mut Output) -> io::Result<Exit> {
    match done {
        Ok(exit) => Ok(exit),
        Err(why) => {
            output.say(why)?;
            Ok(Exit::Misuse)
        }
    }
}

pub(crate) fn push(arguments: &PushArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.push(output), output)
}

pub(crate) fn rollback(arguments: &RollbackArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.roll_back(output), output)
}

pub(crate) fn rollout(arguments: &RolloutArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.rollout(output), output)
}

pub(crate) fn root(arguments: &RootArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.bring(output), output)
}

pub(crate) fn release(arguments: &ReleaseArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.release(output), output)
}

pub(crate) fn fleet(arguments: &FleetArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.fleet(output), output)
}

pub(crate) fn diff(arguments: &DiffArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.diff(output), output)
}

pub(crate) fn log(arguments: &LogArguments, output: &mut Output) -> io::Result<Exit> {
    ended(arguments.log(output), output)
}

/// A moment as people write it.
fn date(at: Timestamp) -> String {
    let day = i64::try_from(at.0).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    day.map_or_else(|| at.to_string(), |day| day.strftime("%Y-%m-%d %H:%M").to_string())
}

fn text(error: impl Display) -> String {
    error.to_string()
}
