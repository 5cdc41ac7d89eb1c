//! What the service manager is told: READY, RELOADING, STOPPING, a status line, and the watchdog's pings.
//!
//! The words are `sd_notify`'s; the socket is held here, so that it is found once, abstract addresses work,
//! and two daemons in one process (`switchyard up`) can be told to keep quiet.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager, or nobody. Clones share the socket.
#[derive(Debug, Clone, Default)]
pub struct ServiceManager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

/// The process was started with a notification socket that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("NOTIFY_SOCKET={address}: {source}")]
pub struct ServiceError {
    address: String,
    source: io::Error,
}

impl ServiceManager {
    /// Nobody listens.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Whoever started this process and asked to be told (`Type=notify`, `WatchdogSec=`), or nobody.
    pub fn from_environment() -> Result<Self, ServiceError> {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Ok(Self::nobody());
        };
        let watchdog = sd_notify::watchdog_enabled();
        Self::at(address.as_ref(), watchdog)
            .map_err(|source| ServiceError { address: address.to_string_lossy().into_owned(), source })
    }

    /// A manager that listens at `address` (`@` begins an abstract one) and wants to hear from us within
    /// `watchdog`.
    pub fn at(address: &Path, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        match address.as_os_str().as_encoded_bytes() {
            [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
            _ => socket.connect(address)?,
        }
        // A manager that does not read must not hold up mail.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(Arc::new(socket)), watchdog })
    }

    /// Start-up, or a reload, is over: traffic may come.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The settings are being read again; [`ServiceManager::ready`] must follow.
    pub fn reloading(&self) {
        // `Type=notify-reload` matches the answer to its signal by this time stamp.
        match NotifyState::monotonic_usec_now() {
            Ok(stamp) => self.tell(&[NotifyState::Reloading, stamp]),
            Err(error) => tracing::warn!(%error, "no time stamp for the service manager"),
        }
    }

    /// The process drains.
    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// Pings the watchdog at half its interval for as long as the run time turns; returns at once if nobody
    /// asked for pings.
    pub async fn keep_alive(&self) {
        let Some(interval) = self.watchdog.map(|limit| limit / 2).filter(|half| !half.is_zero()) else {
            return;
        };
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        // One state a line; a status with a line end would be read as two.
        let lines: String = states.iter().map(|state| state.to_string().replace('\n', " ") + "\n").collect();
        if let Err(error) = socket.send(lines.as_bytes()) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager of our own, and what it hears.
    fn manager(watchdog: Option<Duration>) -> (ServiceManager, impl Fn() -> String, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("notify");
        let ear = UnixDatagram::bind(&address).unwrap();
        let hear = move || {
            let mut bytes = [0; 512];
            let length = ear.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        (ServiceManager::at(&address, watchdog).unwrap(), hear, folder)
    }

    #[test]
    fn a_life_is_told_in_order() {
        let (manager, hear, _folder) = manager(None);
        manager.ready("listening on 127.0.0.1:25");
        assert_eq!(hear(), "READY=1\nSTATUS=listening on 127.0.0.1:25\n");
        manager.reloading();
        let reloading = hear();
        let stamp = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
        assert!(stamp.trim_end().parse::<u64>().unwrap() > 0);
        manager.status("two\nREADY=0 lines");
        assert_eq!(hear(), "STATUS=two READY=0 lines\n");
        manager.stopping("draining");
        assert_eq!(hear(), "STOPPING=1\nSTATUS=draining\n");
    }

    #[test]
    fn an_abstract_address_works() {
        let name = format!("switchyard-test-{}", std::process::id());
        let ear = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ServiceManager::at(Path::new(&format!("@{name}")), None).unwrap().status("here");
        let mut bytes = [0; 64];
        let length = ear.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"STATUS=here\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_twice_an_interval() {
        let (manager, hear, _folder) = manager(Some(Duration::from_secs(10)));
        let start = tokio::time::Instant::now();
        assert!(tokio::time::timeout(Duration::from_secs(11), manager.keep_alive()).await.is_err());
        assert_eq!(start.elapsed().as_secs(), 11);
        for _ in ["at once", "after 5 s", "after 10 s"] {
            assert_eq!(hear(), "WATCHDOG=1\n");
        }
        ServiceManager::nobody().keep_alive().await;
    }
}
