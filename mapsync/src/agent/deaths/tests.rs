//! Daemons that die, and daemons that are stopped: this test's own program in their place.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixListener;
use std::process::{Child, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchyard_daemon::metrics::Registry;
use switchyard_mapsync_protocol::hash::Hash;

use super::*;

/// A process that listens at a socket; it stops when its standard input ends.
struct Daemon {
    child: Child,
    told: BufReader<ChildStdout>,
}

impl Daemon {
    fn start(socket: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "agent::deaths::tests::listen", "--ignored", "--nocapture"]);
        command.env(SOCKET, socket).stdout(Stdio::piped()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        let mut daemon = Self { child, told };
        daemon.says("listens");
        daemon
    }

    fn says(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim_end() != word {
            line.clear();
            assert_ne!(self.told.read_line(&mut line).unwrap(), 0, "it ended early");
        }
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }

    /// Killed, once somebody has connected.
    fn die(mut self) {
        self.says("seen");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a [`Daemon`] is: it takes its socket's file with it when it stops in order.
#[test]
#[ignore = "only as a process of its own"]
fn listen() {
    let Some(path) = std::env::var_os(SOCKET) else { return };
    let aside = Path::new(&path).with_extension("new");
    let listener = UnixListener::bind(&aside).unwrap();
    fs::rename(&aside, &path).unwrap();
    println!("\nlistens");
    std::thread::spawn(move || {
        while let Ok((_stream, _)) = listener.accept() {
            println!("\nseen");
        }
    });
    io::stdin().read_line(&mut String::new()).unwrap();
    fs::remove_file(&path).unwrap();
}

const SOCKET: &str = "SWITCHYARD_TEST_SOCKET";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_is_told_and_who_stops_in_order_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let set = HeadRef { generation: 1, hash: Hash::of(b"") };
    let watched = Watched {
        daemon: "mx".to_owned(),
        control: Some(socket.clone()),
        metrics: None,
        settings: PathBuf::new(),
        set,
    };
    let (which, changes) = watch::channel(Some(watched));
    let seen = Registry::new().gauge("seen", "Seen.").unwrap();
    let (dead, mut deaths) = mpsc::channel(4);
    let watching = tokio::spawn(watch(changes, dead, seen.clone()));
    // Seen by then or not, it is no death.
    (0..3).for_each(|_| Daemon::start(&socket).stop());
    let daemon = Daemon::start(&socket);
    assert!(deaths.try_recv().is_err());
    daemon.die();
    timeout(PATIENCE, deaths.recv()).await.unwrap().unwrap();
    // It is back, and dies again.
    fs::remove_file(&socket).unwrap();
    Daemon::start(&socket).die();
    timeout(PATIENCE, deaths.recv()).await.unwrap().unwrap();
    drop(which);
    timeout(PATIENCE, watching).await.unwrap().unwrap();
    assert_eq!(seen.get(), 0);
}

/// On one thread, so that nobody can look between the new set and the death.
#[tokio::test]
async fn who_dies_as_its_new_set_comes_into_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let of = |generation| {
        let set = HeadRef { generation, hash: Hash::of(b"") };
        Some(Watched {
            daemon: "mx".to_owned(),
            control: Some(socket.clone()),
            metrics: None,
            settings: PathBuf::new(),
            set,
        })
    };
    let (which, changes) = watch::channel(of(1));
    let seen = Registry::new().gauge("seen", "Seen.").unwrap();
    let (dead, mut deaths) = mpsc::channel(4);
    let daemon = Daemon::start(&socket);
    let watching = tokio::spawn(watch(changes, dead, seen.clone()));
    let is_seen = async {
        while seen.get() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_seen).await.unwrap();
    which.send(of(2)).unwrap();
    daemon.die();
    timeout(PATIENCE, deaths.recv()).await.unwrap().unwrap();
    drop(which);
    timeout(PATIENCE, watching).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_manager_is_asked_for_a_while_where_the_socket_is_closed() {
    let (dead, mut deaths) = mpsc::channel(1000);
    // What was before the first question is no death of now; then one more each time.
    let count = Arc::new(AtomicU64::new(7));
    at_the_manager(move || Some(count.fetch_add(1, Ordering::Relaxed)), &dead).await;
    drop(dead);
    let mut seen = 0;
    while deaths.recv().await.is_some() {
        seen += 1;
    }
    assert!((30..40).contains(&seen), "{seen}");
    // Who says no number tells of no death, and is not asked again.
    let (dead, mut deaths) = mpsc::channel(1);
    at_the_manager(|| restarts("/bin/echo", "x"), &dead).await;
    drop(dead);
    assert!(deaths.recv().await.is_none());
}
