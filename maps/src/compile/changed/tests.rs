//! Texts and what was made of them: changed in place, or compiled anew.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::text;
use super::*;
use crate::artifact::{Container, Exact};
use crate::grammar::Words;
use crate::name::MapName;

/// What a compiler makes of a text, and whether each key stands in it once; none when something is wrong with it.
fn compiled(text: &[u8]) -> Option<(Vec<u8>, bool)> {
    let words = Words::default();
    let (builder, bad) = text::read(text, &Grammar::new(MapName::VirtualAlias, &words));
    let built = builder.finish().ok().filter(|_| bad.kept.is_empty())?;
    Some((built.to_bytes().unwrap(), built.repeated().total == 0))
}

/// The same by way of what changed since another text.
fn merged(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    merged_by(old, |base, grammar| between(base, old, new, grammar))
}

fn merged_by(
    old: &[u8],
    changed: impl FnOnce(&Layered, &mut Grammar<'_>) -> Option<Since<'static>>,
) -> Option<Vec<u8>> {
    let (octets, true) = compiled(old)? else { return None };
    let base = Layered::from(Exact::open(Container::open(octets.into()).unwrap()).unwrap());
    let words = Words::default();
    let changed = changed(&base, &mut Grammar::new(MapName::VirtualAlias, &words))?;
    let out = std::io::Cursor::new(Vec::new());
    let since = base.since_base(changed).unwrap();
    let merged = since.merge(base.base(), out).unwrap().into_inner();
    assert_eq!(since.keys, Container::open(merged.clone().into()).unwrap().head().records);
    Some(merged)
}

fn assert_merges(old: &str, new: &str) {
    let (want, _) = compiled(new.as_bytes()).unwrap();
    let have = merged(old.as_bytes(), new.as_bytes());
    assert!(have.is_some_and(|have| have == want), "{old:?} to {new:?}");
}

fn users(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("user{number:05}@example.org\tbox{}@example.net\n", number % 7)).collect()
}

#[test]
fn lines_that_come_go_and_change_make_the_table_that_a_compiler_makes() {
    let old = users(0..3_000);
    assert_merges(&old, &old);
    assert_merges(&old, &format!("alias@example.org\tbox1@example.net\n{old}"));
    assert_merges(&old, &format!("{old}zoe@example.org\tbox1@example.net"));
    assert_merges(&old, &old[..old.len() - 1]);
    assert_merges(&old[..old.len() - 1], &old);
    assert_merges(&old, &users(200..3_000));
    assert_merges(&old, &users(0..2_800));
    assert_merges(&old, &(users(0..1_000) + &users(1_100..3_000)));
    assert_merges(&(users(0..1_000) + &users(1_100..3_000)), &old);
    assert_merges(&old, &old.replace("user00007@example.org\tbox0", "User00007@Example.org  new"));
    assert_merges(&old, &old.replace("\nuser01000", "\n# why\n\nuser01000"));
    assert_merges(
        &old,
        &old.replace("box2@example.net\nuser01500", "box2@example.net,\n one@example.net\n# why\nuser01500"),
    );
    // In no order.
    let mixed = users(2_000..3_000) + &users(0..2_000);
    assert_merges(&mixed, &mixed.replace("user00500@example.org\tbox3", "first@example.org\tbox3"));
    assert_merges(&mixed, &mixed.replace("user02500@example.org\tbox1@example.net\n", ""));
    assert_merges(&mixed, &(users(0..10) + &mixed.replace(&users(0..10), "")));
}

#[test]
fn what_cannot_be_seen_from_some_lines_is_left_to_a_compiler() {
    let old = format!(
        "a@example.org one@example.net\n# why\nb@example.org two@example.net,\n  three@example.net\n{}",
        users(0..3_000)
    );
    let nothing = |new: &str| assert!(merged(old.as_bytes(), new.as_bytes()).is_none(), "{new:.80}");
    // An entry that goes on, over the border of what changed.
    nothing(&old.replacen("b@example.org two@example.net,\n", "", 1));
    nothing(&old.replacen("user00300", "  , three@example.net\nuser00300", 1));
    nothing(&old.replacen("# why", "  , three@example.net", 1));
    // A key that is there already.
    nothing(&format!("{old}A@example.ORG one@example.net\n"));
    nothing(&old.replacen("# why", "User00300@example.org box@example.net", 1));
    nothing(&format!("{old}z@example.org box@example.net\nZ@example.org box@example.net\n"));
    // What no compiler takes.
    nothing(&format!("{old}z@example.org \"box\n"));
    nothing(&format!("{old}z@example.org\n"));
    nothing(&old.replacen("# why", "# \u{7}why\n\u{7}", 1));
    // Too much.
    nothing(&users(5_000..9_000));
    nothing(&"\n".repeat(100_000));
    nothing(&format!("{}{old}", "#\n".repeat(3_000)));
    nothing(&(old.clone() + &format!("#{}\n", "-".repeat((1 << 20) - 1)).repeat(64)));
}

#[test]
fn of_ten_lines_two_may_differ() {
    let old = users(0..10_000);
    let new = |lines| users(0..lines).replace("\tbox", "\tbag") + &users(lines..10_000);
    assert_merges(&old, &new(2_000));
    assert!(merged(old.as_bytes(), new(2_001).as_bytes()).is_none());
}

#[test]
fn a_mark_belongs_to_no_line() {
    let mark = |text: &str| format!("\u{feff}{text}");
    let old = users(0..3_000);
    assert_merges(&old, &mark(&old));
    assert_merges(&mark(&old), &old);
    assert_merges(&mark(&old), &mark(&format!("alias@example.org\tbox1@example.net\n{old}")));
    assert_merges(&mark(&old), &mark(&users(1..3_000)));
    // In the middle it is a character as any.
    let marked_within = old.replace("user02000", "\u{feff}user02000");
    for new in [users(3_000..3_001) + &mark(&old), mark(&mark(&old)), marked_within] {
        let want = compiled(new.as_bytes()).map(|(octets, _)| octets);
        for old in [&old, &mark(&old)] {
            let have = merged(old.as_bytes(), new.as_bytes());
            assert!(have.is_none() || have == want, "{old:.40?} to {new:.40?}");
        }
    }
}

#[test]
fn a_base_that_is_of_another_text_is_not_used() {
    let (old, other) = (users(0..3_000), users(1..3_001));
    let (octets, _) = compiled(other.as_bytes()).unwrap();
    let base = Layered::from(Exact::open(Container::open(octets.into()).unwrap()).unwrap());
    let words = Words::default();
    let mut grammar = Grammar::new(MapName::VirtualAlias, &words);
    let new = old.replace("user00007", "user10007");
    assert!(between(&base, old.as_bytes(), new.as_bytes(), &mut grammar).is_none());
}

/// Lines of few different keys, so that some stand there twice; some go on, or say nothing.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (0..60_u32, 0..3_u32).prop_map(|(key, value)| format!("user{key:02}@example.org box{value}@example.net")),
        1 => (0..60_u32).prop_map(|key| format!("USER{key:02}@example.org\tbox0@example.net")),
        1 => (0..60_u32).prop_map(|key| format!("\u{feff}user{key:02}@example.org box0@example.net")),
        1 => (0..60_u32).prop_map(|key| format!("user{key:02}@example.org box1@example.net\r")),
        1 => Just("# a comment".to_owned()),
        1 => Just(String::new()),
        1 => Just("  , more@example.net".to_owned()),
        1 => Just("bad".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = Vec<String>> {
    (proptest::collection::vec(line(), 0..16), any::<bool>()).prop_map(|(mut lines, sorted)| {
        if sorted {
            lines.retain(|line| line.starts_with("user"));
            lines.sort();
            lines.dedup_by(|one, other| one[..6] == other[..6]);
        }
        lines
    })
}

/// Where a text is changed, how many lines go there, and what comes.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, Vec<String>)>> {
    let edit = (0..16_usize, 0..3_usize, proptest::collection::vec(line(), 0..2));
    proptest::collection::vec(edit, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_comes_of_a_change_is_what_a_compiler_makes(old in text(), edits in edits(), end in any::<bool>()) {
        let mut new = old.clone();
        for (at, gone, come) in edits {
            let at = at.min(new.len());
            let gone = gone.min(new.len() - at);
            new.splice(at..at + gone, come);
        }
        let joined = |lines: &[String]| lines.join("\n") + if end { "\n" } else { "" };
        let (old, new) = (joined(&old), joined(&new));
        if let Some(octets) = merged(old.as_bytes(), new.as_bytes()) {
            let want = compiled(new.as_bytes());
            prop_assert!(want.is_some_and(|(want, once)| once && want == octets), "{:?} to {:?}", old, new);
        }
    }

    #[test]
    fn lines_that_are_known_are_as_good_as_those_that_are_found(old in table(), new in table()) {
        let edits = edits_between(&old, &new);
        let (old, new) = (lines(&old), lines(&new));
        let have = merged_by(old.as_bytes(), |base, grammar| by(base, &edits, grammar));
        let want = compiled(new.as_bytes()).map(|(octets, _)| octets).filter(|_| !new.is_empty());
        prop_assert!(have == want, "{:?} to {:?}", old, new);
    }
}

/// A sorted text: each key's value.
fn table() -> impl Strategy<Value = BTreeMap<u8, u8>> {
    proptest::collection::btree_map(0..40_u8, 0..3_u8, 0..40)
}

fn line_of_key(key: u8, value: u8) -> String {
    format!("user{key:02}@example.org\tbox{value}@example.net\n")
}

fn lines(table: &BTreeMap<u8, u8>) -> String {
    table.iter().map(|(key, value)| line_of_key(*key, *value)).collect()
}

fn edits_between(old: &BTreeMap<u8, u8>, new: &BTreeMap<u8, u8>) -> Edits {
    let mut edits = Edits::of([0; 32]);
    let (mut old_line, mut new_line) = (1, 1);
    for key in 0..40 {
        let line =
            |table: &BTreeMap<u8, u8>| table.get(&key).map(|value| line_of_key(key, *value).into_bytes());
        let (was, is) = (line(old), line(new));
        if was != is {
            edits.push((old_line, new_line), was.as_deref(), is.as_deref()).unwrap();
        }
        old_line += u64::from(was.is_some());
        new_line += u64::from(is.is_some());
    }
    edits.end(old_line - 1).unwrap();
    edits
}

#[test]
fn lines_that_do_not_fit_say_nothing() {
    let old = users(0..3_000);
    let line = |number: u32| users(number..number + 1).into_bytes();
    type Line = Option<Vec<u8>>;
    let said = |edits: &[(u64, u64, Line, Line)], lines: u64| {
        let mut all = Edits::of([0; 32]);
        for (old, new, removed, added) in edits {
            all.push((*old, *new), removed.as_deref(), added.as_deref()).unwrap();
        }
        all.end(lines).unwrap();
        merged_by(old.as_bytes(), |base, grammar| by(base, &all, grammar)).is_some()
    };
    let gone = (8, 8, Some(line(7)), None);
    assert!(said(std::slice::from_ref(&gone), 3_000));
    assert!(said(&[gone.clone(), (10, 9, Some(line(9)), Some(line(9)))], 3_000));
    // Other places, too few lines, or far too many.
    assert!(!said(&[(8, 9, Some(line(7)), None)], 3_000));
    assert!(!said(&[(9, 9, Some(line(7)), None)], 3_000));
    assert!(!said(&[gone.clone(), (8, 8, Some(line(8)), None)], 3_000));
    assert!(!said(std::slice::from_ref(&gone), 5));
    assert!(!said(std::slice::from_ref(&gone), 2_999));
    assert!(!said(std::slice::from_ref(&gone), 1 << 30));
    // Lines that are none by themselves.
    for added in ["  more@example.net\n", "# why\n", "\n", "\u{feff}a@example.org b@example.net\n", "bad\n"] {
        assert!(!said(&[(8, 8, Some(line(7)), Some(added.as_bytes().to_vec()))], 3_000), "{added:?}");
    }
    let long = format!("a@example.org {}\n", "b@example.net,".repeat(MAX_LINE / 14));
    assert!(!said(&[(8, 8, Some(line(7)), Some(long.into_bytes()))], 3_000));
    // All of them.
    let all: Vec<_> = (0..3_000).map(|number| (u64::from(number) + 1, 1, Some(line(number)), None)).collect();
    assert!(!said(&all, 3_000));
}
