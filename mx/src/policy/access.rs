//! Access tables: what they say of a client, its HELO, a sender or a recipient, answered, counted and logged the
//! same way at each stage.
//!
//! A client is known by its address here: nothing on this way asks the DNS for a name. `OK` ends the asking of
//! this stage's tables and permits nothing else: an mx takes mail for its own domains only, whatever a table says.

use std::fmt;

use switchyard_daemon::session::Stage;
use switchyard_maps::access::Access;
use switchyard_maps::access::standing::{Asked, Ruling, Standing};
use switchyard_maps::{Answer, Found};
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Client;

use super::Policy;
use crate::metrics::Reason;

impl Policy {
    /// Takes what a table says into `standing`.
    ///
    /// # Errors
    /// With the refusal to give.
    pub(super) fn rule(
        &self,
        standing: &mut Standing,
        asked: Asked,
        answer: Answer<Found<Access>>,
        client: &Client,
        about: &dyn fmt::Display,
    ) -> Result<(), Reply> {
        let ruling = standing.hear(asked, answer);
        let (session, address) = (self.id, client.address.ip());
        let reason = match &ruling {
            Ruling::Pass => return Ok(()),
            Ruling::Note { warn, text, place } => {
                let stage = asked.in_words();
                match warn {
                    true => tracing::warn!(%session, client = %address, stage, %about, %place, "{text}"),
                    false => tracing::info!(%session, client = %address, stage, %about, %place, "{text}"),
                }
                return Ok(());
            }
            Ruling::Refuse { place, .. } => {
                tracing::debug!(%session, %place, "an access table says no");
                Reason::Access
            }
            Ruling::CannotKnow(unavailable) => {
                tracing::error!(%session, %unavailable, "a client is put off");
                Reason::Map
            }
        };
        let Some(reply) = ruling.reply(asked) else { return Ok(()) };
        self.rules.shared.metrics.verdict(stage(asked), Some(reply.code), reason);
        tracing::info!(
            %session,
            client = %address,
            helo = client.helo_name(),
            %about,
            reason = reason.label(),
            %reply,
            "refused",
        );
        Err(reply)
    }
}

const fn stage(asked: Asked) -> Stage {
    match asked {
        Asked::Client => Stage::Connect,
        Asked::Helo => Stage::Hello,
        Asked::Sender => Stage::Sender,
        Asked::Recipient => Stage::Recipient,
    }
}
