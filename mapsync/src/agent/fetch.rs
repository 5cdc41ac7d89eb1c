//! One file from one hub: what changed of it, or the whole; on disk by its hash, and nothing that is not what its
//! hash and length say.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek as _};
use std::path::Path;
use std::sync::Arc;

use hyper::StatusCode;
use switchyard_mapsync_protocol::agent::Outcome;
use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::head;
use tempfile::NamedTempFile;

use super::disk::{Disk, Seen};
use super::hubs::Hubs;
use super::metrics::Metrics;
use super::stage::stock;
use crate::client::ClientError;

/// Fetches a file; with a `base`, only what changed from that.
pub(super) async fn fetch(
    (disk, hubs): (Arc<Disk>, Arc<Hubs>),
    hub: usize,
    file: head::File,
    base: Option<head::File>,
    metrics: Metrics,
) -> Outcome {
    if disk.has_fetched(&file).is_some() {
        return Outcome::Got;
    }
    let made = match base {
        None => whole(&disk, &hubs, hub, &file, &metrics).await,
        Some(base) => changed(&disk, &hubs, hub, &file, base, &metrics).await,
    };
    match made.and_then(|made| disk.keep_fetched(made, file.hash).map_err(away)) {
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
) -> Result<NamedTempFile, Outcome> {
    let mut lent = hubs.ask(hub).await.map_err(no)?;
    let mut to = BufWriter::new(disk.fetching().map_err(away)?);
    let octets = lent.hub.file(file, &mut to).await.map_err(no)?;
    lent.give_back();
    metrics.fetched.with_label_values(&["whole"]).inc_by(octets);
    to.into_inner().map_err(away)
}

async fn changed(
    disk: &Arc<Disk>,
    hubs: &Hubs,
    hub: usize,
    file: &head::File,
    base: head::File,
    metrics: &Metrics,
) -> Result<NamedTempFile, Outcome> {
    let table = stock(disk).remove(&base.hash).and_then(|mut places| places.pop()).ok_or(Outcome::Missing)?;
    let mut lent = hubs.ask(hub).await.map_err(no)?;
    let mut delta = disk.fetching().map_err(away)?;
    let octets = lent.hub.delta(&base, file, &mut delta).await.map_err(no)?;
    lent.give_back();
    metrics.fetched.with_label_values(&["change"]).inc_by(octets);
    let (disk, to) = (Arc::clone(disk), file.clone());
    // A large table takes a while: not on a thread that hears hubs.
    let laid = tokio::task::spawn_blocking(move || lay(&disk, &table, delta, &base, &to));
    laid.await.unwrap_or_else(|error| Err(away(error)))
}

/// Lays what changed over the table that is on disk.
fn lay(
    disk: &Disk,
    table: &Path,
    mut delta: NamedTempFile,
    base: &head::File,
    file: &head::File,
) -> Result<NamedTempFile, Outcome> {
    let bad = |error: &dyn std::fmt::Display| Outcome::Bad(error.to_string());
    delta.rewind().map_err(away)?;
    let table = File::open(table).map_err(away)?;
    let mut seen = Seen::over(base);
    // Read and written in large pieces as it is.
    let out = disk.fetching().map_err(away)?;
    let out = delta::apply_seen(&table, BufReader::new(delta), (base, file), out, |edit| seen.see(&edit));
    let out = out.map_err(|error| bad(&error))?;
    if let Some(edits) = seen.end(base, [&table, out.as_file()]) {
        disk.edited.keep(file.hash, edits);
    }
    Ok(out)
}

/// A hub's no. One that has it not is asked in another way; one that does not answer, or a full disk, is not.
fn no(error: ClientError) -> Outcome {
    if error.status == Some(StatusCode::NOT_FOUND) { Outcome::Missing } else { away(error) }
}

fn away(error: impl std::fmt::Display) -> Outcome {
    Outcome::Away(error.to_string())
}
