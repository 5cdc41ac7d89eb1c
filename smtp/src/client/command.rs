//! Commands as they go out. What they are made of was parsed here or elsewhere; nothing in them ends a line but
//! the CR LF that is put there at the end.

use std::fmt::Write;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use crate::envelope::{Body, Orcpt, Recipient, Ret, Sender};
use crate::extension::{Extensions, to_xtext};
use crate::wire::command::Attributes;

/// What MAIL says beside the sender's own wishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct MailParameters {
    pub(super) size: u64,
    pub(super) body: Body,
    pub(super) smtputf8: bool,
    pub(super) with_transaction: bool,
}

// Writing to a BytesMut can't fail.

/// `MAIL FROM:<…>` with the parameters that this peer knows (RFC 5321 §4.1.1.2).
pub(super) fn mail(output: &mut BytesMut, sender: &Sender, parameters: MailParameters, peer: &Extensions) {
    let _ = write!(output, "MAIL FROM:{}", sender.reverse_path);
    if peer.size.is_some() {
        // RFC 1870 §5.
        let _ = write!(output, " SIZE={}", parameters.size);
    }
    match parameters.body {
        Body::SevenBit => {}
        Body::EightBitMime => output.extend_from_slice(b" BODY=8BITMIME"),
        Body::BinaryMime => output.extend_from_slice(b" BODY=BINARYMIME"),
    }
    if parameters.smtputf8 {
        output.extend_from_slice(b" SMTPUTF8");
    }
    if peer.dsn {
        match sender.ret {
            None => {}
            Some(Ret::Full) => output.extend_from_slice(b" RET=FULL"),
            Some(Ret::Hdrs) => output.extend_from_slice(b" RET=HDRS"),
        }
        if let Some(envid) = &sender.envid {
            let _ = write!(output, " ENVID={}", to_xtext(envid));
        }
    }
    if let Some(priority) = sender.priority.filter(|_| peer.priority) {
        // RFC 6710: told to the next hop that knows it.
        let _ = write!(output, " MT-PRIORITY={priority}");
    }
    if let Some(transaction) = sender.transaction.filter(|_| parameters.with_transaction) {
        let _ = write!(output, " XTXN={transaction}");
    }
    if let Some(reason) = sender.hold.as_ref().filter(|_| parameters.with_transaction) {
        let _ = write!(output, " XHOLD={}", to_xtext(reason));
    }
    output.extend_from_slice(b"\r\n");
}

/// `RCPT TO:<…>` with the parameters that this peer knows (RFC 5321 §4.1.1.3).
pub(super) fn rcpt(output: &mut BytesMut, recipient: &Recipient, smtputf8: bool, peer: &Extensions) {
    let _ = write!(output, "RCPT TO:{}", recipient.forward_path);
    if peer.dsn {
        if let Some(notify) = recipient.notify {
            let _ = write!(output, " NOTIFY={notify}");
        }
        if let Some(orcpt) = &recipient.orcpt {
            let _ = write!(output, " ORCPT={}", orcpt_value(orcpt, smtputf8));
        }
    }
    output.extend_from_slice(b"\r\n");
}

/// Knows all that there is to say.
const ALL: Extensions = Extensions {
    pipelining: true,
    eight_bit_mime: true,
    smtputf8: true,
    enhanced_status_codes: true,
    chunking: true,
    binary_mime: true,
    dsn: true,
    starttls: true,
    size: None,
    recipients: None,
    xforward: true,
    xclient: true,
    priority: true,
    xtxn: true,
    xhold: true,
};

/// What MAIL said beside the path, for whoever is told of a transaction in words: `BODY=8BITMIME`, `RET=HDRS`. What
/// our own hosts say to one another is left out.
#[must_use]
pub fn mail_parameters(sender: &Sender) -> Vec<Bytes> {
    let said = MailParameters {
        size: sender.size.unwrap_or_default(),
        body: sender.body,
        smtputf8: sender.smtputf8,
        with_transaction: false,
    };
    let mut line = BytesMut::new();
    mail(&mut line, sender, said, &Extensions { size: sender.size.map(Some), ..ALL });
    words(&line, &format!("MAIL FROM:{}", sender.reverse_path))
}

/// The same of RCPT: `NOTIFY=NEVER`, `ORCPT=rfc822;bob@example.org`.
#[must_use]
pub fn rcpt_parameters(recipient: &Recipient) -> Vec<Bytes> {
    let mut line = BytesMut::new();
    rcpt(&mut line, recipient, true, &ALL);
    words(&line, &format!("RCPT TO:{}", recipient.forward_path))
}

/// The words behind the head of a line.
fn words(line: &[u8], head: &str) -> Vec<Bytes> {
    let rest = line.strip_prefix(head.as_bytes()).unwrap_or_default();
    let rest = rest.strip_suffix(b"\r\n").unwrap_or(rest);
    rest.split(|octet| *octet == b' ').filter(|word| !word.is_empty()).map(Bytes::copy_from_slice).collect()
}

/// RFC 3461 §4.2; an address of type `utf-8` has its own escapes (RFC 6533 §3) and is kept with them.
fn orcpt_value(orcpt: &Orcpt, smtputf8: bool) -> String {
    if !orcpt.address_type.eq_ignore_ascii_case("utf-8") {
        return format!("{};{}", to_xtext(&orcpt.address_type), to_xtext(&orcpt.address));
    }
    let mut value = String::from("utf-8;");
    for character in orcpt.address.chars() {
        match character {
            '!'..='~' if character != '+' && character != '=' => value.push(character),
            _ if smtputf8 && !character.is_ascii() && !character.is_control() => value.push(character),
            // Writing to a String can't fail.
            _ => drop(write!(value, "\\x{{{:X}}}", u32::from(character))),
        }
    }
    value
}

/// `XFORWARD`: where the mail that follows came from; what is not known is said to be so.
pub(super) fn xforward(output: &mut BytesMut, from: &Attributes) {
    output.extend_from_slice(b"XFORWARD");
    let mut attribute = |name: &str, value: Option<&str>| {
        let _ = match value {
            Some(value) => write!(output, " {name}={}", to_xtext(value)),
            None => write!(output, " {name}=[UNAVAILABLE]"),
        };
    };
    let address = from.address.map(written);
    let port = from.port.map(|port| port.to_string());
    attribute("NAME", from.name.as_deref());
    attribute("ADDR", address.as_deref());
    attribute("PORT", port.as_deref());
    attribute("PROTO", from.protocol.as_deref());
    attribute("HELO", from.helo.as_deref());
    attribute("IDENT", from.ident.as_deref());
    output.extend_from_slice(b"\r\n");
}

/// `XCLIENT`: whom we stand for; what is not known of it is said to be so.
pub(super) fn xclient(output: &mut BytesMut, client: &Attributes) {
    let address = client.address.map(written);
    output.extend_from_slice(b"XCLIENT");
    for (name, value) in [("NAME", client.name.as_deref()), ("ADDR", address.as_deref())] {
        let _ = match value {
            Some(value) => write!(output, " {name}={}", to_xtext(value)),
            None => write!(output, " {name}=[UNAVAILABLE]"),
        };
    }
    output.extend_from_slice(b"\r\n");
}

/// An address as Postfix writes it here.
fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{ForwardPath, ReversePath};
    use crate::envelope::{Notify, TransactionId};
    use crate::priority::Priority;
    use crate::wire::command::Command;

    fn line(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut output = BytesMut::new();
        write(&mut output);
        String::from_utf8(output.to_vec()).unwrap()
    }

    fn everything() -> Extensions {
        Extensions { dsn: true, size: Some(None), priority: true, ..Extensions::default() }
    }

    #[test]
    fn mail_with_everything_and_with_nothing() {
        let sender = Sender {
            ret: Some(Ret::Hdrs),
            envid: Some("a+b c".into()),
            priority: Priority::new(4),
            transaction: Some(TransactionId(0xabc)),
            hold: Some("to look at".into()),
            ..Sender::new(ReversePath::parse("<\"a b\"@example.org>").unwrap())
        };
        let all =
            MailParameters { size: 12, body: Body::EightBitMime, smtputf8: true, with_transaction: true };
        let text = line(|output| mail(output, &sender, all, &everything()));
        assert_eq!(
            text,
            "MAIL FROM:<\"a b\"@example.org> SIZE=12 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+20c MT-PRIORITY=4 XTXN=00000000000000000000000000000abc XHOLD=to+20look+20at\r\n"
        );
        let Ok(Command::Mail(read)) = Command::parse(text.trim_end().as_bytes()) else {
            panic!("not read back: {text}")
        };
        assert_eq!(
            *read,
            Sender { size: Some(12), body: Body::EightBitMime, smtputf8: true, ..sender.clone() }
        );
        let none =
            MailParameters { size: 12, body: Body::SevenBit, smtputf8: false, with_transaction: false };
        assert_eq!(
            line(|output| mail(output, &sender, none, &Extensions::default())),
            "MAIL FROM:<\"a b\"@example.org>\r\n"
        );
    }

    #[test]
    fn a7_orcpt_is_encoded_again() {
        let mut recipient = Recipient {
            notify: Some(Notify { success: true, delay: true, failure: false }),
            orcpt: Some(Orcpt { address_type: "rfc822".into(), address: "a+b=c@example.org".into() }),
            ..Recipient::new(ForwardPath::parse("<b@example.org>").unwrap())
        };
        let text = line(|output| rcpt(output, &recipient, false, &everything()));
        assert_eq!(
            text,
            "RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.org\r\n"
        );
        let Ok(Command::Rcpt(read)) = Command::parse(text.trim_end().as_bytes()) else {
            panic!("not read back: {text}")
        };
        assert_eq!(*read, recipient);
        recipient.orcpt =
            Some(Orcpt { address_type: "utf-8".into(), address: "jos\u{e9}@example.org".into() });
        recipient.notify = None;
        for (smtputf8, address) in [(true, "jos\u{e9}@example.org"), (false, "jos\\x{E9}@example.org")] {
            let text = line(|output| rcpt(output, &recipient, smtputf8, &everything()));
            assert_eq!(text, format!("RCPT TO:<b@example.org> ORCPT=utf-8;{address}\r\n"));
        }
        assert_eq!(
            line(|output| rcpt(output, &recipient, true, &Extensions::default())),
            "RCPT TO:<b@example.org>\r\n"
        );
    }

    #[test]
    fn a5_nothing_ends_a_line_early() {
        let from = Attributes {
            name: Some("a\r\nDATA".into()),
            address: Some("2001:db8::1".parse().unwrap()),
            helo: Some("x y=z".into()),
            ..Attributes::default()
        };
        let text = line(|output| xforward(output, &from));
        assert_eq!(
            text,
            "XFORWARD NAME=a+0D+0ADATA ADDR=IPV6:2001:db8::1 PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=x+20y+3Dz IDENT=[UNAVAILABLE]\r\n"
        );
        let orcpt = Orcpt { address_type: "x\r\ny".into(), address: "utf\n8".into() };
        assert_eq!(orcpt_value(&orcpt, true), "x+0D+0Ay;utf+0A8");
        let orcpt = Orcpt { address_type: "utf-8".into(), address: "a\r\u{85}b".into() };
        assert_eq!(orcpt_value(&orcpt, true), "utf-8;a\\x{D}\\x{85}b");
    }
}
