//! Counting in memory: by period, by what was seen last, and within the bounds.

use std::path::Path;

use arc_swap::ArcSwap;
use mail_auth::report::{PolicyPublished, Record};
use switchyard_daemon::clock::Hand;
use switchyard_daemon::metrics::Registry;
use switchyard_smtp::address::{Domain, Mailbox};

use super::ledger::Row;
use super::*;

const DAY: u64 = 24 * 3600;

/// Nothing counted yet, an hour before the second of January 1970.
fn reports(folder: &Path) -> (Reports, Hand) {
    let (clock, hand) = Clock::twin(UNIX_EPOCH + Duration::from_secs(DAY - 3600));
    let options = Options {
        folder: folder.to_owned(),
        store_size: 1 << 30,
        interval: Duration::from_secs(DAY),
        sender: Sender {
            organization: "Ours".into(),
            host_name: Domain::parse("mx.example.net").unwrap(),
            from: Mailbox::parse("reports@mx.example.net").unwrap(),
        },
        relay: Relay {
            address: "127.0.0.1:9".parse().unwrap(),
            hello_name: "mx.example.net".into(),
            looks_every: Duration::from_secs(60),
        },
    };
    let dns = crate::dns::resolver(&["127.0.0.1:9".parse().unwrap()], Duration::from_secs(1)).unwrap();
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (Reports::open(options, Arc::new(ArcSwap::from_pointee(dns)), clock, metrics).unwrap(), hand)
}

/// A message from this author, under a policy that has these reported to this address.
fn message(from: &str, address: &str) -> Seen {
    Seen {
        domain: "example.org".into(),
        published: PolicyPublished { domain: "example.org".to_owned(), ..PolicyPublished::default() },
        destinations: vec![address.to_owned()],
        row: Row::of(&Record::new().with_header_from(from)).unwrap(),
    }
}

/// When a report's period begins and ends, to whom it goes, and how many messages it counts.
fn told(reports: &Reports) -> Vec<(u64, u64, Vec<String>, Vec<u32>)> {
    let due = reports.ledger.due(u64::MAX, 100, |_| true).unwrap();
    due.iter()
        .map(|due| {
            let told = reports.ledger.read(due).unwrap().unwrap();
            let counts = told.records.iter().map(Record::count).collect();
            (due.begin, told.policy.end, told.policy.destinations, counts)
        })
        .collect()
}

#[tokio::test]
async fn a_message_counts_in_the_day_it_was_seen_in() {
    let folder = tempfile::tempdir().unwrap();
    let (reports, hand) = reports(folder.path());
    reports.note(message("example.org", "a@example.org"));
    hand.advance(Duration::from_secs(3599));
    reports.note(message("example.org", "a@example.org"));
    hand.advance(Duration::from_secs(1));
    reports.note(message("example.org", "a@example.org"));
    reports.keep();
    let to = vec!["a@example.org".to_owned()];
    assert_eq!(told(&reports), [(0, DAY, to.clone(), vec![2]), (DAY, 2 * DAY, to, vec![1])]);
}

#[tokio::test]
async fn the_policy_that_was_seen_last_says_who_is_told_also_over_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (reports, _) = reports(folder.path());
    reports.note(message("example.org", "old@example.org"));
    reports.note(message("example.org", "new@example.org"));
    reports.keep();
    assert_eq!(told(&reports), [(0, DAY, vec!["new@example.org".to_owned()], vec![2])]);
    reports.note(message("example.org", "newest@example.org"));
    reports.keep();
    // Nothing was counted since, and so nothing changes.
    reports.keep();
    assert_eq!(told(&reports), [(0, DAY, vec!["newest@example.org".to_owned()], vec![3])]);
}

#[tokio::test]
async fn over_the_bound_what_is_known_counts_on_and_what_is_new_is_lost_and_that_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (reports, _) = reports(folder.path());
    for number in 0..MAX_PENDING {
        reports.note(message(&format!("a{number}.example.org"), "a@example.org"));
    }
    reports.note(message("new.example.org", "a@example.org"));
    reports.note(message("a7.example.org", "a@example.org"));
    assert_eq!(reports.metrics.report_rows_lost.get(), 1);
    reports.keep();
    let [(_, _, _, mut counts)] = <[_; 1]>::try_from(told(&reports)).unwrap();
    counts.sort_unstable();
    assert_eq!((counts.len(), counts.iter().sum::<u32>()), (MAX_PENDING, MAX_PENDING as u32 + 1));
    assert_eq!(counts.last(), Some(&2));
    // What was kept makes room in memory.
    reports.note(message("a7.example.org", "a@example.org"));
    assert_eq!(reports.metrics.report_rows_lost.get(), 1);
}
