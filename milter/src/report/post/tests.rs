//! Reports on their way to an MTA that takes them, or does not.

use arc_swap::ArcSwap;
use mail_auth::MessageAuthenticator;
use mail_auth::report::{PolicyPublished, Record};
use switchyard_daemon::clock::{Clock, Hand};
use switchyard_daemon::metrics::Registry;
use switchyard_smtp::address::Domain;
use switchyard_smtp::testing::play;
use tokio::net::TcpListener;

use super::*;
use crate::dns::zone::Zone;
use crate::metrics::Metrics;
use crate::report::ledger::Row;
use crate::report::relay::Relay;
use crate::report::seen::Seen;
use crate::report::{Options, Sender};

const TAKES_ONE: &str = "
S: 220 hello
C: EHLO mx.example.org
S: 250 hello
C: MAIL FROM:<reports@mx.example.org>*
S: 250 ok
C: RCPT TO:<dmarc@*
S: 250 ok
C: DATA
S: 354 go on
.
S: 250 ok
C: QUIT
S: 221 bye
X";

const HOUR: Duration = Duration::from_secs(3600);

/// Reports about so many domains, each due to its own and due now.
async fn reports(folder: &std::path::Path, domains: usize, relay: &TcpListener) -> (Arc<Reports>, Hand) {
    let own = |domain: &str| vec![format!("dmarc@{domain}")];
    // Nobody needs to be asked: each domain has its own reports.
    let dns = crate::dns::resolver(&["127.0.0.1:9".parse().unwrap()], HOUR).unwrap();
    let (reports, hand) = counted(folder, domains, relay, dns, own);
    hand.advance(25 * HOUR);
    (reports, hand)
}

/// Reports of the second of January 1970, to whom each domain names; the day has just begun.
fn counted(
    folder: &std::path::Path,
    domains: usize,
    relay: &TcpListener,
    dns: MessageAuthenticator,
    names: impl Fn(&str) -> Vec<String>,
) -> (Arc<Reports>, Hand) {
    let (clock, hand) = Clock::twin(std::time::UNIX_EPOCH + 24 * HOUR);
    let host_name = Domain::parse("mx.example.org").unwrap();
    let options = Options {
        folder: folder.to_owned(),
        store_size: 1 << 20,
        interval: 24 * HOUR,
        sender: Sender {
            organization: "Ours".into(),
            host_name,
            from: Mailbox::parse("reports@mx.example.org").unwrap(),
        },
        relay: Relay {
            address: relay.local_addr().unwrap(),
            hello_name: "mx.example.org".into(),
            looks_every: HOUR,
        },
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let reports = Reports::open(options, Arc::new(ArcSwap::from_pointee(dns)), clock, metrics).unwrap();
    for number in 0..domains {
        let domain = format!("d{number}.example");
        reports.note(Seen {
            published: PolicyPublished { domain: domain.clone(), ..PolicyPublished::default() },
            destinations: names(&domain),
            row: Row::of(&Record::new().with_header_from(&*domain)).unwrap(),
            domain: domain.into(),
        });
    }
    reports.keep();
    (Arc::new(reports), hand)
}

fn fated(reports: &Reports, fate: Fate) -> u64 {
    reports.metrics.reports.with_label_values(&[fate.as_str()]).get()
}

#[tokio::test]
async fn several_reports_are_on_their_way_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reports, _) = reports(folder.path(), LINES, &relay).await;
    let mta = async {
        // It greets nobody before all are there.
        let mut lines = Vec::new();
        for _ in 0..LINES {
            lines.push(relay.accept().await.unwrap().0);
        }
        let playing: Vec<_> = lines.into_iter().map(|line| tokio::spawn(play(line, TAKES_ONE))).collect();
        for played in playing {
            assert_eq!(played.await.unwrap().contents.len(), 1);
        }
    };
    let mut waiting = Waiting::default();
    tokio::join!(all_due(&reports, &mut waiting), mta);
    assert_eq!(fated(&reports, Fate::Sent), LINES as u64);
    assert_eq!(reports.ledger.due(u64::MAX, MOST, |_| true).unwrap(), []);
    assert_eq!(waiting.changed(), None);
}

#[tokio::test]
async fn who_could_not_be_told_waits_over_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reports, hand) = reports(folder.path(), 1, &relay).await;
    let mut waiting = kept_waits(&reports).await;
    let mta = async {
        let refuses = TAKES_ONE.split("C: RCPT").next().unwrap();
        let script = format!("{refuses}C: RCPT TO:<*\nS: 450 not now\nX");
        play(relay.accept().await.unwrap().0, &script).await
    };
    tokio::join!(all_due(&reports, &mut waiting), mta);
    assert_eq!(fated(&reports, Fate::Deferred), 1);

    let now = seconds(reports.clock.now_wall());
    let mut waiting = kept_waits(&reports).await;
    assert_eq!(waiting.until(now).len(), 1);
    // Nobody is asked, or this would wait for a greeting.
    all_due(&reports, &mut waiting).await;
    hand.advance(HOUR);
    tokio::join!(all_due(&reports, &mut waiting), async {
        play(relay.accept().await.unwrap().0, TAKES_ONE).await
    });
    assert_eq!((fated(&reports, Fate::Deferred), fated(&reports, Fate::Sent)), (1, 1));
    assert!(kept_waits(&reports).await.until(now).is_empty());
}

/// What is left to be sent, whenever.
fn left(reports: &Reports) -> usize {
    reports.ledger.due(u64::MAX, MOST, |_| true).unwrap().len()
}

#[tokio::test]
async fn none_goes_out_before_all_of_its_day_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = |domain: &str| vec![format!("dmarc@{domain}")];
    let (reports, hand) = counted(folder.path(), 1, &relay, Zone::default().serve().await, own);
    let mut waiting = Waiting::default();
    hand.advance(24 * HOUR + SETTLED - Duration::from_secs(1));
    // Nobody is asked, or this would wait for a greeting.
    all_due(&reports, &mut waiting).await;
    assert_eq!(left(&reports), 1);
    hand.advance(Duration::from_secs(1));
    let mta = async { play(relay.accept().await.unwrap().0, TAKES_ONE).await };
    let (_, played) = tokio::join!(all_due(&reports, &mut waiting), mta);
    assert_eq!((played.contents.len(), left(&reports)), (1, 0));
}

#[tokio::test]
async fn one_that_is_too_old_is_let_go_and_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reports, hand) = reports(folder.path(), 1, &relay).await;
    hand.advance(LIFETIME);
    all_due(&reports, &mut Waiting::default()).await;
    assert_eq!((fated(&reports, Fate::Expired), left(&reports)), (1, 0));
}

#[tokio::test]
async fn one_that_nobody_may_get_is_let_go_and_one_of_which_the_dns_cannot_say_waits() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let zone = Zone::default().failing("d1.example._report._dmarc.stranger.example");
    let stranger = |_: &str| vec!["dmarc@stranger.example".to_owned()];
    let (reports, hand) = counted(folder.path(), 2, &relay, zone.serve().await, stranger);
    hand.advance(25 * HOUR);
    let mut waiting = Waiting::default();
    all_due(&reports, &mut waiting).await;
    assert_eq!((fated(&reports, Fate::Unwanted), fated(&reports, Fate::Deferred)), (1, 1));
    let waits = waiting.until(seconds(reports.clock.now_wall()));
    assert_eq!(waits.iter().map(|due| &*due.domain).collect::<Vec<_>>(), ["d1.example"]);
    assert_eq!(left(&reports), 1);
}

#[tokio::test]
async fn an_mta_that_is_not_there_is_asked_once_a_line_and_what_was_not_tried_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (reports, _) = reports(folder.path(), 3 * LINES, &relay).await;
    drop(relay);
    let mut waiting = Waiting::default();
    all_due(&reports, &mut waiting).await;
    let tried = waiting.until(seconds(reports.clock.now_wall())).len();
    assert!((1..=LINES).contains(&tried), "{tried}");
    assert_eq!((fated(&reports, Fate::Deferred), left(&reports)), (tried as u64, 3 * LINES));
}
