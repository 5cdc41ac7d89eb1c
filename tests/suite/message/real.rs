//! Real messages, odd ones among them, through mx and router: byte for byte, or refused with a reason.

use std::collections::{BTreeMap, HashMap};

use switchyard_tests::corpus;
use switchyard_tests::peer::python::{Aiosmtpd, Behaviour, Protocol, Smtplib};
use switchyard_tests::trace;

use super::Chain;

/// A client is told to come again when its session is over; it is not told so for ever.
const ROUNDS: usize = 50;

#[test]
fn every_real_message_arrives_byte_for_byte_or_is_refused_with_a_reason() {
    let messages = corpus::messages();
    let (plain, eight): (Vec<_>, Vec<_>) = messages.iter().partition(|message| !message.is_eight_bit());
    let server = Aiosmtpd::start(Protocol::Smtp, &Behaviour::default());
    let chain = Chain::start(server.address());
    let declared = Smtplib { parameters: vec!["BODY=8BITMIME".into()], ..Smtplib::default() };
    let mut taken: HashMap<&[u8], i64> = HashMap::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    // Many a client sends 8-bit text without a word about it.
    for (client, group) in [(&Smtplib::default(), &plain), (&declared, &eight), (&Smtplib::default(), &eight)]
    {
        let mut left: Vec<&corpus::Message> = group.clone();
        for _ in 0..ROUNDS {
            let contents: Vec<&[u8]> = left.iter().map(|message| &*message.content).collect();
            let answers = client.send(chain.mx.address(), &contents);
            assert_eq!(answers.len(), left.len(), "an answer to each");
            let mut again = Vec::new();
            for (message, (code, text)) in left.into_iter().zip(answers) {
                match code {
                    250 => *taken.entry(&message.content).or_default() += 1,
                    500..=599 => {
                        assert!(text.starts_with("5."), "{}: refused without a reason: {text}", message.name);
                        *refused.entry(format!("{code} {text}")).or_default() += 1;
                    }
                    // The session was over: 421 after too many errors, or a connection already gone.
                    0 | 421 => again.push(message),
                    _ => panic!("{}: {code} {text}", message.name),
                }
            }
            left = again;
            if left.is_empty() {
                break;
            }
        }
        assert!(left.is_empty(), "{} messages never got an answer", left.len());
    }
    chain.await_empty();

    let sent = plain.len() + 2 * eight.len();
    let (said_no, said_yes): (usize, i64) = (refused.values().sum(), taken.values().sum());
    let kept = server.kept();
    for kept in &kept {
        let below = trace::below(&kept.content, 2);
        let count =
            taken.get_mut(below).unwrap_or_else(|| panic!("altered: {}", String::from_utf8_lossy(below)));
        *count -= 1;
    }
    println!(
        "real messages: {sent} sent, {} arrived byte for byte, {said_no} refused: {refused:#?}",
        kept.len()
    );
    assert!(taken.values().all(|&count| count == 0), "none is lost, and none is doubled");
    assert_eq!((kept.len(), kept.len() + said_no), (said_yes as usize, sent));
    assert!(kept.len() >= 200, "only {} arrived", kept.len());
    let odd = messages.iter().filter(|message| message.has_stray_bytes()).count();
    assert!(said_no <= sent / 10 + 2 * odd, "too many are refused: {refused:#?}");
}
