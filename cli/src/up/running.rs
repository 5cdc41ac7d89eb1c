//! A daemon of the site, as it runs in this process: told to read its settings again, as on a host, and to end.

use std::sync::{Arc, Mutex, PoisonError};

use switchyard_daemon::process::Process;
use switchyard_daemon::program::Daemon;
use switchyard_daemon::reload::{self, Held};
use switchyard_daemon::service::ServiceManager;
use switchyard_daemon::signal::{Wish, Wishes};
use switchyard_daemon::sockets::Listeners;
use tokio::sync::mpsc;

use super::UpError;

/// A daemon's settings, and what each of them holds.
pub(super) type Loaded<D> = (<D as Daemon>::Settings, <D as Daemon>::Held);

/// A daemon that runs beside us in this process.
pub(super) struct Running {
    name: &'static str,
    wish: mpsc::Sender<Wish>,
    life: tokio::task::JoinHandle<Result<(), String>>,
}

/// Starts one with the settings that `read` makes, now and at every reload.
pub(super) async fn start<D: Daemon>(
    read: impl Fn() -> Result<Loaded<D>, UpError> + Send + Sync + 'static,
) -> Result<Running, UpError> {
    let (settings, held) = read()?;
    let mut process = Process::new(ServiceManager::nobody());
    let reloads = process.reloads.clone();
    reloads.runs(reload::Running::new(D::NAME, None, &held));
    let deadline = D::drain_deadline(&settings);
    let daemon = D::start(settings, &mut Listeners::none(), &mut process)
        .await
        .map_err(|error| UpError::Daemon { name: D::NAME, error: error.to_string() })?;
    let (wish, wishes) = Wishes::twin();
    let (daemon, held, read) = (Arc::new(daemon), Arc::new(Mutex::new(held)), Arc::new(read));
    let life = tokio::spawn(async move {
        let reload = || {
            let (daemon, held, read) = (Arc::clone(&daemon), Arc::clone(&held), Arc::clone(&read));
            let reloads = reloads.clone();
            async move {
                let (settings, new) = read().map_err(|error| error.to_string())?;
                let waiting = daemon.reload(settings).await.map_err(|error| error.to_string())?;
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = held.after(new);
                reloads.runs(reload::Running::new(D::NAME, None, &*held));
                Ok::<_, String>(waiting)
            }
        };
        let ended = process.run(wishes, deadline, reload).await;
        daemon.finish().await;
        ended.map(drop).map_err(|error| error.to_string())
    });
    Ok(Running { name: D::NAME, wish, life })
}

impl Running {
    /// Lets it read its settings again; what comes of it, it says itself.
    pub(super) async fn reload(&self) {
        // A daemon that ended already hears nothing.
        let _gone = self.wish.send(Wish::Reload).await;
    }

    pub(super) async fn end(self) -> Result<(), UpError> {
        // As above.
        let _gone = self.wish.send(Wish::Drain).await;
        let failed = |error: String| UpError::Daemon { name: self.name, error };
        self.life.await.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }
}
