//! Words as octets, appended and taken off the front.

use switchyard_smtp::address::{ForwardPath, Host, LocalPart, Mailbox, ReversePath};
use switchyard_smtp::envelope::{Body, Notify, Orcpt, Recipient, Ret, Sender, TransactionId};
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::Attributes;

use super::{Malformed, Place, Read};
use crate::spool::message::{Held, Holder, Outcome, from_micros, to_micros};

/// Appends words. Texts longer than 64 KiB do not occur: each comes out of an SMTP line or is cut before.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.octet(u8::from(value));
    }

    pub(super) fn number(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn wide(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.0.extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn mailbox(&mut self, mailbox: &Mailbox) {
        self.text(mailbox.local.as_str());
        self.text(&mailbox.host.to_string());
    }

    pub(super) fn sender(&mut self, sender: &Sender) {
        self.optional(sender.reverse_path.mailbox(), Self::mailbox);
        self.octet(match sender.body {
            Body::SevenBit => 0,
            Body::EightBitMime => 1,
            Body::BinaryMime => 2,
        });
        self.flag(sender.smtputf8);
        self.optional(sender.size, Self::wide);
        self.optional(sender.ret, |out, ret| out.flag(ret == Ret::Full));
        self.optional(sender.envid.as_deref(), Self::text);
        self.optional(sender.transaction, |out, id| out.0.extend_from_slice(&id.0.to_le_bytes()));
    }

    pub(super) fn recipient(&mut self, recipient: &Recipient) {
        self.optional(recipient.forward_path.mailbox(), Self::mailbox);
        self.optional(recipient.notify, |out, notify| {
            out.octet(u8::from(notify.success) | u8::from(notify.failure) << 1 | u8::from(notify.delay) << 2);
        });
        self.optional(recipient.orcpt.as_ref(), |out, orcpt| {
            out.text(&orcpt.address_type);
            out.text(&orcpt.address);
        });
    }

    pub(super) fn attributes(&mut self, from: &Attributes) {
        for word in [&from.name, &from.helo, &from.protocol, &from.ident] {
            self.optional(word.as_deref(), Self::text);
        }
        self.optional(from.address, |out, address| out.text(&address.to_string()));
        self.optional(from.port, |out, port| out.number(u32::from(port)));
    }

    /// What belongs to a [`hold_tag`].
    pub(super) fn held(&mut self, held: Option<&Held>) {
        if let Some(held) = held {
            self.text(&held.reason);
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        self.wide(to_micros(outcome.at).cast_unsigned());
        self.octet(outcome.status.class);
        self.number(u32::from(outcome.status.subject) << 16 | u32::from(outcome.status.detail));
        self.text(&outcome.remote_mta);
        self.text(&outcome.diagnostic);
        self.flag(outcome.reported);
    }
}

/// Who holds a message, as an octet.
pub(super) fn hold_tag(held: Option<&Held>) -> u8 {
    match held.map(|held| held.by) {
        None => 0,
        Some(Holder::Map) => HELD_BY_MAP,
        Some(Holder::Hand) => HELD_BY_HAND,
    }
}

/// A map's hold as records of old have it: without a word of its reason.
const HELD_SILENTLY: u8 = 1;
const HELD_BY_MAP: u8 = 2;
const HELD_BY_HAND: u8 = 3;

/// Takes words off the front; every one of them may be missing.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn octet(&mut self) -> Read<u8> {
        Ok(u8::from_le_bytes(self.fixed()?))
    }

    pub(super) fn flag(&mut self) -> Read<bool> {
        match self.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(super) fn number(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.fixed()?))
    }

    pub(super) fn wide(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.fixed()?))
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.fixed()?));
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A counted list. Each item takes an octet at least, so no count makes us ask for more than is there.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.number()? as usize;
        if count > self.0.len() {
            return Err(Malformed);
        }
        (0..count).map(|_| read(self)).collect()
    }

    pub(super) fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(super) fn place(&mut self) -> Read<Place> {
        match self.octet()? {
            0 => Ok(Place::Inline { added: self.number()?, wire: self.number()? }),
            1 => Ok(Place::Blob { added: self.number()?, wire: self.wide()?, sum: self.number()? }),
            _ => Err(Malformed),
        }
    }

    pub(super) fn mailbox(&mut self) -> Read<Mailbox> {
        let local = LocalPart::new(self.text()?).map_err(|_| Malformed)?;
        let host = Host::parse(self.text()?).map_err(|_| Malformed)?;
        Ok(Mailbox { local, host })
    }

    pub(super) fn sender(&mut self) -> Read<Sender> {
        let reverse_path = self.optional(Self::mailbox)?.map_or(ReversePath::Null, ReversePath::Mailbox);
        let body = match self.octet()? {
            0 => Body::SevenBit,
            1 => Body::EightBitMime,
            2 => Body::BinaryMime,
            _ => return Err(Malformed),
        };
        Ok(Sender {
            reverse_path,
            body,
            smtputf8: self.flag()?,
            size: self.optional(Self::wide)?,
            ret: self.optional(Self::flag)?.map(|full| if full { Ret::Full } else { Ret::Hdrs }),
            envid: self.optional(Self::text)?.map(Into::into),
            // It stands behind the recipients.
            priority: None,
            transaction: self.optional(|input| Ok(TransactionId(u128::from_le_bytes(input.fixed()?))))?,
            // The message's own hold is kept with the message.
            hold: None,
        })
    }

    pub(super) fn recipient(&mut self) -> Read<Recipient> {
        let forward_path =
            self.optional(Self::mailbox)?.map_or(ForwardPath::Postmaster, ForwardPath::Mailbox);
        let notify = self.optional(Self::octet)?;
        if notify.is_some_and(|bits| bits > 7) {
            return Err(Malformed);
        }
        let wanted =
            |bits: u8| Notify { success: bits & 1 != 0, failure: bits & 2 != 0, delay: bits & 4 != 0 };
        let orcpt = self.optional(|input| {
            Ok(Orcpt { address_type: input.text()?.into(), address: input.text()?.into() })
        })?;
        Ok(Recipient { forward_path, notify: notify.map(wanted), orcpt })
    }

    pub(super) fn attributes(&mut self) -> Read<Attributes> {
        let mut word = || -> Read<Option<Box<str>>> { Ok(self.optional(Self::text)?.map(Into::into)) };
        let (name, helo, protocol, ident) = (word()?, word()?, word()?, word()?);
        let address =
            self.optional(Self::text)?.map(|text| text.parse().map_err(|_| Malformed)).transpose()?;
        let port = self.optional(Self::number)?;
        let port = port.map(|port| u16::try_from(port).map_err(|_| Malformed)).transpose()?;
        Ok(Attributes { name, address, port, helo, protocol, ident })
    }

    /// What belongs to a [`hold_tag`].
    pub(super) fn held(&mut self, tag: u8) -> Read<Option<Held>> {
        let by = match tag {
            0 => return Ok(None),
            HELD_SILENTLY => return Ok(Some(Held { by: Holder::Map, reason: "".into() })),
            HELD_BY_MAP => Holder::Map,
            HELD_BY_HAND => Holder::Hand,
            _ => return Err(Malformed),
        };
        Ok(Some(Held { by, reason: self.text()?.into() }))
    }

    pub(super) fn outcome(&mut self) -> Read<Outcome> {
        let at = from_micros(self.wide()?.cast_signed());
        let class = self.octet()?;
        let rest = self.number()?;
        Ok(Outcome {
            at,
            status: EnhancedStatus::new(class, (rest >> 16) as u16, rest as u16),
            remote_mta: self.text()?.into(),
            diagnostic: self.text()?.into(),
            reported: self.flag()?,
        })
    }
}
