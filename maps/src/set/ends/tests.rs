//! What changed is followed, and what comes of it is what comes of following all.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::artifact::Bytes;
use crate::compile::{InMemory, Keep, Made, Read, Source, WriteSeek};
use crate::remote::Remotes;
use crate::spec::TableSpec;

/// Tables of files by their names.
struct Texts<'a>(&'a [(&'static str, String)]);

impl Read for Texts<'_> {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        let text = self.0.iter().find(|(name, _)| Path::new(name) == file).map(|(_, text)| text);
        let bytes = text.unwrap().as_bytes().to_vec().into();
        Ok(Source { map, file: file.into(), bytes, hash: None })
    }
}

/// In memory, with what was proved before.
struct After(Option<Earlier>);

impl Keep for After {
    fn keep(
        &mut self,
        made: Made,
        write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
    ) -> io::Result<Bytes> {
        InMemory.keep(made, write)
    }

    fn earlier(&mut self) -> Option<Earlier> {
        self.0.take()
    }
}

type Tables = Vec<(&'static str, String)>;

fn set(options: &MapOptions, texts: &Tables, earlier: Option<Earlier>) -> Result<MapSet, String> {
    let tables = texts.iter().map(|(name, _)| TableSpec::parse(name).unwrap()).collect();
    let tables = BTreeMap::from([(MapName::VirtualAlias, tables)]);
    let options = MapOptions { tables, ..options.clone() };
    let remotes = Remotes::unmetered(&options.remote);
    let (set, faults) = MapSet::compile(&options, &remotes, &mut Texts(texts), &mut After(earlier));
    if faults.is_empty() { Ok(set.into_inner()) } else { Err(faults.to_string()) }
}

/// What an installed set says of itself.
fn earlier(set: MapSet) -> Option<Earlier> {
    let MapSet { slots, followed, .. } = set;
    let slot = slots.into_iter().nth(MapName::VirtualAlias as usize)?;
    let Slot::Ready(chain) = slot else { return None };
    let table = |member: crate::chain::Member| {
        let identity = identity(&member.table);
        let exact = if let Table::Exact(exact) = member.table { Some(exact) } else { None };
        EarlierTable { spec: member.spec.to_string(), identity, exact }
    };
    Some(Earlier { proof: followed?.0, tables: chain.members.into_iter().map(table).collect() })
}

/// How a set is proved over another one, and the steps it is said to have; what is wrong with it if anything is. It is
/// the same as if nothing had been proved.
fn over(options: &MapOptions, old: &Tables, new: &Tables) -> Option<Result<(Followed, usize), String>> {
    let earlier = earlier(set(options, old, None).ok()?)?;
    let (over, fresh) = (set(options, new, Some(earlier)), set(options, new, None));
    Some(match (over, fresh) {
        (Ok(over), Ok(fresh)) => {
            let ((over, how), (fresh, all)) = (over.followed.unwrap(), fresh.followed.unwrap());
            assert_eq!((over.of, all), (fresh.of, Followed::All));
            assert!(over.deepest >= fresh.deepest, "{} {}", over.deepest, fresh.deepest);
            assert!(fresh.plain || !over.plain);
            Ok((how, over.deepest))
        }
        (Err(over), Err(fresh)) => {
            assert_eq!(over, fresh);
            Err(over)
        }
        (over, fresh) => panic!("{:?} {:?}", over.map(|set| set.followed), fresh.map(|set| set.followed)),
    })
}

fn one(text: &str) -> Tables {
    vec![("alias", text.to_owned())]
}

fn here() -> MapOptions {
    let here = "h.example".parse().unwrap();
    MapOptions { origin: Some(here), recipient_delimiter: "+".to_owned(), ..MapOptions::default() }
}

/// `d<from>` leads on to `d<to>`, a line each.
fn steps(from: usize, to: usize) -> String {
    (to..from).map(|number| format!("d{}@a.example d{number}@a.example\n", number + 1)).collect()
}

#[test]
fn of_whole_addresses_only_those_that_changed_are_followed() {
    let old = "a@a.example b@b.example\nc@a.example a@a.example\n@z.example d@d.example\n";
    let changed = |new: &str| over(&here(), &one(old), &one(&format!("{old}{new}"))).unwrap();
    let (followed, all) =
        (|deepest| Ok((Followed::Changed, deepest)), |deepest| Ok((Followed::All, deepest)));
    assert_eq!(changed("# nothing\n"), followed(2));
    assert_eq!(changed("x@a.example y@a.example\n"), followed(3));
    // It leads on for two steps, and something might lead on to it for two.
    assert_eq!(changed("x@a.example a@a.example\n"), followed(4));
    assert_eq!(changed("\"x y\"@a.example a@a.example\n"), followed(4));
    assert_eq!(changed("@a.example y@a.example\n"), all(2));
    assert_eq!(changed("@y.example y@b.example\n"), all(2));
    assert_eq!(changed("x x@b.example\n"), all(2));
    assert_eq!(changed("x.example anything\n"), all(2));
    assert_eq!(changed("x+y@a.example b@b.example\n"), all(2));
    assert_eq!(changed("x@a.example b+c@b.example\n"), all(2));
    assert!(changed("b@b.example c@a.example\n").unwrap_err().contains("alias:1:1: alias loop"));
    // Steps that a key had before are not counted twice.
    let edited = |new: &str| over(&here(), &one(old), &one(new)).unwrap();
    assert_eq!(edited(&old.replace("b@b", "c@b")), followed(2));
    assert_eq!(edited(old.split_inclusive('\n').skip(1).collect::<String>().as_str()), followed(2));
    // Of a table that has extensions, all are followed from then on.
    let plus = format!("x@a.example b+c@b.example\n{old}");
    assert_eq!(
        over(&here(), &one(&plus), &one(&format!("{plus}e@a.example f@a.example\n"))).unwrap(),
        all(2)
    );
    let no_delimiter = MapOptions { recipient_delimiter: String::new(), ..here() };
    let new = format!("{plus}e@a.example f@a.example\n");
    assert_eq!(over(&no_delimiter, &one(&plus), &one(&new)).unwrap(), followed(3));
}

#[test]
fn two_ways_that_became_one_are_too_long_or_measured_again() {
    let joined = |above: usize, below: usize| {
        let old = format!("{}{}", steps(above, 0), steps(100 + below, 100));
        over(&here(), &one(&old), &one(&format!("{old}d0@a.example d{}@a.example\n", 100 + below))).unwrap()
    };
    assert_eq!(joined(10, 5), Ok((Followed::Changed, 16)));
    assert_eq!(joined(20, 11), Ok((Followed::Changed, 32)));
    assert!(joined(20, 12).unwrap_err().contains("aliases lead on for more than 32 steps"));
    // What is thought to be longer than it is, is seen to be short.
    let old = format!("{}{}", steps(30, 0), steps(103, 100));
    let new = format!("{old}x@a.example d102@a.example\n");
    assert_eq!(over(&here(), &one(&old), &one(&new)), Some(Ok((Followed::All, 30))));
}

#[test]
fn many_changes_and_other_tables_are_followed_as_ever() {
    let entries = |count: usize, to: &str| -> String {
        (0..count).map(|number| format!("u{number}@a.example {to}{number}@b.example\n")).collect()
    };
    let changed = |count: usize| {
        let old = entries(20_000, "x");
        let new = entries(count, "y") + &old.split_inclusive('\n').skip(count).collect::<String>();
        over(&here(), &one(&old), &one(&new)).unwrap().unwrap().0
    };
    assert_eq!((changed(2_000), changed(2_001)), (Followed::Changed, Followed::All));

    let old = one("a@a.example b@b.example\n");
    let table = |name: &'static str, text: &str| [old.clone(), vec![(name, text.to_owned())]].concat();
    let followed = |old: &Tables, new: &Tables| over(&here(), old, new).unwrap().unwrap().0;
    assert_eq!(followed(&old, &table("more", "c@a.example d@b.example\n")), Followed::All);
    let inline = table("inline:{c@a.example=d@b.example}", "");
    assert_eq!(followed(&inline, &inline), Followed::Changed);
    for other in ["static:d@b.example", "fail:gone", "unionmap:{inline:{c@a.example=d@b.example}}"] {
        let other = table(other, "");
        assert_eq!(followed(&other, &other), Followed::All);
    }
    // Other settings ask in another way.
    let mut before = earlier(set(&here(), &old, None).unwrap()).unwrap();
    before.tables[0].exact = None;
    let elsewhere = MapOptions { propagate_unmatched_extensions: false, ..here() };
    assert_eq!(set(&elsewhere, &old, Some(before)).unwrap().followed.unwrap().1, Followed::All);
}

#[test]
fn of_few_values_each_is_looked_at_unless_one_leads_on() {
    let entries = |more: &str| -> Tables {
        let lines = (0..100).map(|number| format!("u{number}@a.example x@b.example\n"));
        one(&(lines.collect::<String>() + more))
    };
    let new = entries("y@a.example x@b.example\n");
    assert_eq!(over(&here(), &entries(""), &new), Some(Ok((Followed::All, 1))));
    let leads_on = "x@b.example x@c.example\n";
    assert_eq!(over(&here(), &entries(""), &entries(leads_on)), Some(Ok((Followed::All, 2))));
    let new = entries(&format!("{leads_on}y@a.example x@b.example\n"));
    assert_eq!(over(&here(), &entries(leads_on), &new), Some(Ok((Followed::Changed, 4))));
}

/// A line, of few words so that aliases lead on to each other.
fn line() -> impl Strategy<Value = (String, String)> {
    let user = || prop_oneof![8 => "[a-e]", 1 => "[ab]\\+[xy]", 1 => Just("\"a b\"".to_owned())];
    let host = || "[hij]".prop_map(|letter| format!("{letter}.example"));
    let whole = || (user(), host()).prop_map(|(user, host)| format!("{user}@{host}"));
    let domain = || host().prop_map(|host| format!("@{host}"));
    let key = prop_oneof![12 => whole(), 1 => domain(), 1 => user()];
    let target = || prop_oneof![12 => whole(), 2 => "[f-z]{3}@k.example", 1 => user()];
    let first = prop_oneof![12 => target(), 1 => domain()];
    let value = (first, proptest::collection::vec(target(), 0..2))
        .prop_map(|(first, more)| [vec![first], more].concat().join(", "));
    (key, value)
}

fn table(lines: &BTreeMap<String, String>) -> String {
    let lines = lines.iter().map(|(key, value)| format!("{key} {value}\n"));
    "# aliases\nnobody@nowhere.example nobody@k.example\n".to_owned() + &lines.collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn what_changed_is_wrong_where_all_is(
        old in proptest::collection::btree_map("[a-z]", line(), 0..9),
        second in proptest::collection::vec(line(), 0..3),
        added in proptest::collection::vec(line(), 0..3),
        removed in 0..3_usize,
        delimiter in prop_oneof![Just(""), Just("+")],
        propagate: bool,
    ) {
        let options = MapOptions {
            recipient_delimiter: delimiter.to_owned(),
            propagate_unmatched_extensions: propagate,
            ..here()
        };
        let old: BTreeMap<String, String> = old.into_values().collect();
        let new: BTreeMap<String, String> = old.clone().into_iter().skip(removed).chain(added).collect();
        let second = table(&second.into_iter().collect());
        let tables = |first: &BTreeMap<String, String>| vec![("alias", table(first)), ("more", second.clone())];
        over(&options, &tables(&old), &tables(&new));
        over(&options, &tables(&new), &tables(&old));
    }
}
