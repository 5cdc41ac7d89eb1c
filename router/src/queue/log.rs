//! One line for each delivery, with Postfix's words: whoever reads those logs can read these.

use std::time::Duration;

use switchyard_smtp::envelope::Recipient;

use super::message::Message;
use super::schedule::Now;
use crate::deliver::Fate;
use crate::spool::GivenUp;

/// What an attempt took: Postfix's `delays=a/b/c/d`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Delays {
    /// In the queue, until the attempt began.
    pub queue: Duration,
    /// Until the peer could be spoken to.
    pub set_up: Duration,
    /// The rest.
    pub transmission: Duration,
}

/// Says what became of one recipient.
pub(super) fn delivery(
    message: &Message,
    recipient: &Recipient,
    fate: &Fate,
    delays: Option<Delays>,
    now: Now,
) {
    let delays = delays.unwrap_or_default();
    let total = now.wall.duration_since(message.arrival.wall).unwrap_or_default();
    let before = total.saturating_sub(now.monotonic.saturating_duration_since(message.admitted.monotonic));
    let original = recipient.orcpt.as_ref().map(|orcpt| tracing::field::display(&orcpt.address));
    tracing::info!(
        id = %message.id,
        to = %recipient.forward_path,
        orig_to = original,
        relay = %fate.relay,
        delay = %format_args!("{:.2}", total.as_secs_f64()),
        delays = %format_args!(
            "{:.2}/{:.2}/{:.2}/{:.2}",
            before.as_secs_f64(),
            delays.queue.as_secs_f64(),
            delays.set_up.as_secs_f64(),
            delays.transmission.as_secs_f64()
        ),
        dsn = %fate.status,
        status = fate.verdict.as_str(),
        "{}", fate.text
    );
}

/// Says that the operator gave one recipient up.
pub(super) fn given_up(message: &Message, recipient: &Recipient, given_up: &GivenUp) {
    let status = if given_up.told { "bounced" } else { "deleted" };
    tracing::info!(
        id = %message.id, to = %recipient.forward_path, relay = "none", status, "by hand: {}", given_up.reason
    );
}
