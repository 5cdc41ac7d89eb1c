//! The mail filters that are asked about mail on its way out, before an attempt at its next hop.
//!
//! Each next hop has a copy of its own: what a filter changes is in that copy alone and for that attempt, and the
//! message in the spool stays as it came. So a filter that is asked again at the next attempt sees it as it was.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use switchyard_maps::{Destination, Hop, Nexthop, Transport};
use switchyard_milter_mta::{Filters, Judged, Leaving, Left};
use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::envelope::{Content, Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::io::memory::MemoryShare;
use switchyard_smtp::reply::{Reply, ReplyKind};
use switchyard_smtp::server::Client;
use switchyard_smtp::status::EnhancedStatus;
use switchyard_smtp::wire::command::{Attributes, Greeting};

use super::{Fate, Verdict};

/// The filters that are asked, in their order.
#[derive(Debug, Clone)]
pub struct Outgoing {
    filters: Arc<Filters>,
    asked: Arc<[AskedBefore]>,
    hello_name: Arc<str>,
}

/// A filter, and the mail that it is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBefore {
    /// Its name.
    pub filter: Box<str>,
    /// Where that mail goes: to one of these, or anywhere if there is none.
    pub only: Vec<WayOut>,
}

/// A part of all ways out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// By this protocol.
    pub transport: Option<Transport>,
    /// To this next hop, as it stands in a map.
    pub nexthop: Option<Nexthop>,
}

/// What is asked about: some recipients of a message, and what they are to get.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The message's name.
    pub id: String,
    /// Whose it is.
    pub whose: Whose<'a>,
    /// From whom.
    pub sender: &'a Sender,
    /// To whom.
    pub envelope: &'a Envelope,
    /// Which of the envelope's recipients.
    pub recipients: &'a [u32],
    /// What.
    pub content: &'a Content,
}

/// Whose mail a message is.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// A client.
    Client(&'a Attributes),
    /// Some client, of which nothing is known any more.
    Somebody,
    /// We made it.
    Us,
}

/// What filters say.
#[derive(Debug)]
pub struct Answer {
    /// Of recipients to whom nothing goes.
    pub fates: Vec<(u32, Fate)>,
    /// Why the message is to be held; nothing of it goes anywhere now.
    pub hold: Option<String>,
    /// What goes, and to whom.
    pub going: Option<Going>,
}

/// What goes, as the filters leave it.
#[derive(Debug)]
pub struct Going {
    /// From whom.
    pub sender: Sender,
    /// Which of the envelope's recipients.
    pub recipients: Vec<u32>,
    /// What.
    pub content: Content,
    /// The room that what was changed takes.
    _share: Option<MemoryShare>,
}

impl Outgoing {
    /// Asks these filters.
    #[must_use]
    pub fn new(filters: Arc<Filters>, asked: Vec<AskedBefore>, hello_name: &str) -> Self {
        Self { filters, asked: asked.into(), hello_name: hello_name.into() }
    }

    /// The names of those that are asked about mail to a destination, in their order.
    #[must_use]
    pub fn of(&self, destination: &Destination) -> Vec<Box<str>> {
        asked_about(&self.asked, destination).map(Box::from).collect()
    }

    /// All of them, and what each is asked about.
    #[must_use]
    pub fn asked(&self) -> &[AskedBefore] {
        &self.asked
    }

    /// Asks about a copy. With `released` no filter holds it again: a hand has released it.
    pub async fn ask(
        &self,
        names: &[Box<str>],
        destination: &Destination,
        shown: Shown<'_>,
        released: bool,
    ) -> Answer {
        let Shown { id, whose, sender, envelope, recipients, content } = shown;
        let known = |place: &u32| Some((*place, envelope.recipients.get(*place as usize)?.clone()));
        let (places, recipients) = recipients.iter().filter_map(known).unzip::<_, _, Vec<u32>, Vec<_>>();
        let envelope = Envelope { sender: sender.clone(), recipients: recipients.clone() };
        let client = whose.client(&self.hello_name);
        let leaving = Leaving {
            client: &client,
            id: &id,
            transport: destination.transport.as_str(),
            next_hop: &destination.nexthop.to_string(),
            mail: MailObject { envelope, content: content.clone() },
        };
        let mut session = self.filters.session(Some(names));
        let left = session.leave(leaving).await;
        session.close();
        answer(left, places.into_iter().zip(recipients).collect(), released)
    }
}

/// What filters say of these recipients.
fn answer(left: Left, mut open: Vec<(u32, Recipient)>, released: bool) -> Answer {
    let Left { refused, rest } = left;
    let of_one = |(index, reply): (usize, Reply)| Some((open.get(index)?.0, said(&reply)));
    let mut fates: Vec<(u32, Fate)> = refused.into_iter().filter_map(of_one).collect();
    open.retain(|(place, _)| !fates.iter().any(|(refused, _)| refused == place));
    let stopped = |mut fates: Vec<(u32, Fate)>, fate: &Fate, hold| {
        fates.extend(open.iter().map(|(place, _)| (*place, fate.clone())));
        Answer { fates, hold, going: None }
    };
    let Judged { mail, hold, discard, share } = match rest {
        Ok(judged) => judged,
        Err(reply) => return stopped(fates, &said(&reply), None),
    };
    if let Some(why) = discard {
        return stopped(fates, &dropped(why), None);
    }
    if let Some(reason) = hold.filter(|_| !released) {
        let text = format!("held by a filter: {reason}");
        let fate = Fate::local(Verdict::Deferred, EnhancedStatus::new(4, 7, 1), text);
        return stopped(fates, &fate, Some(reason));
    }
    let MailObject { envelope, content } = mail;
    let left = |path: &ForwardPath| envelope.recipients.iter().any(|left| left.forward_path == *path);
    let (going, gone): (Vec<_>, Vec<_>) =
        open.iter().partition(|(_, recipient)| left(&recipient.forward_path));
    fates.extend(gone.into_iter().map(|(place, _)| (*place, dropped("a filter took this recipient away"))));
    let recipients = going.into_iter().map(|(place, _)| *place).collect();
    let going = Going { sender: envelope.sender, recipients, content, _share: share };
    Answer { fates, hold: None, going: Some(going) }
}

/// The names of those that are asked about mail to a destination, in their order.
pub(crate) fn asked_about<'a>(
    asked: &'a [AskedBefore],
    destination: &Destination,
) -> impl Iterator<Item = &'a str> {
    let is_asked = move |asked: &&AskedBefore| {
        asked.only.is_empty() || asked.only.iter().any(|way| way.leads_to(destination))
    };
    asked.iter().filter(is_asked).map(|asked| &*asked.filter)
}

impl WayOut {
    fn leads_to(&self, destination: &Destination) -> bool {
        let to = match (&self.nexthop, &destination.nexthop) {
            (None, _) => true,
            // Which of a pool's members it is makes no other pool of it.
            (Some(Nexthop::Pool(wanted)), Nexthop::Hashed { pool, .. }) => wanted == pool,
            (Some(Nexthop::Hops(wanted)), Nexthop::Hops(hops)) => {
                let usual = destination.transport.port();
                wanted.iter().map(|hop| at_port(hop, usual)).eq(hops.iter().map(|hop| at_port(hop, usual)))
            }
            (Some(wanted), nexthop) => wanted == nexthop,
        };
        to && self.transport.is_none_or(|transport| transport == destination.transport)
    }
}

/// A hop with its port: `[gw.example]` by SMTP is `[gw.example]:25`.
fn at_port(hop: &Hop, usual: u16) -> Hop {
    let mut hop = hop.clone();
    if let Hop::Mx { port, .. } | Hop::Host { port, .. } = &mut hop {
        port.get_or_insert(usual);
    }
    hop
}

impl Whose<'_> {
    /// As filters are told of it.
    fn client(self, hello_name: &str) -> Client {
        let (address, forwarded) = match self {
            Self::Client(from) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Some(Box::new(from.clone()))),
            // In no network of anybody's, so that nothing is signed for it.
            Self::Somebody => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), None),
            Self::Us => (IpAddr::V4(Ipv4Addr::LOCALHOST), None),
        };
        let hello = Some((Greeting::Ehlo, hello_name.into()));
        Client { address: SocketAddr::new(address, 0), hello, tls: None, verified: false, forwarded }
    }
}

/// What a filter's "no" is for a recipient.
fn said(reply: &Reply) -> Fate {
    let (verdict, class) = match reply.code.kind() {
        ReplyKind::PermanentNegative => (Verdict::Bounced, 5),
        _ => (Verdict::Deferred, 4),
    };
    let status = reply.status.unwrap_or(EnhancedStatus::new(class, 7, 1));
    Fate::local(verdict, EnhancedStatus { class, ..status }, format!("a filter says: {reply}"))
}

fn dropped(why: &str) -> Fate {
    Fate::local(Verdict::Sent, EnhancedStatus::new(2, 0, 0), format!("discarded: {why}"))
}

#[cfg(test)]
mod tests;
