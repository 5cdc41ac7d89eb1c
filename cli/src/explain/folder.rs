//! A site's folder, explained: its hosts' own rooms decide, on the folder's settings and maps.

use std::path::Path;

use switchyard_behaviour::way::Way;
use switchyard_config::Site;
use switchyard_maps::explain::{Explanation, Message};

use super::text;
use crate::output::Output;

/// What the hosts on a message's way do with it.
pub(super) fn explain(
    folder: &Path,
    host: Option<&str>,
    message: &Message,
    output: &mut Output,
) -> Result<Vec<Explanation>, String> {
    let site = Site::load(folder).map_err(text)?;
    let way = match host {
        Some(name) => Way::through(&site, name),
        None => Way::usual(&site),
    };
    let way = way.map_err(text)?;
    for fault in way.faults() {
        output.say(fault).map_err(text)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    runtime.block_on(way.explain(message)).map_err(text)
}
