//! Where edits go, what stays, and that nothing ends a message early.

use proptest::prelude::*;

use super::*;

const ADDED: &str = "Received: by us\r\n";
const WIRE: &str = "Subject: one\r\nX-A: 1\r\nx-a: 2\r\n folded\r\nX-A: 3\r\n\r\nhello\r\n..dot\r\n";

fn field(name: &str, value: &str) -> Field {
    Field { name: Bytes::copy_from_slice(name.as_bytes()), value: Bytes::copy_from_slice(value.as_bytes()) }
}

/// With the space that a filter leaves to us.
fn spaced(name: &str, value: &str) -> Field {
    field(name, &if value.is_empty() { String::new() } else { format!(" {value}") })
}

fn add(name: &str, value: &str) -> Edit {
    Edit::AddHeader(spaced(name, value))
}

fn insert(index: u32, name: &str, value: &str) -> Edit {
    Edit::InsHeader { index, field: spaced(name, value) }
}

fn change(index: u32, name: &str, value: &str) -> Edit {
    Edit::ChgHeader { index, field: spaced(name, value) }
}

fn message(added: &str, wire: &str) -> Message {
    Message::from_wire(&Bytes::copy_from_slice(added.as_bytes()), &Bytes::copy_from_slice(wire.as_bytes()))
}

fn edited(added: &str, wire: &str, edits: &[Edit]) -> (String, String) {
    let Edited { added, wire } = message(added, wire).apply(edits).unwrap();
    (String::from_utf8(added.into()).unwrap(), String::from_utf8(wire.into()).unwrap())
}

fn whole(edits: &[Edit]) -> String {
    let (added, wire) = edited(ADDED, WIRE, edits);
    added + &wire
}

#[test]
fn a_filter_is_shown_what_came_and_not_what_we_added() {
    let message = message(ADDED, WIRE);
    let fields: Vec<Field> = message.fields().collect();
    let expected =
        [field("Subject", " one"), field("X-A", " 1"), field("x-a", " 2\n folded"), field("X-A", " 3")];
    assert_eq!(fields, expected);
    assert_eq!(&message.body()[..], b"hello\r\n.dot\r\n");
}

#[test]
fn without_edits_nothing_changes() {
    for wire in [
        WIRE,
        "",
        "\r\n",
        "\r\nbody\r\n",
        "A: b\r\n",
        "A: b\r\n\r\n",
        "A : b\r\n\r\n..\r\n",
        "A:\r\n\r\nx\r\n",
    ] {
        assert_eq!(edited(ADDED, wire, &[]), (ADDED.to_owned(), wire.to_owned()), "{wire:?}");
    }
}

#[test]
fn added_fields_go_to_the_end_and_inserted_ones_to_their_place() {
    for (edits, expected) in [
        (vec![add("X-N", "n")], WIRE.replace("X-A: 3\r\n", "X-A: 3\r\nX-N: n\r\n").as_str()),
        (vec![insert(1, "X-N", "n")], &format!("X-N: n\r\n{WIRE}")),
        (vec![insert(2, "X-N", "n")], &WIRE.replace("X-A: 1", "X-N: n\r\nX-A: 1")),
        (vec![insert(1_000_000_000, "X-N", "n")], &WIRE.replace("X-A: 3\r\n", "X-A: 3\r\nX-N: n\r\n")),
    ] {
        assert_eq!(edited(ADDED, WIRE, &edits), (ADDED.to_owned(), expected.to_owned()), "{edits:?}");
    }
    assert_eq!(whole(&[insert(0, "X-N", "n")]), format!("X-N: n\r\n{ADDED}{WIRE}"));
    assert_eq!(
        whole(&[insert(0, "X-N", "n"), insert(0, "X-M", "m")]),
        format!("X-M: m\r\nX-N: n\r\n{ADDED}{WIRE}")
    );
}

#[test]
fn what_we_added_stays_ours_below_what_is_put_above_it() {
    let theirs = "Received: by them\r\nReceived: by others\r\n\r\n";
    let edits = [insert(0, "X-N", "n"), change(1, "Received", "gone"), change(2, "Received", "")];
    let (added, wire) = edited(ADDED, theirs, &edits);
    assert_eq!(added, format!("X-N: n\r\n{ADDED}"));
    assert_eq!(wire, "Received: gone\r\n\r\n");
    // The next filter is shown what this one gave, and still not ours.
    let next = message(ADDED, theirs).edited(&edits[..1]).unwrap();
    let names: Vec<Field> = next.fields().collect();
    let received = |by| field("Received", by);
    assert_eq!(names, [field("X-N", " n"), received(" by them"), received(" by others")]);
}

#[test]
fn changes_count_fields_of_the_name_from_one() {
    for (edits, expected) in [
        (vec![change(1, "x-A", "new")], WIRE.replace("X-A: 1", "x-A: new")),
        (vec![change(0, "X-A", "new")], WIRE.replace("X-A: 1", "X-A: new")),
        (vec![change(2, "X-A", "new\n more")], WIRE.replace("x-a: 2\r\n folded", "X-A: new\r\n more")),
        (vec![change(3, "X-A", "")], WIRE.replace("X-A: 3\r\n", "")),
        (vec![change(4, "X-A", "")], WIRE.to_owned()),
        (vec![change(4, "X-A", "4")], WIRE.replace("X-A: 3\r\n", "X-A: 3\r\nX-A: 4\r\n")),
        (vec![change(1, "X-B", "b")], WIRE.replace("X-A: 3\r\n", "X-A: 3\r\nX-B: b\r\n")),
        // What is gone is not counted any more.
        (
            vec![change(1, "X-A", ""), change(1, "X-A", "")],
            WIRE.replace("X-A: 1\r\nx-a: 2\r\n folded\r\n", ""),
        ),
        // Ours is not theirs to change.
        (vec![change(1, "Received", "")], WIRE.to_owned()),
    ] {
        assert_eq!(edited(ADDED, WIRE, &edits), (ADDED.to_owned(), expected), "{edits:?}");
    }
}

#[test]
fn a_value_may_bring_its_own_space() {
    let edits = [Edit::AddHeader(field("X", "\ty")), Edit::ChgHeader { index: 1, field: field("A", "c") }];
    let edited = message("", "A:b\r\n\r\n").apply(&edits).unwrap();
    assert_eq!(&edited.wire[..], b"A:c\r\nX:\ty\r\n\r\n");
}

#[test]
fn a_message_without_header_or_without_body_gets_what_it_needs() {
    for (wire, edits, expected) in [
        ("", vec![add("X", "y")], "X: y\r\n"),
        ("no field at all\r\n", vec![add("X", "y")], "X: y\r\n\r\nno field at all\r\n"),
        ("A: b\r\n", vec![Edit::ReplBody("new".into())], "A: b\r\n\r\nnew\r\n"),
        ("A: b\r\n\r\nold\r\n", vec![Edit::ReplBody(Bytes::new())], "A: b\r\n\r\n"),
        ("A: b", vec![add("X", "y")], "A: b\r\nX: y\r\n"),
        ("A: b\r\n\r\nold\r\n", vec![add(".X", "y")], "A: b\r\n..X: y\r\n\r\nold\r\n"),
    ] {
        assert_eq!(edited("", wire, &edits).1, expected, "{wire:?}");
    }
}

#[test]
fn m4_a_new_body_cannot_end_the_message() {
    for (body, expected) in [
        ("a\n.\nb\n", "a\r\n..\r\nb\r\n"),
        ("a\r.\rb", "a\r\n..\r\nb\r\n"),
        ("a\r\n.\r\nMAIL FROM:<>\r\n", "a\r\n..\r\nMAIL FROM:<>\r\n"),
        ("a\n.\r\nb", "a\r\n..\r\nb\r\n"),
        ("a\r\n.\rb", "a\r\n..\r\nb\r\n"),
        ("a\r\r\n.\r\r\n", "a\r\n\r\n..\r\n\r\n"),
        (".\r\n", "..\r\n"),
    ] {
        let edits = [Edit::ReplBody(Bytes::copy_from_slice(body.as_bytes()))];
        assert_eq!(
            edited("", "A: b\r\n\r\nold\r\n", &edits).1,
            format!("A: b\r\n\r\n{expected}"),
            "{body:?}"
        );
    }
    let edits = [Edit::ReplBody(Bytes::from_static(b"a\0"))];
    assert_eq!(message(ADDED, WIRE).apply(&edits), Err(NewBodyError));
}

/// Nothing that the wire takes for the end of the content, and no lone CR or LF.
fn is_safe(wire: &[u8]) -> bool {
    let behind_a_line = [b"\r\n", wire].concat();
    let pairs = memchr::memmem::find_iter(wire, b"\r\n").count();
    let ends = wire.iter().filter(|octet| **octet == b'\n').count();
    let starts = wire.iter().filter(|octet| **octet == b'\r').count();
    memchr::memmem::find(&behind_a_line, b"\r\n.\r\n").is_none() && pairs == ends && pairs == starts
}

proptest! {
    #[test]
    fn e1_a_body_from_a_filter_is_safe_on_the_wire(chunks in proptest::collection::vec("[\r\n.ab]{0,12}", 0..6)) {
        let edits: Vec<Edit> = chunks.into_iter().map(|chunk| Edit::ReplBody(chunk.into())).collect();
        let edited = message(ADDED, WIRE).apply(&edits).unwrap();
        prop_assert!(is_safe(&edited.wire), "{:?}", edited.wire);
    }

    #[test]
    fn e1_checked_edits_are_safe_on_the_wire(edits in proptest::collection::vec(
        (0u32..6, 0u8..3, "[.XA]{0,2}", "[\r\n .ab]{0,10}"), 0..6)) {
        let checked: Vec<Edit> = edits
            .iter()
            .map(|(index, kind, name, value)| match kind {
                0 => add(name, value),
                1 => insert(*index, name, value),
                _ => change(*index, name, value),
            })
            .filter_map(|edit| edit.check().ok())
            .collect();
        let Edited { added, wire } = message(ADDED, WIRE).apply(&checked).unwrap();
        let all = [added, wire].concat();
        prop_assert!(is_safe(&all), "{:?}", String::from_utf8_lossy(&all));
        prop_assert!(all.ends_with(b"\r\n\r\nhello\r\n..dot\r\n"));
    }

    #[test]
    fn dots_come_and_go(lines in proptest::collection::vec("[.ab]{0,4}", 0..8)) {
        let plain: Bytes = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect::<String>().into();
        let wire = stuffed(&plain);
        prop_assert!(is_safe(&wire));
        prop_assert_eq!(unstuffed(&wire), plain);
    }
}
