//! What is added, by which set, and what a daemon that answers nothing adds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchyard_daemon::metrics::Registry;
use switchyard_mapsync_protocol::hash::Hash;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn set(generation: u64) -> HeadRef {
    HeadRef { generation, hash: Hash::of(b"") }
}

fn mail(taken: u64, rejected: u64) -> Mail {
    let mut mail = Mail::default();
    mail.count(Fate::Taken, taken);
    mail.count(Fate::Rejected, rejected);
    mail
}

#[test]
fn what_is_added_counts_for_the_set_in_use_and_over_a_flip_for_none() {
    let mut tally = Tally::default();
    let mut read = |generation, taken, rejected| {
        let page = Page { mail: mail(taken, rejected), surprises: None };
        tally.read(set(generation), page).map(|(mail, _)| mail)
    };
    assert_eq!(read(1, 1000, 5), None, "it was there before we came");
    assert_eq!(read(1, 1000, 5), None);
    assert_eq!(read(1, 1010, 6), Some(mail(10, 1)));
    assert_eq!(read(2, 1100, 6), None);
    assert_eq!(read(2, 1101, 6), Some(mail(1, 0)));
    assert_eq!(read(2, 4, 2), Some(mail(4, 2)), "it began anew");
    let mut all = mail(u64::MAX, 1);
    all.add(mail(1, 1));
    assert_eq!(all.told(3), Counters { taken: u64::MAX, rejected: 2, deaths: 3, ..Counters::default() });
}

#[test]
fn surprises_are_told_with_the_candidate_that_held_them() {
    let mut tally = Tally::default();
    let mut read = |generation, candidate: Option<(&str, u64)>| {
        let surprises = candidate.map(|(name, count)| Surprises { candidate: name.to_owned(), count });
        let added = tally.read(set(generation), Page { mail: mail(7, 0), surprises });
        added.and_then(|(_, surprises)| surprises).map(|new| (new.candidate, new.count))
    };
    let told = |name: &str, count| Some((name.to_owned(), count));
    assert_eq!(read(1, Some(("two", 9))), None, "it was there before we came");
    assert_eq!(read(1, Some(("two", 9))), None);
    assert_eq!(read(1, Some(("two", 11))), told("two", 2));
    // Another one begins at nothing, and so does the same one again.
    assert_eq!(read(1, Some(("three", 0))), None);
    assert_eq!(read(1, Some(("three", 12))), told("three", 12));
    assert_eq!(read(1, None), None);
    assert_eq!(read(1, Some(("three", 1))), told("three", 1));
    assert_eq!(read(2, Some(("three", 5))), None, "over a flip");
}

#[test]
fn a_daemon_is_asked_where_it_listens() {
    let asked = |listen: &str| address(&ListenOn::Address(listen.parse().unwrap()));
    assert_eq!(asked("127.0.0.1:9125"), Some("127.0.0.1:9125".parse().unwrap()));
    assert_eq!(asked("0.0.0.0:9125"), Some("127.0.0.1:9125".parse().unwrap()));
    assert_eq!(asked("[::]:9125"), Some("[::1]:9125".parse().unwrap()));
    assert_eq!(address(&ListenOn::Systemd("metrics".to_owned())), None);
}

/// A daemon that has taken so many messages; each connection is one question. One that has taken none says no.
async fn daemon(taken: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 1024];
            let read = stream.read(&mut question).await.unwrap();
            assert!(question[..read].starts_with(b"GET /metrics HTTP/1.1\r\n"));
            let taken = taken.load(Ordering::SeqCst);
            let page = format!(
                "switchyard_policy_verdicts_total{{reason=\"none\",stage=\"recipient\",verdict=\"accept\"}} {taken}\n"
            );
            let status = if taken == 0 { "503 Service Unavailable" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{page}", page.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

async fn becomes(seen: &Gauge, wanted: i64) {
    let waited = async {
        while seen.get() != wanted {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_answers_is_counted_and_one_that_does_not_adds_nothing() {
    let taken = Arc::new(AtomicU64::new(1000));
    let metrics = Some(daemon(Arc::clone(&taken)).await);
    let watched = |generation| Watched {
        daemon: "mx".to_owned(),
        control: None,
        metrics,
        settings: PathBuf::new(),
        set: set(generation),
    };
    let (which, changes) = watch::channel(Some(watched(1)));
    let (to, mut counted) = mpsc::channel(1);
    let seen = Registry::new().gauge("seen", "Seen.").unwrap();
    let pace = Pace { usual: Duration::from_millis(5), soon: Duration::from_millis(5) };
    let counting = tokio::spawn(count(changes, to, seen.clone(), pace));
    becomes(&seen, 1).await;
    taken.store(1010, Ordering::SeqCst);
    let told = timeout(PATIENCE, counted.recv()).await.unwrap();
    assert_eq!(told, Some(Counted { set: set(1), mail: mail(10, 0), surprises: None, is_awaited: true }));
    taken.store(0, Ordering::SeqCst);
    becomes(&seen, 0).await;
    taken.store(1011, Ordering::SeqCst);
    let told = timeout(PATIENCE, counted.recv()).await.unwrap();
    assert_eq!(told.map(|told| told.mail), Some(mail(1, 0)), "what it said before it fell silent counts on");
    which.send(None).unwrap();
    becomes(&seen, 0).await;
    drop(which);
    timeout(PATIENCE, counting).await.unwrap().unwrap();
}
