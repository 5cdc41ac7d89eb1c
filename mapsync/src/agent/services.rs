//! What a set that comes into use asks of the host's daemons besides their maps: settings that they have not read yet.
//!
//! Maps need nobody's word. Settings need a reload or a restart; where the agent's own settings allow it, the service
//! manager is asked for that, and it may still say no: it is the host that decides what an agent may do. What is left
//! to people is said in the log and, of the host's own daemon, to the hubs, until that was started again. It is kept
//! beside the sets, so that an agent that starts anew says it as well.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use switchyard_config::Services;
use switchyard_config::change::Difference;
use switchyard_config::reference::Change;

use super::deaths::{Inode, SYSTEMCTL, is_there};
use super::disk::put;
use super::host;

/// A host whose daemons' settings may have changed.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) host: String,
    /// The one that its role is for.
    pub(super) daemon: String,
    /// The set that they read its settings from, the one that is in use now, and the link to it.
    pub(super) old: PathBuf,
    pub(super) new: PathBuf,
    pub(super) current: PathBuf,
    /// What may be done.
    pub(super) allowed: Services,
}

/// What became of a daemon's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Followed {
    /// No setting is another.
    Same,
    /// The service manager has been asked for all that was needed.
    Asked(Change),
    /// People have to do it.
    Left {
        /// What for.
        needs: Change,
        what: String,
    },
}

/// What is left to people, and the daemon's socket as it was then: with another one it has started anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Left {
    pub(super) what: String,
    /// A reload is not enough.
    restart: bool,
    socket: Option<Inode>,
    /// The start of the system by which it counts: after another one every daemon has started anew.
    boot: String,
}

impl Left {
    pub(super) fn new(needs: Change, what: String, control: Option<&Path>) -> Self {
        Self { what, restart: needs == Change::Restart, socket: control.and_then(is_there), boot: boot() }
    }

    /// What an agent before this one left to people; nothing that cannot be read holds a start up.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let octets = fs::read(folder.join(LEFT)).ok()?;
        let left: Self = serde_json::from_slice(&octets).ok()?;
        Some(left).filter(|left| left.boot == boot())
    }

    /// Keeps what is left now for the agent after this one.
    pub(super) fn keep(left: Option<&Self>, folder: &Path) {
        let at = folder.join(LEFT);
        let kept = match left {
            Some(left) => serde_json::to_vec(left)
                .map_err(io::Error::from)
                .and_then(|octets| put(folder, LEFT, &octets, 0o600).map_err(|error| error.error)),
            None => match fs::remove_file(&at) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        if let Err(error) = kept {
            tracing::warn!(%error, at = %at.display(), "what is left to people is forgotten at the next start");
        }
    }

    pub(super) fn needs_restart(&self) -> bool {
        self.restart
    }

    /// Whether the daemon has started anew since.
    pub(super) fn is_done(&self, control: Option<&Path>) -> bool {
        let now = control.and_then(is_there);
        now.is_some() && now != self.socket
    }
}

/// Looks what differs, asks for what is allowed, and hands back what became of the host's own daemon. Blocks on the disk.
pub(super) fn follow(served: &Served) -> Followed {
    match host::changes(&served.old, &served.new, &served.host, &served.current) {
        Ok(changes) => {
            let mut by_daemon: BTreeMap<&str, Vec<Difference>> = BTreeMap::new();
            for (daemon, change) in changes {
                by_daemon.entry(daemon.as_str()).or_default().push(change);
            }
            let mut own = Followed::Same;
            for (daemon, changes) in by_daemon {
                let followed = ask(daemon, served.allowed, &changes, SYSTEMCTL);
                if daemon == served.daemon {
                    own = followed;
                }
            }
            own
        }
        Err(error) => {
            tracing::warn!(%error, "what changed of the settings cannot be told");
            let what = format!("whether {} needs a restart cannot be told: {error}", served.daemon);
            Followed::Left { needs: Change::Restart, what }
        }
    }
}

fn ask(daemon: &str, allowed: Services, changes: &[Difference], manager: &str) -> Followed {
    let Some(needs) = changes.iter().map(|change| change.change).max() else { return Followed::Same };
    for change in changes {
        tracing::info!(daemon, setting = change.path, needs = %change.change, "a setting is another now");
    }
    let asks_for = match (needs, allowed) {
        (_, Services::Leave) => None,
        (Change::Restart, Services::Restart) => Some("restart"),
        (Change::Live, Services::Reload | Services::Restart) | (Change::Restart, Services::Reload) => {
            Some("reload")
        }
    };
    let unit = format!("switchyard-{daemon}.service");
    let asked = asks_for.map(|verb| run(manager, verb, &unit));
    let verb = if needs == Change::Restart { "restart" } else { "reload" };
    let is_enough = asks_for == Some(verb);
    let why = match asked {
        Some(Ok(())) if is_enough => {
            tracing::info!(unit, verb, "the service manager was asked for it");
            return Followed::Asked(needs);
        }
        Some(Err(why)) => format!(" ({why})"),
        Some(Ok(())) | None => String::new(),
    };
    let settings: Vec<&str> = changes
        .iter()
        .filter(|change| change.change == needs)
        .map(|change| change.path.as_str())
        .take(NAMED)
        .collect();
    let what = format!("{daemon} has not read {} yet: systemctl {verb} {unit}{why}", settings.join(", "));
    tracing::warn!("{what}");
    Followed::Left { needs, what }
}

/// Gives an order to the service manager, and does not wait until it is carried out.
fn run(manager: &str, verb: &str, unit: &str) -> Result<(), String> {
    let mut command = Command::new(manager);
    command.args(["--no-ask-password", "--no-block", verb, "--", unit]).stdin(Stdio::null());
    let told = command.output().map_err(|error| format!("{manager}: {error}"))?;
    let said = String::from_utf8_lossy(&told.stderr);
    let said = said.lines().next().unwrap_or("and does not say why").trim();
    if told.status.success() { Ok(()) } else { Err(format!("the service manager refuses: {said}")) }
}

/// The system's name for its last start (random(4)); empty where it has none.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// Beside the sets.
const LEFT: &str = "left.json";
/// The most settings that are named to the hubs; the log has all.
const NAMED: usize = 4;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A service manager that writes down what it is asked for, and says no to restarts.
    fn manager(folder: &Path) -> String {
        let at = folder.join("systemctl");
        let asked = folder.join("asked");
        let text = format!(
            "#!/bin/sh\necho \"$@\" >> {}\n[ \"$3\" != restart ] || {{ echo 'Access denied' >&2; exit 1; }}\n",
            asked.display()
        );
        File::create(&at).unwrap().write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        at.display().to_string()
    }

    fn change(path: &str, change: Change) -> Difference {
        Difference { path: path.to_owned(), before: None, after: Some("1".to_owned()), change }
    }

    #[test]
    fn what_is_allowed_is_asked_for_and_the_rest_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let manager = manager(folder.path());
        let live = [change("limits.hops", Change::Live)];
        let both = [change("limits.hops", Change::Live), change("spool.folder", Change::Restart)];
        let follow = |allowed, changes: &[Difference]| ask("mx", allowed, changes, &manager);
        let left = |verb: &str, setting: &str, why: &str| {
            let needs = if verb == "restart" { Change::Restart } else { Change::Live };
            let what = format!("mx has not read {setting} yet: systemctl {verb} switchyard-mx.service{why}");
            Followed::Left { needs, what }
        };
        assert_eq!(follow(Services::Restart, &[]), Followed::Same);
        assert_eq!(follow(Services::Leave, &live), left("reload", "limits.hops", ""));
        assert!(!folder.path().join("asked").exists(), "nobody was asked");
        assert_eq!(follow(Services::Reload, &live), Followed::Asked(Change::Live));
        assert_eq!(follow(Services::Reload, &both), left("restart", "spool.folder", ""));
        let refused = " (the service manager refuses: Access denied)";
        assert_eq!(follow(Services::Restart, &both), left("restart", "spool.folder", refused));
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        let line = |verb: &str| format!("--no-ask-password --no-block {verb} -- switchyard-mx.service\n");
        assert_eq!(asked, [line("reload"), line("reload"), line("restart")].concat());
    }

    #[test]
    fn a_daemon_that_has_started_anew_has_read_all() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control.sock");
        File::create(&control).unwrap();
        let left = Left::new(Change::Live, "it".to_owned(), Some(&control));
        assert!(!left.is_done(Some(&control)) && !left.is_done(None));
        let next = folder.path().join("next.sock");
        File::create(&next).unwrap();
        fs::rename(&next, &control).unwrap();
        assert!(left.is_done(Some(&control)));
    }

    #[test]
    fn what_is_left_outlives_the_agent_and_no_start_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Left::read(folder.path()), None);
        let left = Left::new(Change::Restart, "it".to_owned(), None);
        Left::keep(Some(&left), folder.path());
        assert_eq!(Left::read(folder.path()).as_ref(), Some(&left));
        Left::keep(Some(&Left { boot: "another".to_owned(), ..left }), folder.path());
        assert_eq!(Left::read(folder.path()), None);
        File::create(folder.path().join(LEFT)).unwrap().write_all(b"{").unwrap();
        assert_eq!(Left::read(folder.path()), None);
        Left::keep(None, folder.path());
        assert!(!folder.path().join(LEFT).exists());
        Left::keep(None, folder.path());
    }
}
