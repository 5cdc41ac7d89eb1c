//! A message on its way out.

use super::*;
use crate::{Leaving, Left};

/// Asks about a copy of the message for `[gw.example]:25`.
async fn leave(house: &House, recipients: &[&str]) -> Left {
    let mut mail = mail();
    mail.envelope.recipients = recipients.iter().map(|path| recipient(path)).collect();
    let client = behind("198.51.100.7", "a.example");
    let leaving =
        Leaving { client: &client, id: "4XyZ", transport: "lmtp", next_hop: "[gw.example]:25", mail };
    let mut session = asking(house);
    let left = session.leave(leaving).await;
    session.close();
    left
}

fn recipients(judged: &Judged) -> Vec<String> {
    let paths = judged.mail.envelope.recipients.iter();
    paths.map(|recipient| recipient.forward_path.to_string()).collect()
}

#[tokio::test]
async fn m8_a_message_that_leaves_is_told_with_its_client_and_its_next_hop() {
    let edits = vec![
        Edit::DelRcpt("<dora@example.net>".into()),
        Edit::ReplBody("other\r\n".into()),
        Edit::Quarantine("odd".into()),
    ];
    let house = House::start(&[("carol", Action::Tempfail)], edits);
    let left = leave(&house, &["<bob@example.net>", "<carol@example.net>", "<dora@example.net>"]).await;
    assert_eq!(left.refused, [(1, table::FILTER_DEFERS)]);
    let judged = left.rest.unwrap();
    assert_eq!(
        (recipients(&judged), judged.hold.as_deref()),
        (vec!["<bob@example.net>".into()], Some("odd"))
    );
    assert_eq!(judged.mail.content.wire, "Subject: hi\r\n\r\nother\r\n");
    assert_eq!(
        house.told()[..5],
        [
            "connect [198.51.100.7] Inet(198.51.100.7:0) us.example",
            "helo a.example -",
            "mail <ann@example.org> SIZE=120 4XyZ ann@example.org",
            "rcpt <bob@example.net> lmtp bob@example.net",
            "rcpt <carol@example.net> lmtp carol@example.net",
        ]
    );
}

#[tokio::test]
async fn m10_a_recipient_that_a_filter_adds_on_the_way_out_puts_the_message_off() {
    let house = House::start(&[], vec![Edit::AddRcpt(Path::new("<carol@example.net>"))]);
    let left = leave(&house, &["<bob@example.net>"]).await;
    assert!(text(left.rest).starts_with("451 4.7.1 A filter adds <carol@example.net>"));
}

#[tokio::test]
async fn a_message_that_leaves_is_refused_as_a_whole_or_by_recipients() {
    for (answers, refused) in [(&[("mail", Action::Reject)], 0), (&[("rcpt", Action::Reject)], 2)] {
        let house = House::start(answers, Vec::new());
        let left = leave(&house, &["<bob@example.net>", "<carol@example.net>"]).await;
        assert_eq!((left.refused.len(), text(left.rest)), (refused, table::FILTER_REFUSES.to_string()));
        assert!(!house.told().iter().any(|told| told == "end"));
    }
    // Without any filter it goes as it is.
    let client = client();
    let leaving = Leaving { client: &client, id: "4XyZ", transport: "smtp", next_hop: "x", mail: mail() };
    let left = FilterSession::default().leave(leaving).await;
    assert_eq!(left.rest.unwrap().mail.content, mail().content);
}
