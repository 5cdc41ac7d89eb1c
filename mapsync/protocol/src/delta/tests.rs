use std::collections::BTreeMap;

use proptest::prelude::*;

use self::shown::{differing, shown};
use super::*;
use crate::packed::pack;
use crate::path::Path;
use crate::records::measure;

mod shown;

type Table = BTreeMap<String, String>;

fn text(table: &Table) -> Vec<u8> {
    let mut writer = records::Writer::new(Vec::new(), u64::MAX);
    for (key, value) in table {
        writer.put(Record { key, value }).unwrap();
    }
    writer.finish().unwrap().0
}

fn table(entries: &[(&str, &str)]) -> Vec<u8> {
    text(&entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn file(table: &[u8]) -> File {
    File::table(Path::try_from("maps/transport".to_owned()).unwrap(), measure(table).unwrap())
}

fn between(from: &[u8], to: &[u8]) -> (Vec<u8>, Counts) {
    diff((from, Hash::of(from)), (to, Hash::of(to)), Vec::new()).unwrap()
}

fn applied(from: &[u8], packed: &[u8], to: &File) -> Result<Vec<u8>, String> {
    apply(from, packed, &file(from), to, Vec::new()).map_err(|error| error.to_string())
}

/// A delta from `from` to `to` with these lines.
fn made(from: &[u8], to: &[u8], lines: &str) -> Vec<u8> {
    let head = format!("switchyard-delta-1 {} {}\n", Hash::of(from), Hash::of(to));
    pack((head + lines).as_bytes()).unwrap()
}

#[test]
fn a_delta_holds_what_changed_and_nothing_else() {
    let from = table(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let to = table(&[("a", "1"), ("b", "2"), ("d", "1")]);
    let (packed, counts) = between(&from, &to);
    assert_eq!(counts, Counts { added: 1, changed: 1, removed: 1 });
    assert_eq!(packed, made(&from, &to, "=b\t2\n-c\n+d\t1\n"));
    assert_eq!(applied(&from, &packed, &file(&to)), Ok(to.clone()));
    assert_eq!(between(&to, &to).1, Counts::default());
    assert!(worth_it(30, 100) && !worth_it(31, 100) && !worth_it(u64::MAX, u64::MAX));
}

#[test]
fn y6_a_delta_that_lies_ends_in_an_error() {
    let from = table(&[("a", "1"), ("b", "1")]);
    let to = table(&[("a", "1"), ("b", "2")]);
    let signed = file(&to);
    let lied = |lines: &str| applied(&from, &made(&from, &to, lines), &signed).unwrap_err();
    assert!(lied("").contains("is signed"), "nothing done");
    assert!(lied("=b\t3\n").contains("is signed"), "another value");
    assert_eq!(lied("+b\t2\n"), "the delta contradicts what is there, at \"b\"");
    assert_eq!(lied("=bb\t2\n"), "the delta contradicts what is there, at \"bb\"");
    assert_eq!(lied("-c\n"), "the delta contradicts what is there, at \"c\"");
    assert_eq!(lied("=b\t2\n=a\t1\n"), "line 3: its key is not in its order, or twice");
    assert_eq!(lied("=b\t2\n+b\t2\n"), "line 3: its key is not in its order, or twice");
    assert_eq!(lied("*b\t2\n"), "line 2: a line of a delta begins with \"+\", \"=\" or \"-\"");
    // The table would get longer than what is signed, before anything is compared.
    assert_eq!(lied("=b\t22\n"), format!("more than {} octets", to.len()));
    let (good, _) = between(&from, &to);
    for (bytes, records) in
        [(signed.bytes - 1, 2), (signed.bytes + 1, 2), (signed.bytes, 1), (signed.bytes, 3)]
    {
        let other = File { bytes, records, ..signed.clone() };
        assert!(applied(&from, &good, &other).is_err(), "{bytes} {records}");
    }
}

#[test]
fn a_line_that_is_no_record_is_refused_behind_one_that_changes() {
    for rest in [" more", "#", "\tx", "", "\rx"] {
        let long = "1".repeat(64);
        let from = format!("a\t{long}\n{rest}\nz\t1\n").into_bytes();
        let to = format!("a\t2\n{rest}\nz\t1\n").into_bytes();
        let packed = made(&from, &to, "=a\t2\n");
        // Signed all the same.
        let signed = |text: &[u8]| File { hash: Hash::of(text), bytes: text.len() as u64, ..file(b"a\t1\n") };
        let refused = apply(&from[..], &packed[..], &signed(&from), &signed(&to), Vec::new()).unwrap_err();
        assert!(refused.to_string().starts_with("line 2: a key begins"), "{refused}");
    }
}

#[test]
fn y6_a_delta_of_very_much_is_not_unpacked() {
    let (from, to) = (table(&[("a", "1")]), table(&[("a", "2")]));
    let longest = longest(&file(&from), &file(&to));
    let bomb = made(&from, &to, &"=a\t2\n".repeat(1 << 20));
    assert!(bomb.len() < 10_000);
    let refused = applied(&from, &bomb, &file(&to)).unwrap_err();
    assert_eq!(refused, format!("it unpacks to more than {longest} octets"));
    let bomb = made(&from, &to, &format!("=a\t{}\n", "2".repeat(1 << 19)));
    let refused = applied(&from, &bomb, &file(&to)).unwrap_err();
    assert_eq!(refused, format!("it unpacks to more than {longest} octets"));
}

#[test]
fn a_delta_for_other_tables_or_none_is_refused() {
    let (from, to) = (table(&[("a", "1")]), table(&[("a", "2")]));
    let (packed, _) = between(&to, &from);
    assert!(applied(&from, &packed, &file(&to)).unwrap_err().starts_with("the delta lies between"));
    let text = File { kind: Kind::Text, records: 0, ..file(&to) };
    assert_eq!(
        applied(&from, &packed, &text),
        Err("only tables have deltas, and maps/transport is none".into())
    );
    let hash = Hash::of(b"");
    for head in
        ["", "\n", "x\n", "switchyard-delta-1 x y\n", &format!("switchyard-delta-1 {hash} {hash} z\n")]
    {
        let refused = applied(&from, &pack(head.as_bytes()).unwrap(), &file(&to));
        assert_eq!(refused, Err(DeltaError::Head.to_string()), "{head:?}");
    }
}

fn unpacked(packed: &[u8]) -> Reader<BufReader<Unpacker<&[u8]>>> {
    Reader::new(BufReader::new(Unpacker::new(packed, 1 << 30).unwrap())).unwrap()
}

#[test]
fn steps_that_do_not_follow_one_another_are_not_put_together() {
    let [a, b, c] = [table(&[("k", "1")]), table(&[("k", "2")]), table(&[])];
    let (ab, bc, ac) = (between(&a, &b).0, between(&b, &c).0, between(&a, &c).0);
    let composed = |steps: &[&[u8]]| {
        let steps = steps.iter().map(|packed| unpacked(packed)).collect();
        compose(steps, Vec::new()).map(|(packed, _)| packed).map_err(|error| error.to_string())
    };
    assert_eq!(composed(&[&ab, &bc]), Ok(ac.clone()));
    assert!(composed(&[&ab, &ac]).unwrap_err().starts_with("the delta lies between"));
    assert!(composed(&[]).is_err() && composed(&vec![ab.as_slice(); STEPS + 1]).is_err());
    let lie = made(&b, &c, "+k\t3\n");
    assert_eq!(composed(&[&ab, &lie]), Err("the delta contradicts what is there, at \"k\"".to_owned()));
}

#[test]
fn a_table_of_many_pieces_changes_anywhere() {
    let entry = |number: u32, value: u32| (format!("user{number:08}@example.org"), format!("box{value}"));
    let mut from: Table = (0..60_000).map(|number| entry(number * 2, 1)).collect();
    let mut to = from.clone();
    let mut want = Counts::default();
    for number in (0..60_000).step_by(97) {
        let (key, value) = entry(number * 2, 2);
        to.insert(key, value);
        want.changed += 1;
        let (key, value) = entry(number * 2 + 3, 1);
        to.insert(key, value);
        want.added += 1;
        to.remove(&entry(number * 2 + 4, 1).0);
        want.removed += 1;
    }
    // A whole piece that comes, and one that goes.
    for number in 0..20_000 {
        let key = format!("m{number:08}");
        if number % 2 == 0 {
            to.insert(key, String::new())
        } else {
            from.insert(key, String::new())
        };
    }
    (want.added, want.removed) = (want.added + 10_000, want.removed + 10_000);
    let (from, to) = (text(&from), text(&to));
    let (packed, counts) = between(&from, &to);
    assert_eq!(counts, want);
    assert!(applied(&from, &packed, &file(&to)) == Ok(to.clone()));
    let (back, counts) = between(&to, &from);
    assert_eq!((counts.added, counts.removed), (want.removed, want.added));
    assert!(applied(&to, &back, &file(&from)) == Ok(from));
}

#[test]
fn what_is_no_table_has_no_change() {
    let good = "a\t1\nb\t1\n";
    let bad = ["a\t1\nb 2\n", "a\t1\nb\t2", "a\t1\n0\t2\n0\t1\n", "a\t1\nc\t1\nb\t2\n", "a\t1\nb\t1\n0\t1\n"];
    let pairs = bad.into_iter().flat_map(|bad| [(good, bad), (bad, good)]);
    // Where both are out of order, what they share must have its place, too.
    let both = [("b\t1\na\t1\n", "b\t2\na\t1\n")];
    for (from, to) in pairs.chain(both) {
        let [one, other] = [from, to].map(|table| (table.as_bytes(), Hash::of(table.as_bytes())));
        assert!(diff(one, other, Vec::new()).is_err(), "{from:?} {to:?}");
    }
}

fn some_table() -> impl Strategy<Value = Table> {
    proptest::collection::btree_map("[a-d]{1,2}", "[x-z]{0,2}", 0..12)
}

proptest! {
    #[test]
    fn a_delta_leads_from_any_table_to_any_other(tables in proptest::collection::vec(some_table(), 2..6)) {
        let tables: Vec<_> = tables.iter().map(text).collect();
        let (first, last) = (&tables[0], tables.last().unwrap());
        let deltas: Vec<_> = tables.windows(2).map(|pair| between(&pair[0], &pair[1]).0).collect();
        for (pair, delta) in tables.windows(2).zip(&deltas) {
            prop_assert_eq!(&applied(&pair[0], delta, &file(&pair[1])).unwrap(), &pair[1]);
            prop_assert_eq!(shown(&pair[0], delta, &pair[1]), differing(&pair[0], &pair[1]));
        }
        let (whole, _) = compose(deltas.iter().map(|delta| unpacked(delta)).collect(), Vec::new()).unwrap();
        prop_assert_eq!(&applied(first, &whole, &file(last)).unwrap(), last);
        // Put together or found directly, it touches the same entries, save those that changed and changed back.
        let count = |packed: &[u8]| {
            let mut delta = unpacked(packed);
            let mut seen = Vec::new();
            while delta.advance().unwrap() {
                seen.push(delta.current().unwrap().key().to_owned());
            }
            seen
        };
        let (direct, whole) = (count(&between(first, last).0), count(&whole));
        prop_assert!(direct.iter().all(|key| whole.contains(key)));
    }

    #[test]
    fn any_octets_end_in_an_answer(octets in proptest::collection::vec(any::<u8>(), 0..200), lines in "[+=a-c\t\n-]{0,40}") {
        let (from, to) = (table(&[("a", "1"), ("b", "2")]), table(&[("a", "2")]));
        prop_assert!(applied(&from, &octets, &file(&to)).is_err());
        if let Ok(out) = applied(&from, &made(&from, &to, &lines), &file(&to)) {
            prop_assert_eq!(out, to);
        }
        let _ = measure(octets.as_slice());
    }
}
