//! What clients and the log are told: who a client is, why the spool takes no mail, and a mail filter's "no", counted by
//! its stage and told beside the session that hears it.

use switchyard_daemon::session::{SessionId, Stage};
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Client;
use switchyard_smtp::wire::command::Attributes;

use crate::metrics::ServerMetrics;
use crate::spool::{QueueId, SpoolError};

/// Passes on what a filter says.
pub(super) fn noted<T>(
    metrics: &ServerMetrics,
    session: SessionId,
    stage: Stage,
    client: &Client,
    word: Result<T, Reply>,
) -> Result<T, Reply> {
    word.inspect_err(|reply| {
        metrics.filtered(stage.as_str(), reply);
        let behind = client.forwarded.as_deref().and_then(|behind| behind.address);
        let client = behind.unwrap_or_else(|| client.address.ip().to_canonical());
        tracing::info!(%session, %client, stage = stage.as_str(), reason = "filter", %reply, "refused");
    })
}

/// The client as the log and a report name it: where our own front handed over, the client behind it.
pub(super) fn describe(client: &Client) -> String {
    let behind = client.forwarded.as_deref();
    let address = behind.and_then(|behind| behind.address).unwrap_or_else(|| client.address.ip());
    let helo = behind.and_then(|behind| behind.helo.as_deref()).unwrap_or_else(|| client.helo_name());
    let session = behind.and_then(|behind| behind.ident.as_deref());
    match session {
        Some(session) => format!("{helo}[{address}] session {session}"),
        None => format!("{helo}[{address}]"),
    }
}

/// Whose mail it is, as those behind us are told: where our own front handed over, the client behind it. The message's
/// name is the one that it has here.
pub(super) fn whose(client: &Client, id: QueueId) -> Attributes {
    let behind = client.forwarded.as_deref().filter(|behind| behind.address.is_some());
    let from = behind.cloned().unwrap_or_else(|| Attributes {
        address: Some(client.address.ip().to_canonical()),
        port: Some(client.address.port()),
        helo: client.hello.as_ref().map(|(_, name)| name.clone()),
        protocol: Some(client.protocol(false).into()),
        ..Attributes::default()
    });
    Attributes { ident: Some(id.to_string().into()), ..from }
}

/// Why the spool takes no mail.
pub(super) fn spool_reply(error: SpoolError) -> Reply {
    match error {
        SpoolError::Full => table::NO_ROOM,
        SpoolError::Busy => table::LOCAL_ERROR.with_text("Too much waits for the disk, try again"),
        SpoolError::TooLarge => table::TOO_BIG,
        SpoolError::Closed => table::SHUTTING_DOWN,
        SpoolError::Poisoned => table::NO_ROOM.with_text("The disk does not take mail, try again"),
        SpoolError::Failed(_) | SpoolError::Unknown | SpoolError::Damaged => table::SPOOL_ERROR,
    }
}
