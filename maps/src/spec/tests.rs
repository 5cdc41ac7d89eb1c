//! Each word with what it means, each wrong one with what is said of it.

use proptest::prelude::*;

use super::*;

fn spec(word: &str) -> TableSpec {
    TableSpec::parse(word).unwrap_or_else(|bad| panic!("{word}: {bad} at {}", bad.at))
}

fn text(kind: TextKind, file: &str) -> TableSpec {
    TableSpec::Text { kind, file: file.into() }
}

fn pairs(pairs: &[(&str, &str)]) -> TableSpec {
    let pair = |(key, value): &(&str, &str)| Pair { key: (*key).to_owned(), value: (*value).to_owned() };
    TableSpec::Inline(pairs.iter().map(pair).collect())
}

fn choices(choices: &[(&str, u32)]) -> TableSpec {
    let choice = |(value, weight): &(&str, u32)| Choice { value: (*value).to_owned(), weight: *weight };
    TableSpec::Random(choices.iter().map(choice).collect())
}

fn constant(value: &str) -> TableSpec {
    TableSpec::Static(value.to_owned())
}

#[test]
fn every_kind_is_read_and_written() {
    let inet = |host: &str, port| Endpoint::Inet { host: host.to_owned(), port };
    let server = |endpoint, name: &str| TableSpec::Socketmap { endpoint, name: name.to_owned() };
    let lines = |lines: &[&str]| Rules::Inline(lines.iter().map(|line| (*line).to_owned()).collect());
    for (word, expected, written) in [
        ("transport", text(TextKind::Plain, "transport"), "transport"),
        (" /etc/x:y ", text(TextKind::Plain, "/etc/x:y"), "/etc/x:y"),
        ("hash:transport", text(TextKind::Hash, "transport"), "hash:transport"),
        ("texthash:/a/b", text(TextKind::Texthash, "/a/b"), "texthash:/a/b"),
        ("proxy:lmdb:users", text(TextKind::Lmdb, "users"), "lmdb:users"),
        ("aliases:aliases", TableSpec::Aliases { file: "aliases".into() }, "aliases:aliases"),
        ("cidr:clients", TableSpec::Cidr(Rules::File("clients".into())), "cidr:clients"),
        (
            "cidr:{ {192.0.2.0/24 OK}, { ::/0   REJECT no, sir } }",
            TableSpec::Cidr(lines(&["192.0.2.0/24 OK", "::/0   REJECT no, sir"])),
            "cidr:{{192.0.2.0/24 OK}, {::/0   REJECT no, sir}}",
        ),
        (
            "regexp:{{if /a/} {/a{2}/ x} {endif}}",
            TableSpec::Regexp(lines(&["if /a/", "/a{2}/ x", "endif"])),
            "regexp:{{if /a/}, {/a{2}/ x}, {endif}}",
        ),
        ("pcre:x.pcre", TableSpec::Pcre(Rules::File("x.pcre".into())), "pcre:x.pcre"),
        (
            "inline:{ a=b,\n {c = d, {e}}, f==g }",
            pairs(&[("a", "b"), ("c", "d, {e}"), ("f", "=g")]),
            "inline:{{a = b}, {c = d, {e}}, {f = =g}}",
        ),
        ("static:OK", constant("OK"), "static:OK"),
        ("static:{ a b }", constant("a b"), "static:{a b}"),
        ("static:a b", constant("a b"), "static:{a b}"),
        ("static:{{a}}", constant("{a}"), "static:{{a}}"),
        ("fail:moving house", TableSpec::Fail("moving house".to_owned()), "fail:{moving house}"),
        (
            "unionmap:{static:{a b}, inline:{x=1,y=2} unionmap:{users}}",
            TableSpec::Union(vec![
                constant("a b"),
                pairs(&[("x", "1"), ("y", "2")]),
                TableSpec::Union(vec![text(TextKind::Plain, "users")]),
            ]),
            "unionmap:{static:{a b}, inline:{{x = 1}, {y = 2}}, unionmap:{users}}",
        ),
        (
            "randmap:{relay:[a], {b, c} * 3, {*} * 2}",
            choices(&[("relay:[a]", 1), ("b, c", 3), ("*", 2)]),
            "randmap:{relay:[a], {b, c} * 3, {*} * 2}",
        ),
        (
            "socketmap:inet:maps.example:8080:users",
            server(inet("maps.example", 8080), "users"),
            "socketmap:inet:maps.example:8080:users",
        ),
        (
            "socketmap:unix:/run/m:aps/s:users",
            server(Endpoint::Unix("/run/m:aps/s".into()), "users"),
            "socketmap:unix:/run/m:aps/s:users",
        ),
        ("tcp:[::1]:7", TableSpec::Tcp(inet("::1", 7)), "tcp:[::1]:7"),
        ("tcp:localhost:65535", TableSpec::Tcp(inet("localhost", 65535)), "tcp:localhost:65535"),
    ] {
        assert_eq!(spec(word), expected, "{word}");
        assert_eq!(spec(word).to_string(), written, "{word}");
        assert_eq!(spec(written), expected, "{written}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let deep = format!("{}static:a{}", "unionmap:{".repeat(9), "}".repeat(9));
    for (word, at, what) in [
        ("", 0, "the name of a file is expected"),
        ("hash:", 5, "the name of a file is expected"),
        ("hsah:users", 0, "`hsah:` is no type of table; is `hash:` meant?"),
        ("Regexp:users", 0, "`Regexp:` is no type of table; is `regexp:` meant?"),
        ("spreadsheet:users", 0, "`spreadsheet:` is no type of table"),
        (
            "unionmap:{static:a, mysql:/etc/m.cf}",
            20,
            "`mysql:` tables are not carried: export it to a text file, or put a socketmap server before it",
        ),
        ("pipemap:{static:a}", 0, "`pipemap:` tables are not carried: write the entries into a text file"),
        ("hash:a, hash:b", 5, "`a, hash:b`: one table is expected, and no blank or comma in its name"),
        ("inline:a=b", 7, "`{key=value, …}` is expected"),
        ("inline:{ }", 7, "`{key=value, …}` is expected, with one key=value at least"),
        ("inline:{a=b", 7, "a `{` that nothing closes"),
        ("inline:{a=b} x", 12, "nothing is expected after the closing `}`"),
        ("inline:{a = b}", 8, "`a`: `key=value` is expected, or `{key = value}` with blanks"),
        ("inline:{x=y, {a b}}", 13, "`{a b}`: `key=value` is expected"),
        ("inline:{x=y, {a=}}", 13, "`{a=}`: a value is expected"),
        ("inline:{=y}", 8, "`=y`: a key is expected"),
        ("inline:{{a=b}x}", 13, "nothing is expected after the closing `}`"),
        ("inline:{{a = b\nc}}", 14, "a line ends within a text"),
        ("static:", 7, "a value is expected"),
        ("static:{a} b", 10, "nothing is expected after the closing `}`"),
        ("fail:{}", 5, "a reason is expected"),
        ("cidr:{ 192.0.2.1 OK }", 7, "`192.0.2.1`: each rule stands in braces of its own"),
        ("regexp:{}", 7, "`{{rule}, …}` is expected, with one {rule} at least"),
        ("randmap:{* 3}", 9, "a value is expected before `*`"),
        ("randmap:{a * 3 * 3}", 15, "a value is expected before `*`"),
        ("randmap:{a * 0}", 11, "a weight from 1 to 1000000 is expected after `*`"),
        ("randmap:{a *}", 11, "a weight from 1 to 1000000 is expected after `*`"),
        ("socketmap:users", 10, "`inet:host:port:name` or `unix:/path:name` is expected"),
        ("socketmap:udp:a:1:users", 10, "`inet:host:port:name` or `unix:/path:name` is expected"),
        ("socketmap:inet:host:0:users", 20, "`0` is no port: a number from 1 to 65535 is expected"),
        ("socketmap:inet:host:1:", 22, "the name of a table, without blanks, is expected last"),
        ("socketmap:unix:run/x:y", 15, "`run/x`: the absolute path of a socket is expected"),
        ("tcp:localhost", 4, "`localhost`: `host:port` is expected"),
        ("tcp::1", 4, "`` is no name of a host"),
        ("tcp:::1:9", 4, "`::1`: an IPv6 address stands in brackets, as `[::1]`"),
        ("tcp:[::z]:9", 4, "`[::z]` is no address in brackets"),
        ("tcp:a b:9", 4, "`a b` is no name of a host"),
        ("tcp:localhost:smtp", 14, "`smtp` is no port: a number from 1 to 65535 is expected"),
        ("static:a\0", 8, "control character U+0000"),
        (deep.as_str(), 90, "tables nested more than 8 deep"),
    ] {
        let bad = TableSpec::parse(word).expect_err(word);
        assert_eq!((bad.at, bad.what.as_str()), (at, what), "{word}");
    }
    let long = format!("static:{}", "a".repeat(MAX_WORD));
    assert_eq!(TableSpec::parse(&long).unwrap_err().what, "a table of more than 1048576 octets");
    let socket = format!("socketmap:unix:/{}:x", "a".repeat(107));
    assert_eq!(TableSpec::parse(&socket).unwrap_err().what, "the path of a socket has 107 octets at most");
}

#[test]
fn a_union_is_asked_as_its_first_table() {
    let leaves = |word: &str| spec(word).leaves().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(leaves("unionmap:{a, unionmap:{b, cidr:c}}"), ["a", "b", "cidr:c"]);
    assert_eq!(leaves("hash:a"), ["hash:a"]);
    for (word, partial) in [
        ("hash:a", true),
        ("static:a", true),
        ("regexp:a", false),
        ("tcp:localhost:1", false),
        ("unionmap:{a, cidr:b}", true),
        ("unionmap:{cidr:b, a}", false),
    ] {
        assert_eq!(spec(word).takes_partial_keys(), partial, "{word}");
    }
    assert_eq!(spec("pcre:a").file(), Some(Path::new("a")));
    assert_eq!(spec("pcre:{{/a/ b}}").file(), None);
}

#[test]
fn a_list_of_tables_falls_apart_outside_braces() {
    let parts: Vec<_> = words("hash:a, inline:{b=c, d=e}\n static:{x y}").collect();
    assert_eq!(parts, ["hash:a", "inline:{b=c, d=e}", "static:{x y}"]);
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written(
        kind in "(|inline|static|fail|unionmap|randmap|cidr|regexp|tcp|socketmap|hash|proxy)",
        rest in "[a:=,*{} 1\\[\\]\n/é]{0,24}",
    ) {
        for word in [format!("{kind}:{rest}"), format!("{kind}:{{{rest}}}"), rest] {
            match TableSpec::parse(&word) {
                Ok(spec) => prop_assert_eq!(TableSpec::parse(&spec.to_string()), Ok(spec), "{}", word),
                Err(bad) => prop_assert!(bad.at <= word.len()),
            }
        }
    }
}
