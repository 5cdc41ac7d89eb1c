//! Patterns as POSIX and PCRE read them; what is expected was asked of postmap(1).

use proptest::prelude::*;
use regex_automata::meta::Regex;

use super::*;

fn matches(dialect: Dialect, pattern: &str, letters: &str, key: &str) -> bool {
    let flags =
        letters.chars().fold(Flags::initial(dialect), |flags, letter| flags.toggle(letter, dialect).unwrap());
    let parsed = parse(pattern, flags, dialect).unwrap_or_else(|wrong| panic!("{pattern}: {wrong:?}"));
    let config = Regex::config().utf8_empty(false);
    Regex::builder().configure(config).build_from_hir(&parsed.hir).unwrap().is_match(key)
}

fn wrong(dialect: Dialect, pattern: &str) -> Wrong {
    match parse(pattern, Flags::initial(dialect), dialect) {
        Ok(parsed) => panic!("{pattern}: {parsed:?}"),
        Err(wrong) => wrong,
    }
}

#[test]
fn extended_posix_patterns() {
    for (pattern, key) in [
        (r"\<foo\>", "foo.bar"),
        (r"foo\b", "foo.bar"),
        (r"fo{,2}", "foo"),
        (r"a**", "foo"),
        (r"foo|", "bar"),
        (r"()", "bar"),
        (r"foo+*", "fo"),
        (r"[]a]", "]"),
        (r"[a\]", "\\"),
        (r"[^]a]", "b"),
        (r"[a-]", "-"),
        (r"[-a]", "-"),
        (r"[%--]", "-"),
        (r")", "a)"),
        (r"foo)", "foo)"),
        (r"\(foo", "(foo"),
        (r"[[.f.]]oo", "foo"),
        (r"[[=f=]-h]oo", "GOO"),
        (r"\`foo\'", "foo"),
        (r"f\.o", "f.o"),
        (r"(^foo)", "foo"),
        (r"a{2}{3}", "aaaaaa"),
        (r"^..$", "é"),
        (r"^[é]+$", "é"),
        (r"[[:upper:]]", "a"),
        (r"a}", "a}"),
        (r"[[:alpha:][:digit:]]{3}", "a1b"),
        (r"\w\W\s\S", "a! b"),
        ("^a.b$", "a\nb"),
    ] {
        assert!(matches(Dialect::Posix, pattern, "", key), "{pattern} {key}");
    }
    for (pattern, key) in [
        (r"a^foo", "a^foo"),
        (r"foo$bar", "foo$bar"),
        (r"^.$", "é"),
        (r"^é$", "É"),
        (r"[^a]", "A"),
        (r"[^[:upper:]]", "a"),
        (r"[[:upper:]]", "1"),
        (r"a{2}{3}$", "aaaaa"),
        (r"^a$", "a\nb"),
    ] {
        assert!(!matches(Dialect::Posix, pattern, "", key), "{pattern} {key}");
    }
    assert!(!matches(Dialect::Posix, "FOO", "i", "foo"));
    assert!(!matches(Dialect::Posix, "[[:upper:]]", "i", "a"));
    assert!(matches(Dialect::Posix, "FOO", "ii", "foo"));
    assert!(matches(Dialect::Posix, "^b$", "m", "a\nb"));
    assert!(!matches(Dialect::Posix, "a.b", "m", "a\nb"));
    assert!(!matches(Dialect::Posix, "a[^x]b", "m", "a\nb"));
}

#[test]
fn basic_posix_patterns() {
    for (pattern, key) in [
        (r"\(foo\)", "foo"),
        (r"fo\+", "foo"),
        (r"*foo", "*foo"),
        (r"^*foo", "*foo"),
        (r"a\|foo", "foo"),
        (r"a^foo", "a^foo"),
        (r"fo$o", "fo$o"),
        (r"a{1}", "a{1}"),
        (r"ba\{2\}", "baa"),
        (r"(a)|+?", "(a)|+?"),
        (r"\(^a$\)", "a"),
    ] {
        assert!(matches(Dialect::Posix, pattern, "x", key), "{pattern} {key}");
    }
    assert!(!matches(Dialect::Posix, r"^a\{2\}$", "x", "a"));
}

#[test]
fn pcre_patterns() {
    for (pattern, letters, key) in [
        (r"fo{2", "", "fo{2"),
        (r"fo{,2}", "", "fo{,2}"),
        (r"{x}", "", "{x}"),
        (r"\x66oo", "", "foo"),
        (r"\x{66}\o{157}\157{2}", "", "fooo"),
        (r"a\x6", "", "a\u{6}"),
        (r"[\157]", "", "o"),
        (r"[[:<:]]foo[[:>:]]", "", "foo.bar"),
        (r"foo\Z", "", "foo"),
        (r"\Afoo\z", "", "foo"),
        (r"\<foo\>", "", "<foo>"),
        (r"\Qa.b*\E+$", "", "a.b***"),
        (r"a\Q+", "", "a+"),
        (r"[\Q^]\E]", "", "]"),
        (r"(?<n>a)(?P<m>b)(?'o'c)", "", "abc"),
        (r"a # c", "x", "a"),
        (r"[a b]c", "x", " c"),
        (r"a(?#b)c", "", "ac"),
        (r"(?-i)a(?i)B", "", "ab"),
        (r"((?-i)A)b", "", "AB"),
        (r"(?-i:A|b)C", "", "bc"),
        (r"[[:^alpha:]]", "", "1"),
        (r"[[:word:]]", "", "_"),
        (r"[[:a b]", "", ":"),
        (r"[\d\-z]", "", "-"),
        (r"[a&&b]", "", "&"),
        (r"[[a]b]", "", "[b]"),
        (r"[]a]", "", "]"),
        (r"[\]a]", "", "]"),
        (r"\cA\e\h\R", "", "\u{1}\u{1b} \r\n"),
        (r"a.b", "", "a\nb"),
        (r"^b$", "m", "a\nb"),
        (r"b", "A", "b"),
        (r"a|b", "A", "b"),
        (r"foo$", "E", "foo"),
        (r"\é", "", "é"),
        (r"^..$", "", "é"),
        (r"a*?b{1,2}?c??", "", "b"),
    ] {
        assert!(matches(Dialect::Pcre, pattern, letters, key), "{pattern} {letters} {key}");
    }
    for (pattern, letters, key) in [
        (r"FOO", "i", "foo"),
        (r"((?-i)A)b", "", "ab"),
        (r"a.b", "s", "a\nb"),
        (r"\N", "", "\n"),
        (r"b", "A", "ab"),
        (r"a|b", "A", "cb"),
        (r"[^[:upper:]]", "", "a"),
        (r"[[:^upper:]]", "", "a"),
        (r"a b", "x", "a b"),
    ] {
        assert!(!matches(Dialect::Pcre, pattern, letters, key), "{pattern} {letters} {key}");
    }
}

#[test]
fn what_the_engine_cannot_do_is_named_at_its_place() {
    for (pattern, at, construct) in [
        (r"a(?=b)", 1, "a look-ahead"),
        (r"a(?!b)", 1, "a negative look-ahead"),
        (r"(?<=b)", 0, "a look-behind"),
        (r"(?<!b)", 0, "a negative look-behind"),
        (r"a(?>b)", 1, "an atomic group"),
        (r"(?|a|b)", 0, "a group `(?|…)`"),
        (r"(?(1)a)", 0, "a condition"),
        (r"(?R)", 0, "a recursion"),
        (r"(?1)", 0, "a recursion"),
        (r"(?-1)", 0, "a recursion"),
        (r"(?&n)", 0, "a recursion"),
        (r"(?C1)", 0, "a callout"),
        (r"(*ACCEPT)", 0, "a verb"),
        (r"(a)\1", 3, "a back-reference"),
        (r"(a)\g{1}", 3, "a back-reference"),
        (r"(?P=n)", 0, "a back-reference"),
        (r"ab\Kc", 2, "`\\K`"),
        (r"\X", 0, "`\\X`"),
        (r"ab++", 3, "a possessive repetition"),
        (r"ab{2}+", 5, "a possessive repetition"),
    ] {
        let wrong = wrong(Dialect::Pcre, pattern);
        assert!(
            wrong.what.starts_with(construct) && wrong.what.contains("backtracks"),
            "{pattern}: {wrong:?}"
        );
        assert_eq!(wrong.at, at, "{pattern}");
    }
    assert_eq!(wrong(Dialect::Posix, r"(a)\1").at, 3);
}

#[test]
fn what_postfix_refuses_is_refused() {
    for pattern in [
        r"*foo",
        r"(*foo)",
        r"a|*b",
        r"^*foo",
        r"\<*",
        r"[a",
        r"[z-a]",
        r"[a-c-e]",
        r"(",
        r"fo{2",
        r"fo{x",
        r"fo{2,1}",
        r"x{65536}",
        r"x{32768}",
        r"\o",
        r"a\",
        r"[[:foo:]]",
        r"[[.hyphen.]]",
        r"{2}",
        r"[[:alpha:]-z]",
    ] {
        wrong(Dialect::Posix, pattern);
    }
    for pattern in [
        r"a**",
        r"*foo",
        r"a|*b",
        r"^*foo",
        r"\b*",
        r"$*",
        r"(?i)*a",
        r"[a",
        r"[a\]",
        r"[z-a]",
        r"(",
        r")",
        r"foo)",
        r"foo+*",
        r"a{2}{3}",
        r"a{2,1}",
        r"x{65536}",
        r"[[.f.]]",
        r"[[=f=]]",
        r"[[:foo:]]",
        r"f\qoo",
        r"\o",
        r"a\",
        r"[\d-z]",
        r"[a-\d]",
        r"\p{L}",
        r"\x{100}",
        r"\x{+1}",
        r"(?#",
        r"(?y)",
        r"(?<>a)",
        r"\c",
    ] {
        wrong(Dialect::Pcre, pattern);
    }
}

#[test]
fn g1_deep_and_long_patterns_are_refused_at_once() {
    for dialect in [Dialect::Posix, Dialect::Pcre] {
        assert!(wrong(dialect, &"(".repeat(60_000)).what.contains("100 deep"));
        assert!(wrong(dialect, &"a".repeat(10 << 20)).what.contains("65536 octets"));
        assert!(wrong(dialect, "(){4000000000}").what.contains("at most"));
        let braces = "{".repeat(60_000);
        assert_eq!(parse(&braces, Flags::initial(dialect), dialect).is_ok(), dialect == Dialect::Pcre);
    }
    assert!(wrong(Dialect::Posix, &("a".to_owned() + &"*".repeat(60_000))).what.contains("100 repetitions"));
}

proptest! {
    #[test]
    fn no_pattern_panics(
        pattern in r"(?:[a-c()|*+?{}\[\]^$.\\:=,0-9é-]|\\[A-Za-z]|\(\?[a-zA-Z<>=!#:]|\[\[:){0,30}",
        letters in "[imxsAEUX]{0,3}",
    ) {
        for dialect in [Dialect::Posix, Dialect::Pcre] {
            let flags = letters.chars().try_fold(Flags::initial(dialect), |flags, letter| flags.toggle(letter, dialect));
            let Some(flags) = flags else { continue };
            prop_assert_eq!(Flags::of_bits(flags.bits()), flags);
            if let Err(wrong) = parse(&pattern, flags, dialect) {
                prop_assert!(wrong.at <= pattern.len(), "{:?}", wrong);
            }
        }
    }
}
