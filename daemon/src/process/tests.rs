use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, oneshot};

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

/// A process whose service manager is the test.
struct Stage {
    process: Process,
    ear: UnixDatagram,
    wish: mpsc::Sender<Wish>,
    wishes: Wishes,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("notify");
        let ear = UnixDatagram::bind(&address).unwrap();
        let process = Process::new(ServiceManager::at(&address, None).unwrap());
        let (wish, wishes) = Wishes::twin();
        Self { process, ear, wish, wishes, _folder: folder }
    }
}

async fn hear(ear: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let length = ear.recv(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

async fn no_reload() -> Result<Vec<String>, String> {
    Ok(Vec::new())
}

#[tokio::test]
async fn a_whole_life_is_told_in_order() {
    let Stage { mut process, ear, wish, wishes, _folder } = Stage::new();
    let maps = process.readiness.condition("maps", "loading");
    let drain = process.drain.clone();
    let waits = drain.clone();
    process.tasks.essential("accept", async move { waits.wait_started().await });
    let (end_session, session_ends) = oneshot::channel::<()>();
    drain.track(async move {
        session_ends.await.unwrap();
    });
    let reloads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reloads);
    let reload = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { if number == 0 { Ok(Vec::new()) } else { Err("line 3: no such key") } }
    };
    let life = tokio::spawn(process.run(wishes, DEADLINE, reload));

    assert_eq!(hear(&ear).await, "STATUS=not ready: maps: loading\n");
    maps.met();
    assert_eq!(hear(&ear).await, "READY=1\nSTATUS=ready\n");
    for _ in ["the first succeeds", "the second fails, and life goes on"] {
        wish.send(Wish::Reload).await.unwrap();
        assert!(hear(&ear).await.starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(hear(&ear).await, "READY=1\nSTATUS=ready\n");
    }
    assert_eq!(reloads.load(Ordering::Relaxed), 2);
    wish.send(Wish::Drain).await.unwrap();
    assert_eq!(hear(&ear).await, "STOPPING=1\nSTATUS=draining 1 sessions\n");
    assert!(!life.is_finished(), "the session is at work");
    end_session.send(()).unwrap();
    assert_eq!(life.await.unwrap().unwrap(), Drained::Whole);
}

#[tokio::test(start_paused = true)]
async fn an_essential_death_drains_and_fails() {
    let Stage { mut process, wish: _wish, wishes, .. } = Stage::new();
    process.drain.track(std::future::pending());
    process.tasks.essential("spool", async { Err("cannot flush") });
    let error = process.run(wishes, DEADLINE, no_reload).await.unwrap_err();
    assert_eq!(error.to_string(), "the task `spool` failed: cannot flush");
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_it_at_once() {
    let Stage { process, wish, wishes, .. } = Stage::new();
    process.drain.track(std::future::pending());
    let start = tokio::time::Instant::now();
    for signal in [Wish::Drain, Wish::Reload, Wish::Exit] {
        wish.send(signal).await.unwrap();
    }
    let error = process.run(wishes, DEADLINE, no_reload).await.unwrap_err();
    assert_eq!(error.to_string(), "ended at once by a second signal, with 1 sessions open");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_cut_or_named() {
    let Stage { mut process, wish, wishes, .. } = Stage::new();
    process.drain.track(std::future::pending());
    process.tasks.essential("queue", std::future::pending::<()>());
    wish.send(Wish::Drain).await.unwrap();
    let start = tokio::time::Instant::now();
    let error = process.run(wishes, DEADLINE, no_reload).await.unwrap_err();
    assert_eq!(error.to_string(), "these tasks did not end in time: queue");
    assert_eq!(start.elapsed().as_secs(), (DEADLINE + TASKS_TIME).as_secs());
}
