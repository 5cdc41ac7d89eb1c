//! Whether the host's daemon ends by itself.
//!
//! Who answers at its control socket is known by process, and the system says at once when that process is gone. A
//! daemon that stops in order takes its socket's file away first; one that dies leaves it. A daemon that died and is not
//! back after [`BACK`] has died once more: it cannot even start.
//!
//! Under systemd each daemon has a user of its own, and its socket is closed to us. Then the service manager is asked,
//! for a while after each flip, how often it had to start the daemon again.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use switchyard_daemon::metrics::Gauge;
use switchyard_mapsync_protocol::head::HeadRef;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::watch::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

/// The daemon that runs by the set in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// `mx`.
    pub(super) daemon: String,
    /// Its control socket.
    pub(super) control: Option<PathBuf>,
    /// Where it says what it counts; none where its settings have only the name of a socket.
    pub(super) metrics: Option<SocketAddr>,
    /// Those settings.
    pub(super) settings: PathBuf,
    /// The set: where the service manager is asked, it is asked for a while after each.
    pub(super) set: HeadRef,
}

/// Says each death, of whatever daemon is to be watched; `seen` is 1 while one would be seen.
pub(super) async fn watch(mut which: watch::Receiver<Option<Watched>>, dead: mpsc::Sender<()>, seen: Gauge) {
    let Err(_nobody_asks_any_more) = watched(&mut which, &dead, &seen).await;
}

async fn watched(
    which: &mut watch::Receiver<Option<Watched>>,
    dead: &mpsc::Sender<()>,
    seen: &Gauge,
) -> Result<Infallible, RecvError> {
    loop {
        let now = which.borrow_and_update().clone();
        let unseen = match &now {
            Some(Watched { control: Some(control), .. }) => tokio::select! {
                unseen = at_the_socket(control, dead, seen) => unseen,
                changed = another(which, &now) => {
                    changed?;
                    seen.set(0);
                    continue;
                }
            },
            _ => Unseen::Over,
        };
        if let (Unseen::Closed, Some(watched)) = (unseen, &now) {
            let unit = format!("switchyard-{}.service", watched.daemon);
            seen.set(1);
            tokio::select! {
                () = at_the_manager(move || restarts(SYSTEMCTL, &unit), dead) => {}
                changed = which.changed() => {
                    changed?;
                    seen.set(0);
                    continue;
                }
            }
        }
        // There is no way to look, or no reason any more: until the next set.
        seen.set(0);
        which.changed().await?;
    }
}

/// Waits until another daemon is to be watched. The same one with another set is the same process, which a set may kill
/// at the moment it is in use: nobody looks away from it meanwhile.
async fn another(
    which: &mut watch::Receiver<Option<Watched>>,
    than: &Option<Watched>,
) -> Result<(), RecvError> {
    let place =
        |watched: &Option<Watched>| watched.as_ref().map(|now| (now.daemon.clone(), now.control.clone()));
    loop {
        which.changed().await?;
        if place(&which.borrow_and_update()) != place(than) {
            return Ok(());
        }
    }
}

/// Why nothing is seen at a socket.
#[derive(Debug, PartialEq, Eq)]
enum Unseen {
    /// It is another user's.
    Closed,
    /// Nobody wants to know any more, or the system does not tell.
    Over,
}

async fn at_the_socket(control: &Path, dead: &mpsc::Sender<()>, seen: &Gauge) -> Unseen {
    // When a death was seen and nobody answers since.
    let mut gone: Option<Instant> = None;
    loop {
        match answers(control).await {
            Ok(Some((process, socket))) => {
                if let Some(process) = process {
                    let Ok(process) = readable(process) else { return Unseen::Over };
                    seen.set(1);
                    // Readable is: ended.
                    if process.readable().await.is_err() {
                        return Unseen::Over;
                    }
                    seen.set(0);
                }
                gone = None;
                if is_there(control) != Some(socket) {
                    continue;
                }
                gone = Some(Instant::now());
                if dead.send(()).await.is_err() {
                    return Unseen::Over;
                }
            }
            Ok(None) => {
                if gone.is_some_and(|since| since.elapsed() > BACK) {
                    gone = Some(Instant::now());
                    if dead.send(()).await.is_err() {
                        return Unseen::Over;
                    }
                }
                // Stopped in order meanwhile.
                gone = gone.filter(|_| is_there(control).is_some());
                sleep(LOOK).await;
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Unseen::Closed,
            Err(error) => {
                tracing::warn!(%error, socket = %control.display(), "the daemon's end cannot be seen");
                return Unseen::Over;
            }
        }
    }
}

/// The process that answers at a socket, unless it has ended since, and the socket; none while nobody does.
async fn answers(control: &Path) -> io::Result<Option<(Option<OwnedFd>, Inode)>> {
    let socket = match fs::symlink_metadata(control) {
        Ok(there) => (there.dev(), there.ino()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        Err(_) => return Ok(None),
    };
    let stream = match timeout(BACK, UnixStream::connect(control)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        Ok(Err(_)) | Err(_) => return Ok(None),
    };
    let process = stream.peer_cred()?.pid().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| io::Error::other("it runs in another world of processes"))?;
    match pidfd_open(process, PidfdFlags::NONBLOCK) {
        Ok(process) => Ok(Some((Some(process), socket))),
        Err(rustix::io::Errno::SRCH) => Ok(Some((None, socket))),
        Err(error) => Err(error.into()),
    }
}

/// A process, to be waited for.
fn readable(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        deprecated,
        reason = "what it is warned of, a descriptor that is closed early, no `OwnedFd` does"
    )]
    AsyncFd::new(process)
}

/// Device and inode.
pub(super) type Inode = (u64, u64);

pub(super) fn is_there(control: &Path) -> Option<Inode> {
    fs::symlink_metadata(control).ok().map(|there| (there.dev(), there.ino()))
}

/// Asks a service manager for a while how often it had to start a unit again.
async fn at_the_manager(ask: impl Fn() -> Option<u64> + Clone + Send + 'static, dead: &mpsc::Sender<()>) {
    let (start, mut seen) = (Instant::now(), None);
    while start.elapsed() < SOON {
        let Ok(Some(restarts)) = tokio::task::spawn_blocking(ask.clone()).await else {
            tracing::warn!(
                "neither the daemon's control socket nor the service manager tells whether it dies"
            );
            return;
        };
        for _ in seen.unwrap_or(restarts)..restarts {
            if dead.send(()).await.is_err() {
                return;
            }
        }
        seen = Some(restarts);
        sleep(ASK).await;
    }
}

/// systemd.service(5): `NRestarts` counts what `Restart=` did, and no one's order.
fn restarts(program: &str, unit: &str) -> Option<u64> {
    let mut command = Command::new(program);
    command.args(["show", "--property=NRestarts", "--value", "--", unit]).stdin(Stdio::null());
    let told = command.output().ok().filter(|told| told.status.success())?;
    std::str::from_utf8(&told.stdout).ok()?.trim().parse().ok()
}

pub(super) const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// For a daemon that died to be back.
const BACK: Duration = Duration::from_secs(15);
/// Between two looks at a socket where nobody answers.
const LOOK: Duration = Duration::from_millis(200);
/// Between two questions to the service manager.
const ASK: Duration = Duration::from_secs(2);
/// How long a death is blamed on a flip, and a little more.
const SOON: Duration = Duration::from_secs(65);

#[cfg(test)]
mod tests;
