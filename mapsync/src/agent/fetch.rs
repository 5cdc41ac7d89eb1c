//! One file from one hub: what changed of it, or the whole; on disk by its hash, and nothing that is not what its
//! hash and length say.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;

use hyper::StatusCode;
use switchyard_maps::installed::Edits;
use switchyard_mapsync_protocol::agent::Outcome;
use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::head;
use tempfile::NamedTempFile;

use super::disk::{Disk, Front, Seen};
use super::hubs::Hubs;
use super::metrics::Metrics;
use super::settle::may_wait;
use super::texts::stock;
use crate::client::ClientError;

/// Fetches a file; with a `base`, only what changed from that.
pub(super) async fn fetch(
    (disk, hubs): (Arc<Disk>, Arc<Hubs>),
    hub: usize,
    file: head::File,
    base: Option<head::File>,
    metrics: Metrics,
) -> Outcome {
    if disk.has_fetched(&file).is_some() || disk.has_change(&file).is_some() {
        return Outcome::Got;
    }
    let got = match base {
        None => whole(&disk, &hubs, hub, &file, &metrics).await,
        Some(base) => changed(&disk, &hubs, hub, &file, base, &metrics).await,
    };
    match got {
        Ok(()) => Outcome::Got,
        Err(outcome) => {
            tracing::debug!(hub = hubs.address(hub), path = %file.path, ?outcome, "not fetched");
            outcome
        }
    }
}

async fn whole(
    disk: &Disk,
    hubs: &Hubs,
    hub: usize,
    file: &head::File,
    metrics: &Metrics,
) -> Result<(), Outcome> {
    let mut lent = hubs.ask(hub).await.map_err(no)?;
    let mut to = BufWriter::new(disk.fetching().map_err(away)?);
    let octets = lent.hub.file(file, &mut to).await.map_err(no)?;
    lent.give_back();
    metrics.fetched.with_label_values(&["whole"]).inc_by(octets);
    disk.keep_fetched(to.into_inner().map_err(away)?, file.hash).map_err(away)
}

async fn changed(
    disk: &Arc<Disk>,
    hubs: &Hubs,
    hub: usize,
    file: &head::File,
    base: head::File,
    metrics: &Metrics,
) -> Result<(), Outcome> {
    let text = stock(disk).remove(&base.hash).and_then(|mut texts| texts.pop()).ok_or(Outcome::Missing)?;
    let mut lent = hubs.ask(hub).await.map_err(no)?;
    let mut delta = disk.fetching().map_err(away)?;
    let octets = lent.hub.delta(&base, file, &mut delta).await.map_err(no)?;
    lent.give_back();
    metrics.fetched.with_label_values(&["change"]).inc_by(octets);
    let (disk, to) = (Arc::clone(disk), file.clone());
    // A large table takes a while: not on a thread that hears hubs.
    let laid = tokio::task::spawn_blocking(move || {
        let at = text.brought(&disk).map_err(|error| missing(&base, &error))?;
        lay(&disk, (&at, &base), delta, &to)
    });
    laid.await.unwrap_or_else(|error| Err(away(error)))
}

/// Lays what changed over the text that is on disk. What is large is written when the host has rest.
fn lay(
    disk: &Disk,
    (at, from): (&Path, &head::File),
    mut change: NamedTempFile,
    to: &head::File,
) -> Result<(), Outcome> {
    change.rewind().map_err(away)?;
    let text = File::open(at).map_err(|error| missing(from, &error))?;
    let edits = if may_wait(to) {
        let (_, edits) = passed((&text, from), change.as_file(), to, io::sink())?;
        disk.keep_change(change, (at, from), to).map_err(away)?;
        edits
    } else {
        let (made, edits) = passed((&text, from), change.as_file(), to, disk.fetching().map_err(away)?)?;
        disk.keep_fetched(made, to.hash).map_err(away)?;
        edits
    };
    if let Some(edits) = edits {
        disk.edited.keep(to.hash, edits);
    }
    Ok(())
}

/// Passes on what comes of it, and tells the lines that differ, if they can be relied on.
fn passed<W: Write>(
    (text, from): (&File, &head::File),
    change: &File,
    to: &head::File,
    out: W,
) -> Result<(W, Option<Edits>), Outcome> {
    let (mut seen, out) = (Seen::over(from), Front::of(out));
    // Both are read and written in large pieces as it is.
    let out = delta::apply_seen(text, BufReader::new(change), (from, to), out, |edit| seen.see(&edit));
    let out = out.map_err(|error| Outcome::Bad(error.to_string()))?;
    let edits = seen.end(from, text, &out);
    Ok((out.into_inner(), edits))
}

/// A text that should be on this disk and is not: then the whole of the other one is asked for.
fn missing(text: &head::File, why: &io::Error) -> Outcome {
    tracing::warn!(path = %text.path, hash = %text.hash, %why, "nothing can be laid over this text");
    Outcome::Missing
}

/// A hub's no. One that has it not is asked in another way; one that does not answer, or a full disk, is not.
fn no(error: ClientError) -> Outcome {
    if error.status == Some(StatusCode::NOT_FOUND) { Outcome::Missing } else { away(error) }
}

fn away(error: impl std::fmt::Display) -> Outcome {
    Outcome::Away(error.to_string())
}
