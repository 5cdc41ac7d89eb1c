//! A daemon as a program: command line → settings → log → run time → life → exit code.
//!
//! What differs between daemons is a [`Daemon`]; what is alike is told once, here.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::log::{self, LogGuard, LogOptions};
use crate::process::Process;
use crate::reload::{Held, Reloads, Running};
use crate::service::ServiceManager;
use crate::signal::Wishes;
use crate::sockets::Listeners;

/// One of the suite's daemons.
pub trait Daemon: Sized + Send + Sync + 'static {
    /// The program's name.
    const NAME: &'static str;
    /// What it does, in a line.
    const ABOUT: &'static str;
    /// What it is told.
    type Settings: Send + Sync + 'static;
    /// What each single setting holds.
    type Held: Held + Send + Sync + 'static;
    /// Why it does not do it; all faults of a file are one error.
    type Error: Display + Send;

    /// Reads the settings.
    ///
    /// # Errors
    /// With every fault, each with file and line.
    fn load(path: &Path) -> Result<(Self::Settings, Self::Held), Self::Error>;

    /// What is to be logged.
    fn log(settings: &Self::Settings) -> &LogOptions;

    /// How long sessions may take to end when the daemon stops.
    fn drain_deadline(settings: &Self::Settings) -> Duration;

    /// Reads the files that the settings name: maps, certificates.
    ///
    /// # Errors
    /// With what is wrong with them.
    fn check(settings: &Self::Settings) -> Result<(), Self::Error>;

    /// Starts every room, and listens last.
    fn start(
        settings: Self::Settings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> impl Future<Output = Result<Self, Self::Error>> + Send;

    /// Takes new settings, whole or not at all. Returns what differs in them and takes a restart.
    fn reload(
        &self,
        settings: Self::Settings,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// The last thing: sessions are over, what is kept is made durable.
    fn finish(&self) -> impl Future<Output = ()> + Send;
}

/// Runs a daemon from its command line to its exit code: 0 fine, 1 a fault, 2 misuse.
pub fn run<D: Daemon>(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Arguments { config, check } = Arguments::parse(D::NAME, D::ABOUT, arguments);
    let (settings, held) = match D::load(&config) {
        Ok(loaded) => loaded,
        Err(faults) => return fail(&faults),
    };
    if check {
        return match D::check(&settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(faults) => fail(&faults),
        };
    }
    // Both read the environment, so they come before the first thread.
    let mut listeners = Listeners::from_environment();
    let guard = match log::start(D::log(&settings)) {
        Ok(guard) => guard,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let ended = runtime.block_on(live::<D>(&config, (settings, held), &mut listeners, &guard));
    drop(runtime);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            // The log is written out first; what follows is for whoever started this by hand.
            drop(guard);
            fail(&error)
        }
    }
}

async fn live<D: Daemon>(
    config: &Path,
    (settings, held): (D::Settings, D::Held),
    listeners: &mut Listeners,
    log: &LogGuard,
) -> Result<(), String> {
    let wishes = Wishes::listen().map_err(|error| format!("signals: {error}"))?;
    let service = ServiceManager::from_environment().map_err(|error| error.to_string())?;
    let deadline = D::drain_deadline(&settings);
    let mut process = Process::new(service);
    let told = Told { held: Mutex::new(held), folder: config.parent(), reloads: process.reloads.clone() };
    told.tell(D::NAME);
    let daemon = D::start(settings, listeners, &mut process).await.map_err(|error| error.to_string())?;
    for name in listeners.unclaimed() {
        tracing::warn!(name, "systemd passed a socket that no setting names");
    }
    let daemon = Arc::new(daemon);
    let drain = process.drain.clone();
    let reload = || {
        let drain = drain.clone();
        let daemon = Arc::clone(&daemon);
        let told = &told;
        async move {
            let (settings, read) = D::load(config).map_err(|faults| faults.to_string())?;
            // Made before anything is changed, put in place after everything was.
            let filter = log.filter(&D::log(&settings).filter).map_err(|error| error.to_string())?;
            let deadline = D::drain_deadline(&settings);
            let held = daemon.reload(settings).await.map_err(|error| error.to_string())?;
            drain.set_deadline(deadline);
            log.set_filter(filter).map_err(|error| error.to_string())?;
            told.change(D::NAME, read);
            Ok::<_, String>(held)
        }
    };
    let ended = process.run(wishes, deadline, reload).await;
    daemon.finish().await;
    ended.map(drop).map_err(|error| error.to_string())
}

/// Tells whoever asks what the daemon runs with.
struct Told<'a, H> {
    held: Mutex<H>,
    /// Of the settings file.
    folder: Option<&'a Path>,
    reloads: Reloads,
}

impl<H: Held> Told<'_, H> {
    fn tell(&self, name: &str) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.reloads.runs(Running::new(name, self.folder, &*held));
    }

    /// New settings were taken.
    fn change(&self, name: &str, read: H) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.after(read);
        drop(held);
        self.tell(name);
    }
}

/// Why a daemon cannot start, or cannot take new settings: for whoever started it, in words. Each room's own errors
/// become one by `?`, and so does a text in which several faults stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    /// These faults, each on a line; fine if there are none.
    ///
    /// # Errors
    /// When there are any.
    pub fn of(faults: &[String]) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults.join("\n"))) }
    }

    /// What is wrong, and with which setting, file or thing.
    pub fn at(place: impl Display, what: impl Display) -> Self {
        Self(format!("{place}: {what}"))
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

// Not an error itself, or it could not be made of all of them.
impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says why on standard error; there may be no log yet.
fn fail(error: &impl Display) -> ExitCode {
    // If even that fails, the exit code still tells.
    let _best_effort = writeln!(io::stderr(), "{error}");
    ExitCode::FAILURE
}
