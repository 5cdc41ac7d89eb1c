//! What is shown of the lines that change, compared with the lines themselves.

use super::*;

/// Where a line stood and stands, what stood there, and what stands there.
pub(super) type Line = (u64, u64, Option<String>, Option<String>);

/// The lines that are shown while a delta is laid over a table.
pub(super) fn shown(from: &[u8], packed: &[u8], to: &[u8]) -> Vec<Line> {
    let mut shown = Vec::new();
    let see = |Edit { old, new, removed, added }: Edit<'_>| {
        let removed = removed.map(|line| String::from_utf8(line.to_vec()).unwrap());
        shown.push((old, new, removed, added.map(|Record { key, value }| format!("{key}\t{value}\n"))));
    };
    apply_seen(from, packed, (&file(from), &file(to)), Vec::new(), see).unwrap();
    shown
}

/// The lines in which two tables differ, compared one by one.
pub(super) fn differing(from: &[u8], to: &[u8]) -> Vec<Line> {
    let lines = |table| str::from_utf8(table).unwrap().split_inclusive('\n').collect::<Vec<_>>();
    let key = |line: &&str| line.split('\t').next().unwrap().to_owned();
    let (from, to, mut differing) = (lines(from), lines(to), Vec::new());
    let (mut old, mut new) = (0, 0);
    while old < from.len() || new < to.len() {
        let [gone, come] = [from.get(old), to.get(new)];
        let first = gone.map(key).into_iter().chain(come.map(key)).min();
        let [gone, come] = [gone, come].map(|line| line.filter(|line| Some(key(line)) == first));
        if gone != come {
            let [gone, come] = [gone, come].map(|line| line.map(|line| (*line).to_owned()));
            differing.push((old as u64 + 1, new as u64 + 1, gone, come));
        }
        (old, new) = (old + usize::from(gone.is_some()), new + usize::from(come.is_some()));
    }
    differing
}

#[test]
fn each_line_that_changes_is_shown_where_it_stands() {
    let from = table(&[("a", "1"), ("b", "1"), ("c", "1"), ("e", "1")]);
    let to = table(&[("b", "1"), ("c", "2"), ("d", "1"), ("e", "1"), ("f", "1")]);
    let (packed, _) = between(&from, &to);
    let line = |line: &str| Some(line.to_owned());
    let want = vec![
        (1, 1, line("a\t1\n"), None),
        (3, 2, line("c\t1\n"), line("c\t2\n")),
        (4, 3, None, line("d\t1\n")),
        (5, 5, None, line("f\t1\n")),
    ];
    assert_eq!(differing(&from, &to), want);
    assert_eq!(shown(&from, &packed, &to), want);
}

/// What may happen to a line.
type Way = fn(&mut Table, u32);

fn key(number: u32) -> String {
    format!("user{number:08}@example.org")
}

#[test]
fn a_line_at_the_border_of_a_piece_is_shown_where_it_stands() {
    let number = |line: &[u8]| str::from_utf8(&line[4..12]).unwrap().parse::<u32>().unwrap();
    let from: Table = (1..200).map(|number| (key(number * 4), "x".repeat(1 << 12))).collect();
    let octets = text(&from);
    // The last line of each piece, and the first.
    let (mut pieces, mut borders) = (Pieces::new(&octets[..]), Vec::new());
    loop {
        let lines = pieces.lines().unwrap();
        let Some(last) = pieces::last_line(lines) else { break };
        borders.push([number(last), number(lines)]);
        let octets = lines.len();
        pieces.pass(octets);
    }
    assert!(borders.len() > 3, "{borders:?}");
    // Whatever may happen to the one, with whatever may happen to the other.
    let ways: [Way; 4] = [
        |table, number| drop(table.remove(&key(number))),
        |table, number| drop(table.insert(key(number), "changed".to_owned())),
        |table, number| drop(table.insert(key(number - 1), "added".to_owned())),
        |table, number| drop(table.insert(key(number + 1), "added".to_owned())),
    ];
    for (at_end, at_begin) in ways.iter().flat_map(|last| ways.iter().map(move |first| (last, first))) {
        let mut to = from.clone();
        for [last, first] in &borders {
            at_end(&mut to, *last);
            at_begin(&mut to, *first);
        }
        let to = text(&to);
        let want = differing(&octets, &to);
        assert_eq!(want.len(), 2 * borders.len());
        assert!(shown(&octets, &between(&octets, &to).0, &to) == want);
    }
}
