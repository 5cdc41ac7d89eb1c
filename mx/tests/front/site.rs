//! A front with its settings and maps, from start to drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use switchyard_config::{MxSettings, Settings};
use switchyard_daemon::drain::Drained;
use switchyard_daemon::process::{Process, ProcessError};
use switchyard_daemon::program::{Daemon, Fault};
use switchyard_daemon::service::ServiceManager;
use switchyard_daemon::signal::{Wish, Wishes};
use switchyard_daemon::sockets::Listeners;
use switchyard_mx::Mx;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A running front.
pub(crate) struct Front {
    pub(crate) mx: Arc<Mx>,
    pub(crate) folder: TempDir,
    wishes: mpsc::Sender<Wish>,
    running: JoinHandle<Result<Drained, ProcessError>>,
}

/// What every front here starts with.
const MAPS: [(&str, &str); 2] = [
    ("relay_domains", "example.org ours\n"),
    ("recipients", "alice@example.org x\nbob@example.org x\ncarol@example.org x\npet%cat@example.org x\n"),
];

impl Front {
    /// With its maps, these routers, and whatever else the settings say.
    pub(crate) async fn start(routers: &[SocketAddr], settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in MAPS {
            write(&folder, file, text);
        }
        Self::in_folder(folder, routers, settings).await
    }

    /// With the maps that stand in `folder`.
    pub(crate) async fn in_folder(folder: TempDir, routers: &[SocketAddr], settings: &str) -> Self {
        let settings = read(&folder, routers, settings);
        let mut process = Process::new(ServiceManager::nobody());
        let mx = Mx::start(settings, &mut Listeners::none(), &mut process).await.unwrap();
        let (hand, wishes) = Wishes::twin();
        let reload = || async { Ok::<_, Fault>(Vec::new()) };
        let running = tokio::spawn(process.run(wishes, Duration::from_secs(60), reload));
        Self { mx: Arc::new(mx), folder, wishes: hand, running }
    }

    /// The first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.mx.addresses()[0]
    }

    /// Takes new settings, as SIGHUP would make it.
    pub(crate) async fn reload(&self, routers: &[SocketAddr], settings: &str) {
        self.mx.reload(read(&self.folder, routers, settings)).await.unwrap();
    }

    /// Asks it to end.
    pub(crate) async fn drain(&self) {
        self.wishes.send(Wish::Drain).await.unwrap();
    }

    /// How it ended.
    pub(crate) async fn ended(self) -> Drained {
        self.running.await.unwrap().unwrap()
    }

    /// One of the pages for probes.
    pub(crate) async fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.mx.metrics_addresses()[0]).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }
}

fn read(folder: &TempDir, routers: &[SocketAddr], settings: &str) -> MxSettings {
    let pool: Vec<String> = routers.iter().map(|router| format!("\"{router}\"")).collect();
    // A table that a test adds to is given here only when the test does not.
    let table =
        |name: &str, text: String| if settings.contains(&format!("[{name}]")) { String::new() } else { text };
    let listen =
        if settings.contains("[[listen.smtp]]") { "" } else { "[[listen.smtp]]\nsocket = \"127.0.0.1:0\"\n" };
    let routers = format!("pool = [{}]\n", pool.join(", "));
    let maps = format!(
        "[maps]\nfolder = \"{}\"\nrelay_domains = \"relay_domains\"\nrecipients = \"recipients\"\n",
        folder.path().display()
    );
    let settings_with_pool =
        settings.replace("[maps]\n", &maps).replace("[routers]\n", &format!("[routers]\n{routers}"));
    let text = format!(
        "host_name = \"mx.example.org\"\n{listen}[metrics]\nsocket = \"127.0.0.1:0\"\n\
         {}{}{settings_with_pool}",
        table("maps", maps),
        table("routers", format!("[routers]\n{routers}")),
    );
    MxSettings::parse("mx.toml", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

pub(crate) fn write(folder: &TempDir, file: &str, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own file")]
    std::fs::write(folder.path().join(file), text).unwrap();
}
