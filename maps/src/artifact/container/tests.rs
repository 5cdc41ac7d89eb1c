//! Files as they should be, and every way to damage one (reliability: G2).

use proptest::prelude::*;

use super::*;
use crate::artifact::Bytes;

const HEAD_OF_GOOD: Head = Head { flags: 5, records: 3, seed: 7 };

fn good() -> Vec<u8> {
    assemble(Kind::Cidr, HEAD_OF_GOOD, &[(*b"aaaa", b"first"), (*b"none", b""), (*b"bbbb", &[9; 200])])
        .unwrap()
}

fn open(octets: &[u8]) -> Result<Container, BadArtifact> {
    Container::open(octets.to_vec().into())
}

/// Changes the head's octets and makes its check fit again, as a forger would.
fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut octets = good();
    change(&mut octets);
    forge::reseal_head(&mut octets);
    octets
}

#[test]
fn what_was_written_is_read() {
    let container = open(&good()).unwrap();
    assert_eq!((container.kind(), container.head()), (Kind::Cidr, HEAD_OF_GOOD));
    assert_eq!(container.section(b"aaaa"), Some(&b"first"[..]));
    assert_eq!(container.section(b"none"), Some(&b""[..]));
    assert_eq!(container.section(b"bbbb"), Some(&[9; 200][..]));
    assert_eq!(container.section(b"cccc"), None);
    assert!(container.range(b"bbbb").unwrap().start.is_multiple_of(ALIGN));
    container.verify().unwrap();
}

#[test]
fn the_same_sections_give_the_same_octets_and_another_section_another_identity() {
    assert_eq!(good(), good());
    let other = assemble(Kind::Cidr, HEAD_OF_GOOD, &[(*b"aaaa", b"firs7")]).unwrap();
    assert_ne!(open(&good()).unwrap().identity(), open(&other).unwrap().identity());
}

#[test]
fn a_section_longer_than_the_buffer_in_pieces_of_every_size_is_the_same() {
    let octets: Vec<u8> = (0..700_000_u32).map(|number| number as u8).collect();
    let whole = assemble(Kind::Exact, Head::default(), &[(*b"long", &octets)]).unwrap();
    for piece in [1_000, 262_144, 300_000] {
        let mut writer = Writer::new(std::io::Cursor::new(Vec::new()), Kind::Exact, 1).unwrap();
        let fill = |section: &mut SectionWriter<'_, _>| {
            octets.chunks(piece).try_for_each(|piece| std::io::Write::write_all(section, piece))?;
            Ok(section.len())
        };
        assert_eq!(writer.section(*b"long", fill).unwrap(), 700_000);
        assert!(writer.finish(Head::default()).unwrap().into_inner() == whole, "{piece}");
    }
    open(&whole).unwrap().verify().unwrap();
}

#[test]
fn a_writer_takes_the_sections_it_was_promised() {
    let empty = || std::io::Cursor::new(Vec::new());
    assert!(Writer::new(empty(), Kind::Exact, MOST_SECTIONS + 1).is_err());
    assert!(Writer::new(empty(), Kind::Exact, 1).unwrap().finish(Head::default()).is_err());
    assert!(Writer::new(empty(), Kind::Exact, 0).unwrap().section(*b"more", |_| Ok(())).is_err());
}

#[test]
fn g2_a_zero_length_file_and_every_truncated_one_are_errors() {
    let good = good();
    for length in 0..good.len() {
        let error = open(&good[..length]).unwrap_err();
        let whole_head = length >= HEAD + 3 * ENTRY;
        assert_eq!(matches!(error, BadArtifact::Short(_)), !whole_head, "{length}: {error}");
        assert_eq!(matches!(error, BadArtifact::Length { .. }), whole_head, "{length}: {error}");
    }
}

#[test]
fn g2_every_flipped_bit_is_found_by_open_or_by_verify() {
    let good = good();
    for place in 0..good.len() * 8 {
        let mut damaged = good.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        let outcome = open(&damaged).and_then(|container| container.verify());
        assert!(outcome.is_err(), "bit {place}");
        let in_the_head = place / 8 < HEAD + 3 * ENTRY;
        assert_eq!(open(&damaged).is_err(), in_the_head, "bit {place}");
    }
}

#[test]
fn g2_another_version_and_swapped_ends_are_said_as_such() {
    let of_version = |version: u16| forged(|octets| octets[4..6].copy_from_slice(&version.to_le_bytes()));
    assert_eq!(open(&of_version(0)).unwrap_err(), BadArtifact::Version(0));
    for other in [VERSION - 1, VERSION + 1] {
        assert_eq!(open(&of_version(other)).unwrap_err(), BadArtifact::Version(other));
    }
    // What a machine of the other end would have written.
    assert_eq!(open(&of_version(VERSION.swap_bytes())).unwrap_err(), BadArtifact::Version(1024));
    let swapped = forged(|octets| octets[32..40].reverse());
    assert!(matches!(open(&swapped).unwrap_err(), BadArtifact::Length { .. }));
}

#[test]
fn g2_a_forged_head_is_refused_field_by_field() {
    let number =
        |at: usize, number: u64| forged(|octets| octets[at..at + 8].copy_from_slice(&number.to_le_bytes()));
    let second = HEAD + ENTRY;
    for octets in [
        forged(|octets| octets[0] = b'S'),
        forged(|octets| octets[6] = 0),
        forged(|octets| octets[6] = 5),
        forged(|octets| octets[7] = 2),
        forged(|octets| octets[12] = 1),
        number(32, 0),
        number(32, u64::MAX),
        // The table: names twice, reserved octets, offsets and lengths.
        forged(|octets| octets.copy_within(HEAD..HEAD + 4, second)),
        forged(|octets| octets[second + 4] = 1),
        number(second + 8, 0),
        number(second + 8, u64::MAX),
        number(second + 16, u64::MAX),
        number(second + 16, 100_000),
        number(HEAD + 2 * ENTRY + 16, 199),
    ] {
        assert!(open(&octets).is_err());
    }
    let longer = [&good()[..], b"x"].concat();
    assert!(matches!(open(&longer).unwrap_err(), BadArtifact::Length { .. }));
}

#[test]
fn forged_hashes_fit() {
    let mut octets = good();
    forge::reseal(&mut octets);
    assert_eq!(octets, good());
    let last = octets.len() - 1;
    octets[last] = 1;
    assert!(open(&octets).unwrap().verify().is_err());
    forge::reseal(&mut octets);
    open(&octets).unwrap().verify().unwrap();
}

#[test]
fn a_map_is_reopened_only_over_its_own_octets() {
    let container = open(&good()).unwrap();
    assert_eq!(container.reopen(good().into()).unwrap().identity(), container.identity());
    let other = assemble(Kind::Cidr, Head::default(), &[]).unwrap();
    assert!(container.reopen(Bytes::from(other)).is_err());
}

proptest! {
    #[test]
    fn g2_no_octets_make_opening_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(container) = open(&octets) {
            let _ = container.verify();
        }
    }

    #[test]
    fn g2_no_forged_head_makes_opening_panic(
        changes in proptest::collection::vec((0..HEAD + 3 * ENTRY, any::<u8>()), 1..6),
    ) {
        let octets = forged(|octets| changes.iter().for_each(|(at, octet)| octets[*at] = *octet));
        if let Ok(container) = open(&octets) {
            let _ = container.verify();
        }
    }
}
