//! Files of behaviours, good and bad.

use super::*;

fn read(text: &str) -> Result<Vec<Behaviour>, String> {
    let document = Document::parse("b.toml", text).map_err(|faults| faults.to_string())?;
    let mut faults = Faults::new();
    let behaviours = read::file(&document, Path::new("."), &mut faults);
    faults.or(behaviours).map_err(|faults| faults.to_string())
}

fn one(line: &str) -> Result<Vec<Behaviour>, String> {
    read(&format!("[[behaviour]]\nname = 'n'\nfrom = 'a@b.example'\nto = 'c@d.example'\n{line}\n"))
}

#[test]
fn defaults_lie_under_behaviours_and_those_under_cases() {
    let text = "\
[defaults]
from = 'ann@example.net'
client = '192.0.2.1'
header = { Received = 2 }
fields = { Subject = 'one' }

[[behaviour]]
name = 'taken'
to = 'a@example.org'
header = { Subject = '*' }

[[behaviour]]
name = 'who is'
cases = [
    { to = 'b@example.org', from = '', reply = 250 },
    { to = ['c@example.org', 'd@example.org'], name = 'two', message = 'A: b', header = { Received = true } },
]
";
    let behaviours = read(text).unwrap();
    let names: Vec<&str> = behaviours.iter().map(|behaviour| behaviour.name.as_str()).collect();
    assert_eq!(names, ["taken", "who is: b@example.org, <>", "who is: two"]);
    let [first, second, third] = &*behaviours else { panic!() };
    assert_eq!(first.said.client, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(first.wanted.len(), 2, "{first:?}");
    assert_eq!(second.said.from, ReversePath::Null);
    assert_eq!(second.place.to_string(), "b.toml:15:5");
    assert_eq!(third.said.to.len(), 2);
    assert_eq!(third.said.message, Message::Whole("A: b\r\n".into()), "the defaults' fields are gone");
    assert_eq!(third.wanted[0].what, What::Field("Received".into(), FieldWanted::Present(true)));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
    for (line, fault) in [
        ("repl = 250", "b.toml:5:1: unknown key `repl` in [[behaviour]]; did you mean `reply`?"),
        ("reply = 'no'", "b.toml:5:9: `reply`: `no` is no reply code: write 250,"),
        ("reply = 250\nat = 'rctp'", "b.toml:6:6: `at`: `rctp` is no stage; did you mean `rcpt`?"),
        ("reply = 250\nrole = 'mailer'", "b.toml:6:8: `role`: `mailer` is no role; known here: mx, router"),
        ("reply = 250\nclient = 'here'", "b.toml:6:10: `client`: `here` is no IP address"),
        ("reply = 250\nclient_name = 'h'", "b.toml:6:15: `client_name` needs `client`"),
        ("reply = 250\nhelo = 'a b'", "b.toml:6:8: `helo`: `a b` is no name of a host"),
        ("reply = 250\ntls = 'yes'", "b.toml:6:7: `tls`: true or false is expected, not a text"),
        ("reply = 250\nmessage = 'a'\nfile = 'b.eml'", "b.toml:7:8: `message` and `file` both say"),
        ("reply = 250\nfile = 'none.eml'", "b.toml:6:8: `file`: ./none.eml: cannot be read"),
        ("reply = 250\nfields = { 'A b' = 'c' }", "`A b` is no name of a header field"),
        ("reply = 250\nat = 'rcpt'", "b.toml:6:6: `at` is of a refusal"),
        ("reply = '5xx'\nroute = 'smtp:'", "b.toml:6:9: `route` is of mail that is taken"),
        ("reply = '5xx'\narrives = true", "b.toml:6:11: what `reply` refuses can't arrive"),
        ("header = { X = 1.5 }", "`X`: a text, a list of texts, true, false or a count is expected"),
        ("becomes = []", "`becomes`: a text, or a list of texts, is expected, not a list"),
        ("cases = []", "b.toml:5:9: `cases` is empty"),
        ("cases = [{ reply = 250 }, { rply = 1 }]", "b.toml:5:29: unknown key `rply` in a case"),
        ("header = {}", "b.toml:1:1: nothing is wanted"),
        ("", "b.toml:1:1: nothing is wanted: one of reply, at, route, becomes"),
    ] {
        let told = one(line).unwrap_err();
        assert!(told.contains(fault), "{line}\n{told}");
    }
}

#[test]
fn a_behaviour_has_a_name_a_sender_and_a_recipient() {
    let told = read("[[behaviour]]\nreply = 250\n").unwrap_err();
    for key in ["name", "from", "to"] {
        assert!(told.contains(&format!("b.toml:1:1: `{key}` is missing: ")), "{told}");
    }
    assert!(read("").unwrap_err().contains("no behaviour stands here"));
    assert!(
        read("[behaviour]\nname = 'a'").unwrap_err().contains("is a list of tables: write [[behaviour]]")
    );
    assert!(read("[default]\n").unwrap_err().contains("did you mean `defaults`?"));
}

#[test]
fn a_message_is_known_by_its_token_and_has_what_a_message_needs() {
    let behaviour = one("reply = 250\nfields = { subject = 'Hi', X-A = 'b' }").unwrap().remove(0);
    let content = behaviour.said.message.content(&behaviour.said, "tok");
    assert_eq!(&*content.added, b"X-Switchyard-Behaviour: tok\r\n");
    let text = String::from_utf8(content.wire.to_vec()).unwrap();
    for line in [
        "From: <a@b.example>",
        "To: <c@d.example>",
        "subject: Hi",
        "X-A: b",
        "Message-ID: <tok@behave.invalid>",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{text}");
    }
    assert!(!text.contains("Subject:") && text.contains("\r\nDate: "), "{text}");
    let whole = one("reply = 250\nmessage = \"A: b\\n\\n.dot\"").unwrap().remove(0);
    let content = whole.said.message.content(&whole.said, "tok");
    assert_eq!(&*content.wire, b"A: b\r\n\r\n..dot\r\n");
}
