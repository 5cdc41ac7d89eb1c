//! SRS addresses, against those of Mail::SRS, and whatever else may come in.

use proptest::prelude::*;

use super::*;

/// Its day is `G3`.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

fn srs(secrets: &[&str]) -> Srs {
    let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
    let counted = SrsMetrics::register(&Registry::new()).unwrap();
    Srs::new(Domain::parse("srs.example").unwrap(), &secrets, days(21), counted)
}

const NEW: &str = "a new secret for tests";
const OLD: &str = "an old secret for tests";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// Made by Mail::SRS 0.31 with the same secret on the same day.
#[test]
fn addresses_are_those_of_mail_srs() {
    let srs = srs(&[NEW, OLD]);
    for (sender, rewritten) in [
        ("user@sender.example", "SRS0=uUsF=G3=sender.example=user@srs.example"),
        ("User.Name+ext@sender.example", "SRS0=gDr2=G3=sender.example=User.Name+ext@srs.example"),
        ("a=b=c@x.example", "SRS0=Xx39=G3=x.example=a=b=c@srs.example"),
        (
            "SRS0=abcd=TT=orig.example=joe@first.example",
            "SRS1=TcuX=first.example==abcd=TT=orig.example=joe@srs.example",
        ),
        (
            "SRS0+abcd=TT=orig.example=joe@first.example",
            "SRS1=YICt=first.example=+abcd=TT=orig.example=joe@srs.example",
        ),
        (
            "SRS1=XXXX=first.example==abcd=TT=orig.example=joe@second.example",
            "SRS1=TcuX=first.example==abcd=TT=orig.example=joe@srs.example",
        ),
    ] {
        assert_eq!(srs.rewrite(&mailbox(sender), now()), Some(mailbox(rewritten)), "{sender}");
    }
    for (rewritten, sender) in [
        ("SRS0=uUsF=G3=sender.example=user@srs.example", "user@sender.example"),
        ("srs0=uusf=g3=sender.example=user@srs.example", "user@sender.example"),
        ("SRS0=ePK9=G3=sender.example=user@srs.example", "user@sender.example"),
        (
            "SRS1=YICt=first.example=+abcd=TT=orig.example=joe@srs.example",
            "SRS0+abcd=TT=orig.example=joe@first.example",
        ),
    ] {
        assert!(srs.is_rewritten(&mailbox(rewritten)));
        assert_eq!(srs.reverse(&mailbox(rewritten), now()), Ok(mailbox(sender)), "{rewritten}");
    }
}

#[test]
fn a_second_secret_verifies_and_a_strange_one_does_not() {
    let made = srs(&[OLD]).rewrite(&mailbox("user@sender.example"), now()).unwrap();
    assert_eq!(srs(&[NEW, OLD]).reverse(&made, now()), Ok(mailbox("user@sender.example")));
    assert_eq!(srs(&[NEW]).reverse(&made, now()), Err(BadSrs::Forged));
    for forged in [
        "SRS0=uUsG=G3=sender.example=user@srs.example",
        "SRS0=uUsF=G4=sender.example=user@srs.example",
        "SRS0=uUsF=G3=sender.example=other@srs.example",
        "SRS0=uUs=G3=sender.example=user@srs.example",
        "SRS0==G3=sender.example=user@srs.example",
        "SRS0=uUsF@srs.example",
        "SRS0=@srs.example",
        "SRS1=uUsF=first.example=abcd@srs.example",
        "SRS1=TcuX=other.example==abcd=TT=orig.example=joe@srs.example",
    ] {
        assert_eq!(srs(&[NEW]).reverse(&mailbox(forged), now()), Err(BadSrs::Forged), "{forged}");
    }
    for other in ["user@srs.example", "SRS0@srs.example", "SRS2=a=b=c=d@srs.example", "SRS0=a@else.example"] {
        assert!(!srs(&[NEW]).is_rewritten(&mailbox(other)), "{other}");
    }
}

#[test]
fn an_address_grows_old() {
    let srs = srs(&[NEW]);
    let made = srs.rewrite(&mailbox("user@sender.example"), now()).unwrap();
    for (later, good) in [(0, true), (21, true), (22, false), (500, false)] {
        assert_eq!(srs.reverse(&made, now() + days(later)).is_ok(), good, "{later} days later");
    }
    assert!(srs.reverse(&made, now() - days(1)).is_ok(), "another host's clock is ahead");
    assert_eq!(srs.reverse(&made, now() - days(2)), Err(BadSrs::Expired));
    // The count of days begins anew every 1,024 days.
    let late = now() + days(1023 - today(now()));
    let made = srs.rewrite(&mailbox("user@sender.example"), late).unwrap();
    assert!(srs.reverse(&made, late + days(3)).is_ok());
}

#[test]
fn what_has_no_room_stays_as_it_is() {
    let srs = srs(&[NEW]);
    let local = "a".repeat(64 - "SRS0=HHHH=TT=sender.example=".len());
    assert!(srs.rewrite(&mailbox(&format!("{local}@sender.example")), now()).is_some());
    assert_eq!(srs.rewrite(&mailbox(&format!("{local}a@sender.example")), now()), None);
    assert_eq!(srs.rewrite(&mailbox("user@[192.0.2.1]"), now()), None);
}

#[test]
fn a_secret_is_read_without_its_line_end_and_is_no_short_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let options = SrsOptions {
        domain: Domain::parse("srs.example").unwrap(),
        secrets: vec![path.clone()],
        max_age: days(21),
    };
    let load = || Srs::load(&options, SrsMetrics::register(&Registry::new()).unwrap());
    let said = |loaded: Result<Srs, SrsError>| loaded.unwrap_err().to_string();
    assert!(said(load()).contains("No such file"));
    for (text, octets) in [("\n".to_owned(), 0), ("short\n".into(), 5), ("a".repeat(2000), 1025)] {
        put(&path, &text);
        assert!(said(load()).ends_with(&format!("{octets} octets; 8 to 1024 are expected")));
    }
    put(&path, &format!("{NEW}\n"));
    let made = load().unwrap().rewrite(&mailbox("user@sender.example"), now());
    assert_eq!(made, Some(mailbox("SRS0=uUsF=G3=sender.example=user@srs.example")));
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

proptest! {
    #[test]
    fn what_goes_comes_back(local in "[ -~]{1,24}", label in "[a-z]{1,12}") {
        let srs = srs(&[NEW]);
        let Ok(local) = LocalPart::new(&local) else { return Ok(()) };
        let sender = Mailbox { local, host: Host::parse(&format!("{label}.example")).unwrap() };
        let made = srs.rewrite(&sender, now()).unwrap();
        // As it goes over the wire.
        let read = mailbox(&made.to_string());
        prop_assert!(srs.is_rewritten(&read));
        prop_assert_eq!(srs.reverse(&read, now()), Ok(sender));
        // The next forwarder's reverse is ours again.
        let next = srs.rewrite(&made, now());
        if let Some(next) = next {
            prop_assert_eq!(srs.reverse(&next, now()), Ok(made));
        }
    }

    #[test]
    fn nothing_that_comes_in_panics(local in "(?i:srs[01])[=+-]\\PC{0,40}") {
        let Ok(local) = LocalPart::new(&local) else { return Ok(()) };
        let mailbox = Mailbox { local, host: Host::parse("srs.example").unwrap() };
        prop_assert!(srs(&[NEW]).reverse(&mailbox, now()).is_err());
    }
}
