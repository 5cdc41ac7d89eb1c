//! Where we differ from Postfix on purpose: each line of `docs/map-differences.md`, with what both say.

use std::net::IpAddr;

use switchyard_maps::query::{RawAnswer, RawTable};
use switchyard_maps::{Access, Answer, MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec};
use switchyard_smtp::address::Mailbox;
use switchyard_tests::peer::postmap::{Postmap, Program, Said};

/// What both say of one text.
struct Both {
    postfix: Postmap,
    word: String,
}

impl Both {
    /// `kind` is a type that reads the text itself: texthash, cidr, regexp, pcre.
    fn file(kind: &str, text: impl AsRef<[u8]>) -> Self {
        let postfix = Postmap::new();
        postfix.write("table", text);
        Self { postfix, word: format!("{kind}:table") }
    }

    /// A table in a settings word.
    fn word(word: &str) -> Self {
        Self { postfix: Postmap::new(), word: word.to_owned() }
    }

    /// Postfix's value; empty when it finds none.
    fn theirs(&self, key: &str) -> String {
        let folder = self.postfix.folder().display();
        let word = self.word.replace(":table", &format!(":{folder}/table"));
        match self.postfix.ask_one(Program::Postmap, &word, key) {
            Said::Found(value) => value,
            Said::NotFound => String::new(),
            Said::Failed(why) => panic!("{key}: {why}"),
        }
    }

    fn open(&self) -> Result<RawTable, String> {
        let spec = TableSpec::parse(&self.word).map_err(|wrong| wrong.what)?;
        RawTable::open(&spec, self.postfix.folder()).map_err(|faults| faults.to_string())
    }

    /// Our value; empty when we find none.
    fn ours(&self, key: &str) -> String {
        match self.open().unwrap_or_else(|faults| panic!("{faults}")).query(key) {
            RawAnswer::Found { value, .. } => value,
            RawAnswer::NotFound => String::new(),
            RawAnswer::Unavailable(why) => panic!("{key}: {why}"),
        }
    }

    /// Why we refuse it, at which place.
    #[track_caller]
    fn refused(&self, what: &str) {
        let faults = self.open().err().unwrap_or_else(|| panic!("taken: {what}"));
        assert!(faults.contains(what), "{faults}");
    }
}

fn maps(options: &MapOptions, texts: &[(MapName, &str)]) -> Result<Snapshot, String> {
    let set = MapSet::from_texts(options, texts).map_err(|faults| faults.to_string())?;
    Ok(MapHandle::new(set).snapshot())
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("an address")
}

#[test]
fn difference_a_wrong_line_refuses_the_table() {
    for (kind, text, key, theirs, ours) in [
        ("texthash", "  indented v\na b\n", "a", "b", "table:1:1: a line that starts with a blank"),
        ("texthash", "a b\nq\"x y\n", "a", "b", "table:2:2: a double quote that nothing closes"),
        ("texthash", "a b\na c\n", "a", "b", "table:2:1: `a` stands in line 1 already, with another value"),
        ("cidr", "10.0.0.1/8 x\n10.0.0.0/8 y\n", "10.0.0.1", "y", "table:1:"),
        ("cidr", "nonsense x\n10.0.0.0/8 y\n", "10.0.0.1", "y", "table:1:"),
        ("cidr", "if 10.0.0.0/8\n10.0.0.0/9 y\n", "10.0.0.1", "y", "table:1:"),
        ("regexp", "/a(/ x\n/b/ y\n", "b", "y", "table:1:"),
        ("regexp", "/a/ $1\n/b/ y\n", "b", "y", "table:1:"),
        ("regexp", "/b/ y\nendif\n", "b", "y", "table:2:"),
        ("pcre", "/b/ y\n/c/ ${x}\n", "b", "y", "table:2:"),
    ] {
        let both = Both::file(kind, text);
        assert_eq!(both.theirs(key), theirs, "{text}");
        both.refused(ours);
    }
}

#[test]
fn difference_an_empty_file_is_refused_and_one_of_comments_is_not() {
    let both = Both::file("texthash", "");
    assert_eq!(both.theirs("a"), "");
    both.refused("the file is empty");
    let both = Both::file("texthash", "# nobody yet\n");
    assert_eq!((both.theirs("a"), both.ours("a")), (String::new(), String::new()));
}

#[test]
fn difference_octets_that_are_no_utf_8_refuse_the_table() {
    let both = Both::file("texthash", b"a gr\xfc\xdfe\nb c\n");
    assert_eq!(both.theirs("b"), "c");
    both.refused("table:1:5: octet 0xFC is not UTF-8");
}

#[test]
fn difference_a_carriage_return_ends_a_line_within_an_entry_too() {
    let both = Both::file("texthash", "a b,\r\n  c\r\n");
    assert_eq!(both.theirs("a"), "b,\r  c");
    assert_eq!(both.ours("a"), "b,  c");
}

#[test]
fn difference_letters_are_folded_one_by_one() {
    let both = Both::file("texthash", "straße@x.example one\nσας@x.example two\n");
    assert_eq!(
        (both.theirs("STRASSE@x.example"), both.ours("STRASSE@x.example")),
        ("one".into(), String::new())
    );
    assert_eq!((both.theirs("σασ@x.example"), both.ours("σασ@x.example")), ("two".into(), String::new()));
    for key in ["STRAßE@X.EXAMPLE", "σας@x.example"] {
        assert_eq!(both.theirs(key), both.ours(key), "{key}");
    }
}

#[test]
fn difference_a_mapped_address_is_the_ipv4_address_that_it_is() {
    let both = Both::file("cidr", "10.0.0.0/8 four\n::/0 six\n");
    assert_eq!((both.theirs("::ffff:10.1.2.3"), both.ours("::ffff:10.1.2.3")), ("six".into(), "four".into()));
    let both = Both::file("cidr", "::ffff:10.0.0.0/104 mapped\n");
    assert_eq!(both.theirs("::ffff:10.1.2.3"), "mapped");
    both.refused("table:1:");
}

#[test]
fn difference_what_only_backtracking_matches_is_refused_by_name() {
    for (kind, text, key, value) in [
        ("regexp", "/(a)\\1/ back\n", "aa", "back"),
        ("pcre", "/(a)\\1/ back\n", "aa", "back"),
        ("pcre", "/a(?=b)/ ahead\n", "ab", "ahead"),
        ("pcre", "/(?<!a)b/ behind\n", "b", "behind"),
        ("pcre", "/a++b/ possessive\n", "aab", "possessive"),
        ("pcre", "/(?>a+)b/ atomic\n", "aab", "atomic"),
    ] {
        let both = Both::file(kind, text);
        assert_eq!(both.theirs(key), value, "{text}");
        both.refused("table:1:");
    }
}

#[test]
fn groups_show_the_longest_way_to_match_in_regexp_and_the_first_in_pcre() {
    let text = "/^(a|ab|abc)/ <$1>\n";
    let both = Both::file("regexp", text);
    assert_eq!((both.theirs("abcd"), both.ours("abcd")), ("<abc>".into(), "<abc>".into()));
    let both = Both::file("pcre", text);
    assert_eq!((both.theirs("abcd"), both.ours("abcd")), ("<a>".into(), "<a>".into()));
}

#[test]
fn difference_a_rule_that_never_answers_is_refused_in_a_map() {
    let both = Both::file("cidr", "10.0.0.0/8 REJECT\n10.1.0.0/16 OK\n");
    assert_eq!((both.theirs("10.1.1.1"), both.ours("10.1.1.1")), ("REJECT".into(), "REJECT".into()));
    let spec = TableSpec::parse("cidr:table").expect("a table");
    let options = MapOptions {
        folder: both.postfix.folder().to_owned(),
        tables: [(MapName::ClientAccess, vec![spec])].into(),
        ..MapOptions::default()
    };
    let faults = MapSet::load(&options).map(drop).expect_err("a dead rule").to_string();
    assert!(faults.contains("table:2:"), "{faults}");
}

#[test]
fn difference_an_inline_key_stands_once() {
    let both = Both::word("inline:{a=1, a=2}");
    assert_eq!(both.theirs("a"), "2");
    both.refused("a");
}

#[test]
fn difference_types_that_are_not_carried_are_refused_by_name() {
    let both = Both::word("pipemap:{inline:{a=b},inline:{b=c}}");
    assert_eq!(both.theirs("a"), "c");
    for word in [
        "pipemap:{inline:{a=b}}",
        "mysql:/etc/users.cf",
        "ldap:/etc/users.cf",
        "unix:passwd.byname",
        "environ:x",
    ] {
        let both = Both::word(word);
        both.refused(word.split(':').next().expect("a type"));
    }
}

#[test]
fn difference_braces_around_a_drawn_value_are_taken_off_and_it_may_weigh_more() {
    let both = Both::word("randmap:{{a b}}");
    assert_eq!((both.theirs("x"), both.ours("x")), ("{a b}".into(), "a b".into()));
    assert_eq!(Both::word("randmap:{ a * 3 }").ours("x"), "a");
}

#[test]
fn difference_aliases_run_nothing_and_hold_no_marker() {
    let both = Both::file("aliases", "root: joe\n");
    let path = both.postfix.folder().join("table");
    both.postfix.compile(Program::Postalias, "hash", &path);
    let theirs = both.postfix.ask_one(Program::Postalias, &format!("hash:{}", path.display()), "@");
    assert_eq!((theirs, both.ours("@")), (Said::Found("@".into()), String::new()));
    for text in
        ["root: \"|/bin/cat\"\n", "root: /var/mail/root\n", "list: :include:/etc/passwd\n", "no colon\n"]
    {
        let both = Both::file("aliases", text);
        both.postfix.compile(Program::Postalias, "hash", &both.postfix.folder().join("table"));
        both.refused("table:1:");
    }
}

#[test]
fn difference_every_spelling_of_an_address_is_one_key() {
    let text = "\"joe\"@x.example OK\n@bücher.example OK\n";
    let both = Both::file("texthash", text);
    assert_eq!(
        (both.theirs("joe@x.example"), both.theirs("@xn--bcher-kva.example")),
        (String::new(), String::new())
    );
    let maps = maps(&MapOptions::default(), &[(MapName::Recipients, text)]).expect("a good map");
    for address in ["joe@x.example", "\"joe\"@X.example", "any@xn--bcher-kva.example"] {
        assert!(matches!(maps.recipient(&mailbox(address)), Answer::Found(_)), "{address}");
    }
}

#[test]
fn difference_a_key_that_nobody_asks_for_is_refused() {
    for (map, text) in [
        (MapName::Transport, "@x.example smtp:\n"),
        (MapName::Transport, "*.x.example smtp:\n"),
        (MapName::Recipients, "*@x.example OK\n"),
        (MapName::RelayDomains, "a@x.example OK\n"),
    ] {
        let key = text.split(' ').next().expect("a key");
        assert_ne!(Both::file("texthash", text).theirs(key), "", "{text}");
        assert!(maps(&MapOptions::default(), &[(map, text)]).is_err(), "{text}");
    }
}

#[test]
fn difference_an_alias_loop_is_refused_before_mail_comes() {
    let text = "a@x.example b@x.example\nb@x.example a@x.example\n";
    assert_eq!(Both::file("texthash", text).theirs("a@x.example"), "b@x.example");
    let faults = maps(&MapOptions::default(), &[(MapName::VirtualAlias, text)]).expect_err("a loop");
    assert!(faults.contains("virtual_alias:1:1: alias loop"), "{faults}");
}

#[test]
fn difference_a_value_is_checked_when_its_map_is_read() {
    for (map, text) in [
        (MapName::Transport, "x.example uucp:there\n"),
        (MapName::Transport, "x.example smtp:192.0.2.1\n"),
        (MapName::VirtualAlias, "a@x.example not an address\n"),
        (MapName::Canonical, "a@x.example b@y.example, c@z.example\n"),
        (MapName::ClientAccess, "192.0.2.1 ALLOW\n"),
    ] {
        let key = text.split(' ').next().expect("a key");
        assert_ne!(Both::file("texthash", text).theirs(key), "", "{text}");
        let faults = maps(&MapOptions::default(), &[(map, text)]).err().unwrap_or_else(|| panic!("{text}"));
        assert!(faults.starts_with(&format!("{map}:1:")), "{faults}");
    }
}

#[test]
fn difference_no_domain_stands_for_those_below_it_unless_told() {
    let maps = maps(
        &MapOptions::default(),
        &[(MapName::RelayDomains, "x.example OK\n"), (MapName::ClientAccess, "x.example REJECT\n")],
    )
    .expect("good maps");
    let below = "a.x.example".parse().expect("a domain");
    // postconf -d: parent_domain_matches_subdomains = … relay_domains,smtpd_access_maps
    assert_eq!(maps.is_relay_domain(&below), Answer::NotFound);
    let client: IpAddr = "192.0.2.1".parse().expect("an address");
    let access: Answer<_> = maps.access_client(Some("a.x.example"), client);
    assert!(matches!(access, Answer::NotFound), "{:?}", access.map(|found| -> Access { found.value }));
}
