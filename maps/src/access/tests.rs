//! Right-hand sides of access(5): what is read, and what is refused with its reason.

use super::*;

#[test]
fn actions_read_and_write() {
    for (text, written) in [
        ("OK", "OK"),
        ("ok whatever", "OK"),
        ("RELAY", "OK"),
        ("1", "OK"),
        ("1700000000", "OK"),
        ("dunno", "DUNNO"),
        ("REJECT", "REJECT"),
        ("Reject\tyou are listed", "REJECT 5.7.1 you are listed"),
        ("REJECT 5.1.8 no such domain", "REJECT 5.1.8 no such domain"),
        ("REJECT 5.1.8", "REJECT 5.1.8"),
        ("DEFER", "DEFER"),
        ("DEFER 4.3.2 later", "DEFER 4.3.2 later"),
        ("550 go away", "550 5.7.1 go away"),
        ("550 5.1.1", "550 5.1.1"),
        ("554 go away", "REJECT 5.7.1 go away"),
        ("421 4.3.2 closing", "421 4.3.2 closing"),
        ("DEFER_IF_REJECT", "DEFER_IF_REJECT"),
        ("defer_if_permit 4.7.0 slow", "DEFER_IF_PERMIT 4.7.0 slow"),
        ("DISCARD spam trap", "DISCARD spam trap"),
        ("HOLD", "HOLD"),
        ("priority -3", "PRIORITY -3"),
        ("milters sign ,spam", "MILTERS sign, spam"),
        ("MILTERS none", "MILTERS none"),
        ("WARN a\tb", "WARN a b"),
        ("INFO caf\u{e9}", "INFO caf\u{e9}"),
    ] {
        let access = Access::read(text).unwrap();
        assert_eq!(access.to_string(), written, "{text}");
        assert_eq!(Access::read(written), Ok(access), "{text}");
    }
}

#[test]
fn what_is_not_carried_is_refused_by_name() {
    for (text, at, what) in [
        ("", 0, EXPECTED),
        ("FILTER smtp:[x]", 0, "`FILTER` is not carried: give the addresses a next hop in the transport map"),
        (
            "REDIRECT a@b.example",
            0,
            "`REDIRECT` is not carried: name the other address in the virtual alias map",
        ),
        ("PREPEND X-A: b", 0, "`PREPEND` is not carried: header fields are for a milter to add"),
        (
            "permit_mynetworks, reject",
            0,
            "`permit_mynetworks,` is not carried: write OK; who may relay is said by `relay` in the settings",
        ),
        (
            "reject_unknown_client",
            0,
            "`reject_unknown_client` is not carried: a restriction is a setting and not an action here; \
             write REJECT, DEFER or DUNNO",
        ),
        ("550", 0, "`550` alone would mean OK: write `550 text`, or `OK`"),
        ("250 fine", 0, "`250` is no reply code of a refusal: 4NN or 5NN"),
        ("561 no", 0, "561 is no reply code"),
        ("REJECT 4.7.1 later", 7, "4.7.1 does not fit: 5.x.x is expected here"),
        ("450 5.1.1 never", 4, "5.1.1 does not fit: 4.x.x is expected here"),
        ("REJECT caf\u{e9}", 10, "only printable ASCII may stand in a reply"),
        ("OK\u{0}", 2, "control character"),
    ] {
        assert_eq!(Access::read(text), Err(Wrong::at(at, what)), "{text:?}");
    }
    let class = Access::read("my_class").unwrap_err().what;
    assert!(class.starts_with("unknown action `my_class`; OK, DUNNO"), "{class}");
    assert!(Access::read(&format!("REJECT {}", "a".repeat(401))).is_err());
    assert!(Access::read(&format!("WARN {}", "a".repeat(401))).is_err());
}

#[test]
fn a_refusal_is_worded_as_postfix_words_it() {
    let told = |text: &str| match Access::read(text) {
        Ok(Access::Refuse(refusal)) => refusal.reply("Client host", "Access denied").to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(told("REJECT"), "554 5.7.1 Client host rejected: Access denied");
    assert_eq!(told("DEFER"), "450 4.7.1 Client host rejected: Access denied");
    assert_eq!(told("521 5.3.2 gone"), "521 5.3.2 Client host rejected: gone");
}

#[test]
fn filters_are_chosen_by_client_and_by_names_that_there_are() {
    for text in ["MILTERS", "MILTERS a,,b", "MILTERS a b", "MILTERS a, none"] {
        let wrong = Access::read(text).unwrap_err();
        assert_eq!(wrong.what, "filters by name with commas between them, or `none`, are expected", "{text}");
    }
    assert_eq!(Access::read("MILTERS a, a").unwrap_err().what, "the filter `a` is asked twice");
    let chosen = || Access::read("MILTERS sign").unwrap();
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        chosen().by_client(true).and_then(|access| access.of_milters(&known(&["sign"]))),
        Ok(chosen())
    );
    let none = Access::read("MILTERS none").unwrap();
    assert_eq!(none.clone().of_milters(&known(&[])), Ok(none));
    let what = |refused: Result<Access, Wrong>| refused.unwrap_err().what;
    assert_eq!(
        what(chosen().of_milters(&known(&["spam", "virus"]))),
        "unknown filter `sign`; the settings name spam, virus"
    );
    assert_eq!(what(chosen().of_milters(&known(&[]))), "unknown filter `sign`: the settings name none");
    let misplaced = "`MILTERS` is by client: write it into the table of clients";
    assert_eq!(what(chosen().by_client(false)), misplaced);
}
