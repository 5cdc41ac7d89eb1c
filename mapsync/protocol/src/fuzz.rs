//! What a fuzzer is handed: messages of any octets, good ones that were changed, tables, and what changed in them.
//!
//! Ordinary code, so that the tests run it as well; `fuzz/fuzz_targets/` calls it. Not for daemons.

use std::collections::BTreeMap;
use std::io::Read;

use crate::agent::Kept;
use crate::delta::{self, DeltaError, STEPS};
use crate::envelope::{Message, Signed};
use crate::hash::Hash;
use crate::head::{File, Head};
use crate::packed::{Unpacker, pack};
use crate::path::Path;
use crate::records::{self, Reader, Record, Writer};
use crate::release::Release;
use crate::rollout::Plan;
use crate::root::Root;
use crate::status::Status;
use crate::trust::Trusted;

const HASH: &str = "blake3-0000000000000000000000000000000000000000000000000000000000000000";

/// Messages: the first octet says which one is changed by those that follow, or that they are one themselves.
///
/// # Panics
/// When what was read is another thing when it is written and read again, or names a file outside of its folder.
pub fn messages(octets: &[u8]) {
    let Some((which, octets)) = octets.split_first() else { return };
    let samples = samples();
    let octets = match samples.get(usize::from(*which)) {
        Some(sample) => changed(sample.as_bytes(), octets),
        None => octets.to_vec(),
    };
    if let Some(head) = read::<Head>(&octets) {
        for file in &head.files {
            let path = file.path.to_string();
            assert!(!path.starts_with('/') && path.split('/').all(|part| !part.starts_with('.')), "{path}");
        }
    }
    read::<Release>(&octets);
    let root = read::<Root>(&octets);
    if let Ok(signed) = Signed::from_json(&octets) {
        let again = signed.to_json().map(|octets| Signed::from_json(&octets));
        assert!(matches!(again, Ok(Ok(again)) if again == signed));
    }
    if let Ok(status) = Status::from_json(&octets) {
        let again = status.to_json().map(|octets| Status::from_json(&octets));
        assert!(matches!(again, Ok(Ok(again)) if again == status));
    }
    drop((Kept::from_json(&octets), Trusted::from_json(&octets)));
    if let Some(root) = root.or_else(|| read(&samples.into_iter().next().unwrap_or_default().into_bytes())) {
        drop(Plan::from_json(&octets, &root));
    }
}

/// A table: if it is taken, it is the one spelling of what is in it.
///
/// # Panics
/// When it is not.
pub fn table(octets: &[u8]) {
    let Ok(summary) = records::measure(octets) else { return };
    assert_eq!((summary.hash, summary.bytes), (Hash::of(octets), octets.len() as u64));
    let mut reader = Reader::new(octets);
    let mut writer = Writer::new(Vec::new(), summary.bytes);
    while let (Ok(true), Some(record)) = (reader.advance(), reader.current()) {
        assert!(writer.put(record).is_ok());
    }
    assert!(matches!(writer.finish(), Ok((again, _)) if again == octets));
}

/// What changed: three texts, parted by NUL, are a table, the lines of a change to it, and of another. Whatever is taken leads
/// to the signed table, and two changes put together do what one does after the other.
///
/// # Panics
/// When they do not, or more is unpacked than is signed.
pub fn changes(octets: &[u8]) {
    unpacks(octets);
    let mut parts = octets.splitn(3, |octet| *octet == 0);
    let [Some(first), Some(lines), more] = [parts.next(), parts.next(), parts.next()] else { return };
    let Some(mut table) = file(first) else { return };
    let mut tables = vec![first.to_vec()];
    let mut steps = Vec::new();
    for lines in [Some(lines), more].into_iter().flatten() {
        let Some(before) = tables.last() else { return };
        // The lines are a change if some table comes of them: that one is signed.
        let Some(out) = laid(before, lines) else { return };
        let Some(after) = file(&out) else { return };
        let packed = packed(lines, table.hash, after.hash);
        match applied(before, &packed, (&table, &after)) {
            Ok(applied) => assert_eq!(applied, out),
            // What is laid here without a look is no change where it contradicts the table.
            Err(_) => return,
        }
        let other = File { bytes: after.bytes.saturating_add(1), ..after.clone() };
        assert!(delta::apply(before.as_slice(), packed.as_slice(), &table, &other, Vec::new()).is_err());
        steps.push((packed, table, after.clone()));
        table = after;
        tables.push(out);
    }
    let opened = steps.iter().map(|(packed, from, to)| delta::open(packed.as_slice(), from, to));
    let Ok(opened) = opened.collect::<Result<Vec<_>, _>>() else { return };
    assert!(opened.len() <= STEPS);
    let (Some((_, from, _)), Some(last)) = (steps.first(), tables.last()) else { return };
    let whole =
        delta::compose(opened, Vec::new()).and_then(|(whole, _)| applied(first, &whole, (from, &table)));
    assert!(matches!(&whole, Ok(whole) if whole == last), "{whole:?}");
}

/// Lays a change over a table. What is shown of it on the way leads from the one's lines to the other's as well.
fn applied(table: &[u8], packed: &[u8], between: (&File, &File)) -> Result<Vec<u8>, DeltaError> {
    let (mut old, mut new) = (table.split_inclusive(|octet| *octet == b'\n'), Vec::<u8>::new());
    // The lines that stand next, counted as those do that are shown.
    let (mut from, mut to) = (1, 1);
    let mut is_true = true;
    let out = delta::apply_seen(table, packed, between, Vec::new(), |edit| {
        for line in old.by_ref().take(usize::try_from(edit.old.saturating_sub(from)).unwrap_or(usize::MAX)) {
            new.extend_from_slice(line);
            (from, to) = (from + 1, to + 1);
        }
        is_true &= (from, to) == (edit.old, edit.new);
        if edit.removed.is_some() {
            is_true &= old.next() == edit.removed;
            from += 1;
        }
        if let Some(Record { key, value }) = edit.added {
            new.extend([key, "\t", value, "\n"].concat().into_bytes());
            to += 1;
        }
    })?;
    old.for_each(|line| new.extend_from_slice(line));
    assert!(is_true && new == out);
    Ok(out)
}

/// Any octets as a frame: no more comes out than may.
fn unpacks(octets: &[u8]) {
    const MOST: u64 = 4096;
    let Ok(frame) = Unpacker::new(octets, MOST) else { return };
    let mut out = Vec::new();
    let end = frame.take(MOST * 2).read_to_end(&mut out);
    assert!(end.is_err() || out.len() as u64 <= MOST);
}

fn read<M: Message + PartialEq + std::fmt::Debug>(octets: &[u8]) -> Option<M> {
    let message: M = serde_json::from_slice(octets).ok()?;
    // Whatever keeps the rules can be signed, and is read again as the same.
    let signed = Signed::new(&message).ok()?;
    let again = signed.read::<M>();
    assert!(matches!(&again, Ok(again) if *again == message), "{again:?}");
    Some(message)
}

/// A sample with octets replaced, put in and taken out: four octets say what and where.
fn changed(sample: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut octets = sample.to_vec();
    for change in changes.chunks_exact(4) {
        let [what, high, low, octet] = *change else { break };
        let at = usize::from(u16::from_be_bytes([high, low])) % octets.len().max(1);
        match what % 3 {
            0 => octets.insert(at.min(octets.len()), octet),
            1 if !octets.is_empty() => drop(octets.remove(at)),
            _ => octets.iter_mut().skip(at).take(1).for_each(|old| *old = octet),
        }
    }
    octets
}

/// One of each message, as they are written.
fn samples() -> Vec<String> {
    let role = r#"{"keys":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],"threshold":1}"#;
    let root = format!(
        r#"{{"environment":"live","version":1,"expires":9,"roles":{{"root":{role},"push":{role},"release":{role}}}}}"#
    );
    let file =
        |path: &str| format!(r#"{{"path":"{path}","kind":"records","hash":"{HASH}","bytes":4,"records":1}}"#);
    let head = format!(
        r#"{{"environment":"live","generation":2,"previous":"{HASH}","created":1,"expires":9,"author":"ann","note":"","files":[{},{}]}}"#,
        file("maps/a"),
        file("maps/b")
    );
    let release = format!(
        r#"{{"environment":"live","sequence":1,"generation":2,"head":"{HASH}","permille":10,"canaries":["mx1"],"halted":false,"undo":false,"expires":9}}"#
    );
    let name = format!(r#"{{"generation":2,"hash":"{HASH}"}}"#);
    let status = format!(
        r#"{{"environment":"live","host":"mx1","role":"mx","site":"here","version":"1","nonce":1,"at":1,"progress":{{"release":1,"wanted":{name},"staged":null,"active":null,"previous":null,"state":"settled","reason":null}},"counters":{{"taken":0,"rejected":0,"deferred":0,"bounced":0,"differing":0,"deaths":0}},"disk_free":1}}"#
    );
    let signed =
        r#"{"payload":"e30=","payloadType":"application/vnd.switchyard.release.v1+json","signatures":[]}"#;
    let plan = format!(r#"{{"steps":[{signed}],"halt":{signed},"undo":{signed}}}"#);
    let trusted = format!(
        r#"{{"root":{root},"heads":[{{"head":{name},"previous":null}}],"forked":0,"released":{name},"release":{{"sequence":1,"hash":"{HASH}"}}}}"#
    );
    let kept = format!(r#"{{"trusted":{trusted},"flip":null,"refusals":[],"anew":false}}"#);
    vec![root, head, release, status, signed.to_owned(), plan, trusted, kept]
}

fn file(table: &[u8]) -> Option<File> {
    let path = Path::try_from("maps/a".to_owned()).ok()?;
    Some(File::table(path, records::measure(table).ok()?))
}

fn packed(lines: &[u8], from: Hash, to: Hash) -> Vec<u8> {
    let mut octets = format!("switchyard-delta-1 {from} {to}\n").into_bytes();
    octets.extend_from_slice(lines);
    pack(&octets).unwrap_or_default()
}

/// A table with lines of a delta laid over it, without a look whether they may.
fn laid(table: &[u8], lines: &[u8]) -> Option<Vec<u8>> {
    let text = |octets| str::from_utf8(octets).ok();
    let mut entries: BTreeMap<&str, &str> =
        text(table)?.split_terminator('\n').filter_map(|line| line.split_once('\t')).collect();
    for line in text(lines)?.split_terminator('\n') {
        match (line.get(..1)?, line.get(1..)?) {
            ("-", key) => drop(entries.remove(key)),
            (_, entry) => {
                let (key, value) = entry.split_once('\t')?;
                entries.insert(key, value);
            }
        }
    }
    Some(entries.iter().flat_map(|(key, value)| [key, "\t", value, "\n"]).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_good_and_what_is_made_of_them_is_read_or_refused() {
        let samples = samples();
        let [root, head, release, status, signed, plan, trusted, kept] = samples.as_slice() else { panic!() };
        let root = read::<Root>(root.as_bytes());
        assert!(read::<Head>(head.as_bytes()).is_some() && read::<Release>(release.as_bytes()).is_some());
        Status::from_json(status.as_bytes()).unwrap();
        Signed::from_json(signed.as_bytes()).unwrap();
        Trusted::from_json(trusted.as_bytes()).unwrap();
        Kept::from_json(kept.as_bytes()).unwrap();
        let refused = Plan::from_json(plan.as_bytes(), &root.unwrap()).unwrap_err();
        assert!(refused.to_string().contains("signatures"), "{refused}");
    }

    #[test]
    fn changes_are_seen_through() {
        changes(b"a\t1\nb\t1\n\0=a\t2\n-b\n+c\t1\n\0+b\t1\n-c\n");
        changes(b"a\t1\n\0+a\t2\n");
        changes(&pack(&[0; 5000]).unwrap());
        table(b"a\t1\nb\t\n");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_end_in_an_answer(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..300), which in 0_u8..9) {
            messages(&[&[which], octets.as_slice()].concat());
            table(&octets);
            changes(&octets);
        }
    }
}
