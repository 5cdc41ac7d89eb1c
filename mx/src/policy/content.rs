//! DATA and the content: is a router there, what do the mail filters make of it, and what does a router say?

use jiff::Timestamp;
use switchyard_daemon::session::Stage;
use switchyard_milter_mta::Judged;
use switchyard_smtp::envelope::MailObject;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Took};
use switchyard_smtp::trace::Received;
use switchyard_smtp::wire::command::Attributes;

use super::{Held, Policy};
use crate::deliver::{NotTaken, RouterTook};
use crate::metrics::Reason;

/// Octets of a reason to hold a message, as far as it goes with MAIL.
const LONGEST_REASON: usize = 200;

/// Proof that nobody waits for a message any more: a router has it, or a filter wants it dropped.
#[derive(Debug)]
pub(crate) enum FrontTook {
    /// A router took it.
    Router(RouterTook),
    /// A mail filter said discard, or took all recipients away.
    Dropped,
}

impl Took for FrontTook {
    fn reply(&self) -> Reply {
        match self {
            Self::Router(took) => took.reply(),
            Self::Dropped => table::TAKEN,
        }
    }
}

/// Recipients that a log line names; it tells how many there are.
const MOST_LOGGED: usize = 10;

impl Policy {
    /// Before a message comes: no client should send one that nobody can take.
    pub(super) fn decide_room(&self) -> Result<(), Reply> {
        match self.rules.shared.hand_over.load().obstacle() {
            None => Ok(()),
            Some((reply, reason)) => {
                self.rules.shared.metrics.verdict(Stage::Content, Some(reply.code), reason);
                tracing::info!(session = %self.id, reason = reason.label(), %reply, "no message is taken now");
                Err(reply)
            }
        }
    }

    /// The message is here: put our trace on top, hand it over, and answer with the router's answer.
    pub(super) async fn decide_content(
        &mut self,
        client: &Client,
        held: Held,
        mut mail: MailObject,
    ) -> Result<FrontTook, Reply> {
        let id = held.id.to_string();
        let size = mail.content.len();
        mail.content.prepend(&self.received(client, &mail, &id));
        let word = self.filters.content(mail).await;
        let Judged { mut mail, hold, discard, share: _until_handed_over } =
            self.filtered(Stage::Content, client, word)?;
        if let Some(why) = discard {
            self.rules.shared.metrics.verdict(Stage::Content, Some(table::TAKEN.code), Reason::Filter);
            tracing::info!(
                session = %self.id,
                transaction = %held.id,
                client = %client.address,
                from = %mail.envelope.sender.reverse_path,
                to = %Named(&mail),
                recipients = mail.envelope.recipients.len(),
                size,
                reason = Reason::Filter.label(),
                why,
                "message dropped",
            );
            return Ok(FrontTook::Dropped);
        }
        // Nothing is kept here: what is to be held, a router holds.
        mail.envelope.sender.hold = hold.map(|reason| shortened(&reason));
        let shared = &self.rules.shared;
        mail.envelope.sender.transaction = Some(held.id);
        let forwarded = Attributes {
            name: None,
            address: Some(client.address.ip()),
            port: Some(client.address.port()),
            helo: client.hello.as_ref().map(|(_, name)| name.clone()),
            protocol: Some(client.protocol(false).into()),
            ident: Some(id.into()),
        };
        let arrived = shared.clock.now_monotonic();
        let answer = shared.hand_over.load_full().hand_over(&mail, &forwarded).await;
        let answered = shared.clock.now_monotonic();

        if let Err(not_taken) = &answer {
            self.remember_refused(&mail, not_taken);
        }
        let (reply, reason, router) = match &answer {
            Ok(took) => (took.reply(), Reason::None, Some(took.router.as_str())),
            Err(not_taken) => (not_taken.reply.clone(), not_taken.reason, not_taken.router.as_deref()),
        };
        shared.metrics.verdict(Stage::Content, Some(reply.code), reason);
        shared.metrics.handed_over(reply.code, (answered - arrived).as_secs_f64());
        tracing::info!(
            session = %self.id,
            transaction = %held.id,
            client = %client.address,
            helo = client.helo_name(),
            protocol = client.protocol(mail.envelope.sender.smtputf8),
            tls = client.tls.as_deref(),
            from = %mail.envelope.sender.reverse_path,
            to = %Named(&mail),
            recipients = mail.envelope.recipients.len(),
            size,
            router,
            receive_seconds = (arrived - held.since).as_secs_f64(),
            hand_over_seconds = (answered - arrived).as_secs_f64(),
            reason = reason.label(),
            %reply,
            "message {}", if answer.is_ok() { "handed over" } else { "not taken" },
        );
        answer.map(FrontTook::Router).map_err(|not_taken| not_taken.reply)
    }

    /// RFC 5321 §4.4: one Received field on top.
    fn received(&self, client: &Client, mail: &MailObject, id: &str) -> String {
        let recipient = match mail.envelope.recipients.as_slice() {
            [only] => Some(only.forward_path.to_string()),
            _ => None,
        };
        let at = Timestamp::try_from(self.rules.shared.clock.now_wall()).unwrap_or(Timestamp::UNIX_EPOCH);
        Received {
            helo: client.helo_name(),
            address: client.address.ip(),
            by: self.rules.host_name.as_str(),
            protocol: client.protocol(mail.envelope.sender.smtputf8),
            tls: client.tls.as_deref(),
            id,
            recipient: recipient.as_deref(),
            at,
        }
        .field()
    }

    fn remember_refused(&self, mail: &MailObject, not_taken: &NotTaken) {
        let (shared, time) = (&self.rules.shared, self.rules.refused_recipient_memory);
        if time.is_zero() {
            return;
        }
        let until = shared.clock.now_monotonic() + time;
        for (index, reply) in &not_taken.refused {
            if let Some(recipient) = mail.envelope.recipients.get(*index) {
                shared.refused.remember(&recipient.forward_path, reply.clone(), until);
            }
        }
    }
}

/// A reason, as far as a command has room.
fn shortened(reason: &str) -> Box<str> {
    reason.get(..reason.floor_char_boundary(LONGEST_REASON)).unwrap_or_default().into()
}

/// The recipients of a message, as far as a log line has room.
struct Named<'a>(&'a MailObject);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let recipients = &self.0.envelope.recipients;
        for (index, recipient) in recipients.iter().take(MOST_LOGGED).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(formatter, "{comma}{}", recipient.forward_path)?;
        }
        if recipients.len() > MOST_LOGGED { formatter.write_str(",…") } else { Ok(()) }
    }
}
