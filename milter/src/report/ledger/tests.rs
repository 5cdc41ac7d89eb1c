//! Counting, forgetting, and the bounds.

use super::*;
use crate::report::waiting::Wait;

const DAY: u64 = 86_400;

fn counted(begin: u64, domain: &str, kinds: &[(&str, u32)]) -> HashMap<Due, Counts> {
    let policy = Policy {
        end: begin + DAY,
        published: PolicyPublished { domain: domain.to_owned(), ..PolicyPublished::default() },
        destinations: vec![format!("reports@{domain}")],
    };
    let row = |from: &str| Row::of(&Record::new().with_header_from(from)).unwrap();
    let rows = kinds.iter().map(|(from, count)| (row(from), *count)).collect();
    HashMap::from([(Due { begin, domain: domain.into() }, Counts { policy, rows })])
}

fn told(ledger: &Ledger, due: &Due) -> Vec<(String, u32)> {
    let records = ledger.read(due).unwrap().unwrap().records;
    let mut told: Vec<_> =
        records.iter().map(|record| (record.header_from().to_owned(), record.count())).collect();
    told.sort();
    told
}

fn due_by(ledger: &Ledger, now: u64) -> Vec<Due> {
    ledger.due(now, 100, |_| true).unwrap()
}

#[test]
fn what_was_counted_is_there_after_a_restart_by_period_and_domain_and_gone_when_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), 1 << 20).unwrap();
    ledger.add(&counted(0, "b.example", &[("b.example", 2), ("x.b.example", 1)])).unwrap();
    ledger.add(&counted(0, "a.example", &[("a.example", 1)])).unwrap();
    ledger.add(&counted(DAY, "b.example", &[("b.example", 9)])).unwrap();
    ledger.add(&counted(0, "b.example", &[("b.example", 3)])).unwrap();
    assert!(Ledger::open(folder.path(), 1 << 20).is_err(), "one process has it");
    drop(ledger);

    let ledger = Ledger::open(folder.path(), 1 << 20).unwrap();
    let due = |begin, domain: &str| Due { begin, domain: domain.into() };
    assert_eq!(due_by(&ledger, DAY - 1), []);
    assert_eq!(due_by(&ledger, DAY), [due(0, "a.example"), due(0, "b.example")]);
    assert_eq!(due_by(&ledger, 2 * DAY).len(), 3);
    let second = due(0, "b.example");
    assert_eq!(told(&ledger, &second), [("b.example".to_owned(), 5), ("x.b.example".to_owned(), 1)]);
    assert_eq!(ledger.read(&second).unwrap().unwrap().policy.destinations, ["reports@b.example".to_owned()]);
    ledger.forget(&second).unwrap();
    assert_eq!(ledger.read(&second).unwrap(), None);
    assert_eq!(due_by(&ledger, DAY), [due(0, "a.example")]);
    assert_eq!(told(&ledger, &due(DAY, "b.example")), [("b.example".to_owned(), 9)]);
}

#[test]
fn what_finds_no_room_is_said_and_room_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), 4_000).unwrap();
    let many: Vec<String> = (0..100).map(|number| format!("a{number}.example")).collect();
    let kinds: Vec<(&str, u32)> = many.iter().map(|name| (name.as_str(), 1)).collect();
    let lost = ledger.add(&counted(0, "a.example", &kinds)).unwrap();
    let due = Due { begin: 0, domain: "a.example".into() };
    assert!(lost > 50 && lost < 100, "{lost}");
    assert_eq!(told(&ledger, &due).len() as u64, 100 - lost);
    // What is known is counted on, and a domain more finds no room.
    let known = told(&ledger, &due).remove(0).0;
    assert_eq!(ledger.add(&counted(0, "a.example", &[(&known, 4)])).unwrap(), 0);
    assert!(told(&ledger, &due).contains(&(known, 5)));
    assert_eq!(ledger.add(&counted(0, "b.example", &kinds)).unwrap(), 100);
    ledger.forget(&due).unwrap();
    assert_eq!(ledger.add(&counted(0, "b.example", &[("b.example", 1)])).unwrap(), 0);
}

#[test]
fn one_look_finds_so_many_and_passes_over_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), 1 << 20).unwrap();
    for domain in ["a.example", "b.example", "c.example", "d.example"] {
        ledger.add(&counted(0, domain, &[(domain, 1)])).unwrap();
    }
    let found = ledger.due(DAY, 2, |due| &*due.domain != "b.example").unwrap();
    let found: Vec<&str> = found.iter().map(|due| &*due.domain).collect();
    assert_eq!(found, ["a.example", "c.example"]);
}

#[test]
fn one_report_has_so_many_kinds_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), 1 << 30).unwrap();
    let many: Vec<String> = (0..MAX_ROWS + 7).map(|number| format!("a{number}.example")).collect();
    let kinds: Vec<(&str, u32)> = many.iter().map(|name| (name.as_str(), 1)).collect();
    assert_eq!(ledger.add(&counted(0, "a.example", &kinds)).unwrap(), 7);
    assert_eq!(ledger.add(&counted(0, "a.example", &[("new.example", 1)])).unwrap(), 1);
    assert_eq!(ledger.add(&counted(0, "b.example", &[("new.example", 1)])).unwrap(), 0);
}

#[test]
fn waits_are_there_after_a_restart_unless_another_is_to_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let due = |domain: &str| Due { begin: 0, domain: domain.into() };
    let wait = |until| Wait { until, long: 300 };
    let ledger = Ledger::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(ledger.waits("192.0.2.1:25").unwrap(), []);
    ledger.keep_waits("192.0.2.1:25", &[(due("a.example"), wait(1)), (due("b.example"), wait(2))]).unwrap();
    ledger.keep_waits("192.0.2.1:25", &[(due("b.example"), wait(3))]).unwrap();
    drop(ledger);
    let ledger = Ledger::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(ledger.waits("192.0.2.1:25").unwrap(), [(due("b.example"), wait(3))]);
    assert_eq!(ledger.waits("192.0.2.2:25").unwrap(), []);
}
