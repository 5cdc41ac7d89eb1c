//! Whatever a peer says, in whatever order: the transaction ends, and success means success.

use proptest::prelude::*;

use super::*;
use crate::address::{ForwardPath, ReversePath};
use crate::client::dialogue::{AfterHello, ExpectGreeting};
use crate::client::{Protocol, Transfer};
use crate::envelope::{Recipient, Sender, TransactionId};
use crate::reply::{ReplyCode, table};

fn ready(protocol: Protocol, offers: &str) -> Ready {
    let hello = ExpectGreeting::new(protocol, "c.example").reply(table::GREETING).unwrap();
    match hello.reply(table::HELLO.with_text(format!("mx.example{offers}"))) {
        Ok(AfterHello::Ready(ready)) => ready,
        other => panic!("250 is a yes: {other:?}"),
    }
}

/// What the peer does next.
#[derive(Debug, Clone, Copy)]
enum Does {
    Says(u16),
    /// Takes only so many octets of what is written, and speaks before it has the rest.
    TakesOnly(usize),
    HangsUp,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        12 => Just(Does::Says(250)),
        6 => Just(Does::Says(354)),
        2 => Just(Does::Says(550)),
        2 => Just(Does::Says(450)),
        1 => Just(Does::Says(421)),
        1 => (0usize..200).prop_map(Does::TakesOnly),
        1 => Just(Does::HangsUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn p2_p3_p4_success_is_a_yes_after_the_last_octet(
        peer in proptest::collection::vec(does(), 0..16),
        recipients in 1usize..4,
        lmtp in any::<bool>(),
        offers in prop_oneof![Just(""), Just("\nPIPELINING"), Just("\nPIPELINING\nCHUNKING\nXTXN")],
        transfer in prop_oneof![Just(Transfer::Data), Just(Transfer::Chunk), Just(Transfer::Whole)],
    ) {
        let mut ready = ready(if lmtp { Protocol::Lmtp } else { Protocol::Smtp }, offers);
        let to = Recipient::new(ForwardPath::Postmaster);
        let sender = Sender { transaction: Some(TransactionId(1)), ..Sender::new(ReversePath::Null) };
        let content = Content::from_wire(Bytes::from_static(b"S: x\r\n\r\nbody\r\n"));
        let delivery = Delivery { sender: &sender, recipients: &vec![&to; recipients], content: &content, forwarded: None, transfer };
        let mut transaction = ready.begin(&delivery);

        let (mut peer, mut out, mut pending) = (peer.into_iter(), Vec::new(), 0);
        let mut content_was_out = false;
        let mut yeses_since = 0;
        for _ in 0..200 {
            match transaction.step() {
                Step::Done => break,
                Step::Write(parts) => {
                    out.extend(parts.concat());
                    pending += parts.iter().map(Bytes::len).sum::<usize>();
                    if let Some(Does::TakesOnly(octets)) = peer.clone().next() {
                        peer.next();
                        let taken = octets.min(pending.saturating_sub(1));
                        transaction.wrote(taken);
                        pending -= taken;
                        transaction.reply(&table::OK);
                    }
                    transaction.wrote(pending);
                    pending = 0;
                    let text = String::from_utf8_lossy(&out);
                    content_was_out |= text.ends_with("body\r\n.\r\n") || text.ends_with("body\r\n");
                }
                Step::Read(verb) => match peer.next() {
                    Some(Does::Says(code)) => {
                        let reply = Reply { code: ReplyCode::new(code).unwrap(), ..table::OK };
                        let is_last = matches!(verb, Verb::EndOfData | Verb::Bdat);
                        yeses_since += usize::from(is_last && content_was_out && code == 250);
                        transaction.reply(&reply);
                    }
                    Some(Does::TakesOnly(_)) => {}
                    Some(Does::HangsUp) | None => transaction.lose(Loss::Closed),
                },
            }
        }
        prop_assert!(matches!(transaction.step(), Step::Done), "it ends");
        let outcome = transaction.finish(&mut ready);
        prop_assert_eq!(outcome.recipients.len(), recipients);
        let accepted = outcome.recipients.iter().filter(|one| one.is_accepted()).count();
        // LMTP says yes to each, SMTP to all at once.
        let most = if lmtp { yeses_since } else { recipients * yeses_since };
        prop_assert!(accepted <= most, "{:?}", outcome);
        prop_assert!(!outcome.is_ambiguous() || content_was_out);
        if outcome.lost.is_none() {
            let lost = outcome.recipients.iter().any(|one| matches!(one, RecipientOutcome::Lost { .. }));
            prop_assert!(!lost, "nobody is left without an answer: {:?}", outcome);
        }
    }
}
