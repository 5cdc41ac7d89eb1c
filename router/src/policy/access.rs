//! Access tables: what they say of a client, its HELO, a sender or a recipient, answered and logged the same way
//! at each stage.
//!
//! A client is known by its address here: nothing on this way asks the DNS for a name. `OK` ends the asking of
//! this stage's tables and permits nothing else: who may relay is said by [`relay`](super::relay).

use std::fmt;

use switchyard_maps::access::Access;
use switchyard_maps::access::standing::{Asked, Ruling, Standing};
use switchyard_maps::{Answer, Found};
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Client;

/// Takes what a table says into `standing`.
///
/// # Errors
/// With the refusal to give.
pub fn rule(
    standing: &mut Standing,
    asked: Asked,
    answer: Answer<Found<Access>>,
    client: &Client,
    about: &dyn fmt::Display,
) -> Result<(), Reply> {
    let ruling = standing.hear(asked, answer);
    let (address, stage) = (client.address.ip(), asked.in_words());
    match &ruling {
        Ruling::Pass => {}
        Ruling::Note { warn: true, text, place } => {
            tracing::warn!(client = %address, stage, %about, %place, "{text}");
        }
        Ruling::Note { warn: false, text, place } => {
            tracing::info!(client = %address, stage, %about, %place, "{text}");
        }
        Ruling::Refuse { reply, place } => {
            tracing::info!(client = %address, stage, %about, %place, %reply, "refused");
        }
        Ruling::CannotKnow(unavailable) => {
            tracing::warn!(client = %address, stage, %about, %unavailable, "put off");
        }
    }
    ruling.reply(asked).map_or(Ok(()), Err)
}
