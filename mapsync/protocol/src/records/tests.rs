use super::*;

fn table(text: &str) -> Result<Summary, String> {
    measure(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_table_is_measured_only_in_its_one_spelling() {
    let good = "@example.com\trelay:[mx1]\na b\tc\nz\t\n";
    let summary = Summary { hash: Hash::of(good.as_bytes()), bytes: good.len() as u64, records: 3 };
    assert_eq!(table(good), Ok(summary));
    assert_eq!(table("").map(|summary| summary.records), Ok(0));
    for (bad, why) in [
        ("b\t1\na\t2\n", "line 2: its key is not in its order, or twice"),
        ("a\t1\na\t2\n", "line 2: its key is not in its order, or twice"),
        ("a\t1\na\t1\n", "line 2: its key is not in its order, or twice"),
        ("a 1\n", "line 1: a record is a key, a tab and a value"),
        ("\t1\n", "line 1: a key begins with something else than a blank or \"#\""),
        ("#a\t1\n", "line 1: a key begins with something else than a blank or \"#\""),
        (" a\t1\n", "line 1: a key begins with something else than a blank or \"#\""),
        ("a\t1\t2\n", "line 1: a value has no control characters"),
        ("a\t1\r\n", "line 1: a value has no control characters"),
        ("a\0b\t1\n", "line 1: a key has no control characters"),
        ("a\t1\n\n", "line 2: a record is a key, a tab and a value"),
        ("a\t1", "line 1: it has no end"),
    ] {
        assert_eq!(table(bad), Err(why.to_owned()), "{bad:?}");
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let mut writer = Writer::new(Vec::new(), 12);
    writer.put(Record { key: "a", value: "1" }).unwrap();
    let long = "x".repeat(LONGEST);
    let mut wrong = |key, value| writer.put(Record { key, value }).unwrap_err().to_string();
    assert_eq!(wrong("a", "2"), "\"a\": its key is not in its order, or twice");
    assert_eq!(wrong("b\tc", "2"), "\"b\\tc\": a key has no control characters");
    assert_eq!(wrong("b", "2\n"), "\"b\": a value has no control characters");
    assert_eq!(wrong("b", &long), "\"b\": the record is too long");
    assert_eq!(wrong("b", "1234567"), "more than 12 octets");
    // What was refused has left nothing behind.
    writer.put(Record { key: "b", value: "12345" }).unwrap();
    let (octets, summary) = writer.finish().unwrap();
    assert_eq!(octets, b"a\t1\nb\t12345\n");
    assert_eq!(measure(octets.as_slice()).unwrap(), summary);
    // What no delta could name is no table either.
    let line = |length| format!("a\t{}\n", "x".repeat(length - 2));
    assert!(measure(line(LONGEST - 1).as_bytes()).is_ok());
    assert!(measure(line(LONGEST).as_bytes()).unwrap_err().to_string().ends_with("the record is too long"));
}

#[test]
fn a_table_is_written_in_pieces_of_one_length_each_in_its_place() {
    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);
    impl Write for Pieces {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.push(octets.to_vec());
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let line = |number: usize| format!("key{number:06}\tvalue\n");
    // Some come one by one, some as they lie, some more at once than a piece has.
    let [first, few, many] =
        [0..9, 9..20_000, 20_000..80_000].map(|lines| lines.map(line).collect::<String>());
    let mut writer = Writer::new(Pieces::default(), u64::MAX);
    let mut reader = Reader::new(first.as_bytes());
    while reader.advance().unwrap() {
        writer.put(reader.current().unwrap()).unwrap();
    }
    [&few, &many].iter().for_each(|lines| writer.pass_lines(lines.as_bytes()).unwrap());
    let (Pieces(pieces), summary) = writer.finish().unwrap();
    let (last, whole) = pieces.split_last().unwrap();
    assert!(whole.len() > 3 && whole.iter().all(|piece| piece.len() == PIECE) && last.len() < PIECE);
    let octets = first + &few + &many;
    assert_eq!(pieces.concat(), octets.as_bytes());
    assert_eq!(summary, measure(octets.as_bytes()).unwrap());
}
