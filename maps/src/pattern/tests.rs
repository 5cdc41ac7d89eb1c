//! Tables as a whole.

use proptest::prelude::*;

use super::engine::Groups;
use super::*;
use crate::fault::Wrong;
use crate::rules::testing::{balanced, one_by_one};

/// Any value but `bad` is good.
fn check(value: &str, _: rules::Template) -> Result<String, Wrong> {
    if value == "bad" { Err(Wrong::at(1, "a bad value")) } else { Ok(value.to_owned()) }
}

fn build(text: &str, dialect: Dialect) -> Result<Built, BadLines> {
    compile(Lines::new(text.as_bytes()), dialect, &mut check)
}

fn open(bytes: Vec<u8>) -> Result<Patterns, BadArtifact> {
    Patterns::open(Container::open(bytes.into())?)
}

fn table(text: &str) -> Patterns {
    open(build(text, Dialect::Pcre).unwrap_or_else(|bad| panic!("{bad}")).bytes).unwrap()
}

fn told(lines: &BadLines) -> Vec<(u32, u32, &str)> {
    lines.kept.iter().map(|bad| (bad.line, bad.column, bad.what.as_str())).collect()
}

fn answer(table: &Patterns, key: &str) -> Option<(String, u32)> {
    table.find(key).unwrap().map(|found| (found.text.into_owned(), found.line))
}

#[test]
fn the_first_rule_that_matches_answers() {
    let table = table(
        "# a table\n/^post(master)?@/ OK\nif !/^owner-/\n/^(.*)-outgoing@(.*)$/\n  550 Use ${1}@$2\nendif\n\
         /@Example\\.com$/i Exact\n!/@/ no at\n/^/ rest",
    );
    for (key, expected) in [
        ("Postmaster@a", ("OK", 2)),
        ("list-outgoing@x.y", ("550 Use list@x.y", 4)),
        ("owner-list-outgoing@x.y", ("rest", 9)),
        ("a@Example.com", ("Exact", 7)),
        ("a@example.com", ("rest", 9)),
        ("a", ("no at", 8)),
    ] {
        assert_eq!(answer(&table, key), Some((expected.0.to_owned(), expected.1)), "{key}");
    }
    let found = table.find("postmaster@a").unwrap().unwrap();
    assert_eq!(table.value(found.number.unwrap()), Ok("OK"));
    assert_eq!(table.find("a-outgoing@b").unwrap().unwrap().number, None);
    assert_eq!((table.len(), table.values()), (5, 5));
    let rules: Vec<_> =
        table.iter().map(|(pattern, line, value)| format!("{line} {pattern} {value}")).collect();
    assert_eq!(rules[3], "8 !/@/ no at");
}

#[test]
fn blocks_nest_and_their_conditions_hold_for_all_in_them() {
    let table = table("if /a/\nif /b/\n/c/ abc\nendif\n!/d/ a-d\nendif\nIF !/x/\n/d/ dx\nENDIF");
    let line = |key| answer(&table, key).map(|(_, line)| line);
    assert_eq!(line("abcd"), Some(3));
    assert_eq!(line("ac"), Some(5));
    assert_eq!(line("acd"), Some(8));
    assert_eq!(line("acdx"), None);
    assert_eq!(line("c"), None);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let text = "/a(/ v\n/a/\n/a/ bad\n/(a)/ $2\n!/(a)/ $1\nendif\nif /[/\nfoo\nif /a/ v\n  /(?=x)/\n/a/q v\n/b(?!c)/ v";
    let bad = build(text, Dialect::Pcre).unwrap_err();
    let expected = [
        (1, 3, "a `(` that nothing closes (in `a(`)"),
        (2, 4, "a pattern and a value are expected, and there is no value"),
        (3, 6, "a bad value"),
        (4, 7, "there is no group 2: the pattern has 1"),
        (5, 8, "a rule that answers where its pattern does not match has nothing to put in"),
        (6, 1, "`endif` without an `if` before it"),
        (7, 5, "a `[` that nothing closes (in `[`)"),
        (8, 1, "`/pattern/` is expected"),
        (9, 8, "nothing may follow the pattern of an `if`"),
        (11, 4, "`q` is no flag: there are `i`, `m`, `s`, `x`, `A`, `E`, `U` and `X`"),
        (
            12,
            3,
            "a negative look-ahead `(?!…)` needs an engine that backtracks, which this one does not (in `b(?!c)`)",
        ),
        (7, 1, "`if` without an `endif` behind it"),
        (9, 1, "`if` without an `endif` behind it"),
    ];
    assert_eq!(told(&bad), expected);
}

#[test]
fn a_rule_that_never_matches_is_told_unless_it_changes_nothing() {
    let text = "/a/ 1\n/a/ 2\n/a/ 1\n/a/i 3\nif /b/\n/a/ 4\n/./ 5\n/c/ 6\nendif\n!/^/ 7\nif !/^/\n/d/ 8\nendif\n\
                !/a/ 9\n/e/ 10\n/f/ 9\n";
    let built = build(text, Dialect::Posix).unwrap();
    let expected = [
        (2, 1, "line 1 has the same pattern already, with another value"),
        (6, 1, "line 1 has the same pattern already, with another value"),
        (8, 1, "this rule never matches: line 7 answers for every key"),
        (10, 1, "this rule never matches: every key matches its pattern"),
        (12, 1, "this rule never matches: the `if` in line 11 lets no key through"),
        (15, 1, "this rule never matches: line 14 answers for every key"),
    ];
    assert_eq!(told(&built.dead), expected);
}

#[test]
fn keys_are_octets_and_answers_are_text() {
    let table = table("/^(.)(.)$/ <$1>\n/^(..)(a)$/ <$1$2>");
    assert!(table.find("é").is_err());
    assert_eq!(answer(&table, "éa"), Some(("<éa>".to_owned(), 2)));
    assert_eq!(answer(&table, "ab"), Some(("<a>".to_owned(), 1)));
}

#[test]
fn the_same_text_gives_the_same_octets() {
    let text = "/a/ 1\nif /b/\n/a(b)/ $1\nendif\n/a/i 1";
    assert_eq!(build(text, Dialect::Pcre).unwrap().bytes, build(text, Dialect::Pcre).unwrap().bytes);
    assert_ne!(build(text, Dialect::Pcre).unwrap().bytes, build(text, Dialect::Posix).unwrap().bytes);
}

#[test]
fn g1_a_pattern_of_nested_repetitions_takes_time_in_proportion_to_the_key() {
    let table = table("/^(a+)+$/ yes\n/(a*)*b$/ no\n/^((a|a)*)*$/ never");
    // Backtracking takes 2^n steps: with 50,000 octets nobody would see this end.
    let key = "a".repeat(50_000);
    assert_eq!(answer(&table, &(key.clone() + "!")), None);
    assert_eq!(answer(&table, &key), Some(("yes".to_owned(), 1)));
}

#[test]
fn g1_patterns_too_large_to_run_are_refused_at_load() {
    for pattern in [
        "(?:){4000000000}",
        "a{4000000000}",
        "((a{1000}){1000}){1000}",
        "(((){60000}){60000}a{60000}){60000}",
    ] {
        let bad = build(&format!("/{pattern}/ v\n/b/ v"), Dialect::Pcre).unwrap_err();
        assert_eq!(bad.kept.len(), 1, "{pattern}");
        let what = &bad.kept[0].what;
        assert!(what.contains("at most 65535") || what.contains("octets when compiled"), "{what}");
    }
    let ten_megabytes = "a".repeat(10 << 20);
    assert!(build(&format!("/{ten_megabytes}/ v"), Dialect::Pcre).is_err());
}

#[test]
fn g1_many_patterns_are_read_and_asked() {
    // Ten times as many are a matter for the bench: unoptimised, each takes a third of a millisecond.
    let text: String = (0..10_000).map(|number| format!("/^u{number}@x{number}\\.example$/ v\n")).collect();
    let table = table(&text);
    assert_eq!(answer(&table, "u7777@x7777.example").map(|(_, line)| line), Some(7_778));
    assert_eq!(answer(&table, "u7777@x7778.example"), None);
}

#[test]
fn g2_a_damaged_table_is_an_error_or_answers() {
    let good = build("/a/ 1\nif /b/\n/c(d)/ x$1\nendif", Dialect::Pcre).unwrap().bytes;
    let ask = |bytes: Vec<u8>| {
        let table = open(bytes)?;
        table.verify()?;
        Ok::<_, BadArtifact>(
            ["a", "bcd", "cd", ""].map(|key| table.find(key).map(|found| found.map(|found| found.line))),
        )
    };
    assert_eq!(ask(good.clone()).unwrap(), [Ok(Some(1)), Ok(Some(3)), Ok(None), Ok(None)]);
    for place in 0..good.len() {
        for flip in [0x01, 0x10, 0xff] {
            let mut damaged = good.clone();
            damaged[place] ^= flip;
            assert!(ask(damaged.clone()).is_err(), "octet {place}");
            container::forge::reseal(&mut damaged);
            // What is forged with care is another table, but never one that fails after it was verified.
            if let Ok(found) = ask(damaged) {
                assert!(found.iter().all(Result::is_ok), "octet {place}");
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Rules of few letters, so that they meet.
fn text() -> impl Strategy<Value = String> {
    let pattern = "(?:[abc.]|\\(a\\|bc\\)|[abc]\\+|ab|ca|\\^|\\$|\\(b\\)\\*){0,4}";
    let line = (0..8, any::<bool>(), pattern, any::<bool>()).prop_map(|(kind, negated, pattern, case)| {
        let mark = if negated { "!" } else { "" };
        let flag = if case { "i" } else { "" };
        match kind {
            0 => format!("if {mark}/{pattern}/{flag}\n"),
            1 => "endif\n".to_owned(),
            _ => format!("{mark}/{pattern}/{flag} v\n"),
        }
    });
    proptest::collection::vec(line, 0..20).prop_map(balanced)
}

/// Every pattern is tried.
fn model(text: &str, key: &str) -> Option<u32> {
    let holds = |condition: &str| {
        let negated = condition.starts_with('!');
        let (pattern, flag) = condition.trim_start_matches('!')[1..].rsplit_once('/').unwrap();
        let flags = flag.chars().fold(syntax::Flags::initial(Dialect::Pcre), |flags, letter| {
            flags.toggle(letter, Dialect::Pcre).unwrap()
        });
        let parsed = syntax::parse(pattern, flags, Dialect::Pcre).unwrap();
        Engine::new(&parsed.hir, Groups::Nobody).unwrap().is_match(key) != negated
    };
    one_by_one(text, holds).map(|(_, line)| line)
}

proptest! {
    #[test]
    fn lookups_answer_as_the_rules_do_one_by_one(
        text in text(),
        keys in proptest::collection::vec("[abcABC]{1,6}", 12),
    ) {
        // Some of the generated patterns repeat nothing.
        let Ok(built) = build(&text, Dialect::Pcre) else { return Ok(()) };
        let table = open(built.bytes).unwrap();
        table.verify().unwrap();
        let dead: Vec<u32> = built.dead.kept.iter().map(|dead| dead.line).collect();
        for key in keys {
            let line = answer(&table, &key).map(|(_, line)| line);
            prop_assert_eq!(line, model(&text, &key), "{}\n{}", key, text);
            prop_assert!(line.is_none_or(|line| !dead.contains(&line)), "{}\n{}", key, text);
        }
    }

    #[test]
    fn no_text_panics(text in "(?:!|if |endif|/|[a-c()|*+?{}\\[\\]^$.\\\\]{0,8}|/[imsxAEUX]{0,2} |\\$[1-9{(]|\n){0,24}") {
        for dialect in [Dialect::Posix, Dialect::Pcre] {
            if let Ok(built) = build(&text, dialect) {
                let table = open(built.bytes).unwrap();
                table.verify().unwrap();
                let _ = table.find("abc");
            }
        }
    }
}
