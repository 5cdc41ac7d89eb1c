//! `postmap -q` as oracle: tables of every kind Postfix has, made by chance, and 50,000 questions that it and we
//! answer alike. What differs on purpose stands in `difference.rs` and in `docs/map-differences.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use switchyard_maps::TableSpec;
use switchyard_maps::query::{RawAnswer, RawTable};
use switchyard_tests::peer::lookup::{Lookup, Protocol};
use switchyard_tests::peer::postmap::{Postmap, Program, Said};
use switchyard_tests::tables::pattern::Dialect;
use switchyard_tests::tables::{Table, chain, chance, exact, network, pattern, seed, words};

/// Tables of a kind, and questions of each.
type Share = (usize, usize);

const EXACT: Share = (10, 420);
const REGEXP: Share = (30, 420);
const PCRE: Share = (30, 420);
const CIDR: Share = (40, 600);
const ALIASES: Share = (8, 300);
const WORDS: Share = (60, 40);
const SERVERS: Share = (1, 600);

/// All that is asked: five kinds are exact, two stand in words, and two are servers.
const ALL: usize = 5 * EXACT.0 * EXACT.1
    + REGEXP.0 * REGEXP.1
    + PCRE.0 * PCRE.1
    + CIDR.0 * CIDR.1
    + ALIASES.0 * ALIASES.1
    + 2 * WORDS.0 * WORDS.1
    + 2 * SERVERS.0 * SERVERS.1;
const _: () = assert!(ALL >= 50_000);

/// What came of one kind.
struct Tally {
    kind: &'static str,
    tables: usize,
    questions: usize,
    found: usize,
    wrong: String,
}

impl Tally {
    fn new(kind: &'static str) -> Self {
        Self { kind, tables: 0, questions: 0, found: 0, wrong: String::new() }
    }

    /// Asks both, and notes where they differ.
    fn compare(&mut self, theirs: &BTreeMap<&str, String>, ours: &RawTable, keys: &[String], table: &str) {
        self.tables += 1;
        for key in keys {
            let expected = theirs.get(key.as_str());
            let said = match ours.query(key) {
                RawAnswer::Found { value, .. } => Some(value),
                RawAnswer::NotFound => None,
                RawAnswer::Unavailable(why) => panic!("{key}: {why}\n{table}"),
            };
            self.note(key, expected, said.as_ref(), table);
        }
    }

    fn note(&mut self, key: &str, expected: Option<&String>, said: Option<&String>, table: &str) {
        self.questions += 1;
        self.found += usize::from(expected.is_some());
        if expected != said {
            if !self.wrong.contains(table) {
                let _ = writeln!(self.wrong, "--- {} {}\n{table}\n---", self.kind, self.tables);
            }
            let _ = writeln!(self.wrong, "{key}: Postfix {expected:?}, we {said:?}");
        }
    }

    /// All alike, as many as there should be, and both found and not.
    fn end(self, share: Share) {
        let Self { kind, tables, questions, found, wrong } = self;
        println!("{kind}: {tables} tables, {questions} questions, {found} found; seed {}", seed());
        assert!(wrong.is_empty(), "seed {}:\n{wrong}", seed());
        assert_eq!((tables, questions), (share.0, share.0 * share.1), "{kind}");
        assert!(found * 10 > questions && found < questions, "{kind}: {found} of {questions} found");
    }
}

fn open(oracle: &Postmap, word: &str, text: &str) -> RawTable {
    let spec = TableSpec::parse(word).unwrap_or_else(|wrong| panic!("{word}: {wrong:?}"));
    RawTable::open(&spec, oracle.folder()).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// A source in a file, which Postfix reads as it is, or makes a database of first.
fn file(oracle: &Postmap, kind: &str, made: Option<Program>, ours: &str, table: &Table, tally: &mut Tally) {
    let path = oracle.write("table", &table.text);
    let program = made.unwrap_or(Program::Postmap);
    if made.is_some() {
        let warnings = oracle.compile(program, kind, &path);
        assert!(warnings.is_empty(), "{warnings}\n{}", table.text);
    }
    let theirs = oracle.ask(program, &format!("{kind}:{}", path.display()), &table.keys, &[]);
    let ours = open(oracle, &format!("{ours}:table"), &table.text);
    tally.compare(&theirs, &ours, &table.keys, &table.text);
}

fn exact(kind: &'static str, made: Option<Program>) {
    let (oracle, mut tally) = (Postmap::new(), Tally::new(kind));
    for number in 0..EXACT.0 {
        let table = exact::source(&mut chance(kind, number), 200, EXACT.1);
        file(&oracle, kind, made, kind, &table, &mut tally);
    }
    tally.end(EXACT);
}

#[test]
fn hash() {
    exact("hash", Some(Program::Postmap));
}

#[test]
fn btree() {
    exact("btree", Some(Program::Postmap));
}

#[test]
fn lmdb() {
    exact("lmdb", Some(Program::Postmap));
}

#[test]
fn cdb() {
    exact("cdb", Some(Program::Postmap));
}

#[test]
fn texthash() {
    exact("texthash", None);
}

#[test]
fn aliases() {
    let (oracle, mut tally) = (Postmap::new(), Tally::new("aliases"));
    for number in 0..ALIASES.0 {
        let table = exact::aliases(&mut chance("aliases", number), 60, ALIASES.1);
        file(&oracle, "hash", Some(Program::Postalias), "aliases", &table, &mut tally);
    }
    tally.end(ALIASES);
}

#[test]
fn cidr() {
    let (oracle, mut tally) = (Postmap::new(), Tally::new("cidr"));
    for number in 0..CIDR.0 {
        let table = network::source(&mut chance("cidr", number), 60, CIDR.1);
        file(&oracle, "cidr", None, "cidr", &table, &mut tally);
    }
    tally.end(CIDR);
}

fn patterns(kind: &'static str, dialect: Dialect, share: Share) {
    let (oracle, mut tally) = (Postmap::new(), Tally::new(kind));
    for number in 0..share.0 {
        let table = pattern::source(&mut chance(kind, number), dialect, 40, share.1);
        file(&oracle, kind, None, kind, &table, &mut tally);
    }
    tally.end(share);
}

#[test]
fn regexp() {
    patterns("regexp", Dialect::Regexp, REGEXP);
}

#[test]
fn pcre() {
    patterns("pcre", Dialect::Pcre, PCRE);
}

/// Tables in a settings word.
fn in_words(kind: &'static str, make: impl Fn(&mut fastrand::Rng, usize) -> chain::Spec) {
    let (oracle, mut tally) = (Postmap::new(), Tally::new(kind));
    for number in 0..WORDS.0 {
        let chain::Spec { word, keys } = make(&mut chance(kind, number), WORDS.1);
        let theirs = oracle.ask(Program::Postmap, &word, &keys, &[]);
        tally.compare(&theirs, &open(&oracle, &word, ""), &keys, &word);
    }
    tally.end(WORDS);
}

#[test]
fn inline() {
    in_words("inline", chain::inline);
}

#[test]
fn unionmap_and_static() {
    in_words("unionmap", chain::nested);
}

#[test]
fn randmap_draws_what_postfix_draws() {
    let oracle = Postmap::new();
    let word = "randmap:{one, two, three}";
    let ours = open(&oracle, word, "");
    let keys: Vec<String> = (0..300).map(|number| format!("key{number}")).collect();
    let theirs: BTreeSet<String> = oracle.ask(Program::Postmap, word, &keys, &[]).into_values().collect();
    let drawn: BTreeSet<String> = keys
        .iter()
        .map(|key| match ours.query(key) {
            RawAnswer::Found { value, .. } => value,
            other => panic!("{other:?}"),
        })
        .collect();
    // One in 10^52 runs would miss one of them.
    assert_eq!(drawn, theirs);
    assert_eq!(drawn.len(), 3);
}

#[test]
fn fail_fails_wherever_it_is_asked() {
    let oracle = Postmap::new();
    for (word, key, fails) in [
        ("fail:closed", "a", true),
        ("unionmap:{inline:{a=b},fail:closed}", "a", true),
        ("unionmap:{inline:{a=b},inline:{b=c}}", "a", false),
    ] {
        let said = oracle.ask_one(Program::Postmap, word, key);
        assert_eq!(matches!(said, Said::Failed(_)), fails, "{word}: Postfix {said:?}");
        let said = open(&oracle, word, "").query(key);
        assert_eq!(matches!(said, RawAnswer::Unavailable(_)), fails, "{word}: we {said:?}");
    }
}

/// A server that both ask.
fn server(kind: &'static str, protocol: Protocol) {
    let (oracle, mut tally) = (Postmap::new(), Tally::new(kind));
    let mut rng = chance(kind, 0);
    let names: BTreeSet<String> = (0..150).map(|_| words::key(&mut rng).to_lowercase()).collect();
    let table: BTreeMap<String, String> =
        names.into_iter().map(|name| (name, words::value(&mut rng))).collect();
    let known: Vec<String> = table.keys().cloned().collect();
    let keys: Vec<String> = (0..SERVERS.1).map(|_| words::question(&mut rng, &known)).collect();
    let server = Lookup::start(protocol, &table);
    let theirs = oracle.ask(Program::Postmap, &server.word(), &keys, &[]);
    let ours = open(&oracle, &server.word(), "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tally.tables += 1;
    for key in &keys {
        let said = match runtime.block_on(ours.ask(key)) {
            RawAnswer::Found { value, .. } => Some(value),
            RawAnswer::NotFound => None,
            RawAnswer::Unavailable(why) => panic!("{key}: {why}"),
        };
        tally.note(key, theirs.get(key.as_str()), said.as_ref(), "");
    }
    tally.end(SERVERS);
    let away = "away@example.org";
    assert!(matches!(oracle.ask_one(Program::Postmap, &server.word(), away), Said::Failed(_)));
    assert!(matches!(runtime.block_on(ours.ask(away)), RawAnswer::Unavailable(_)));
}

#[test]
fn socketmap() {
    server("socketmap", Protocol::Socketmap);
}

#[test]
fn tcp() {
    server("tcp", Protocol::Tcp);
}
