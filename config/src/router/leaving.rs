//! The mail filters that a router asks about mail on its way out: `deliver.milters` names them in their order, and
//! `milters.NAME.nexthops` says where the mail goes that one of them is asked about.

use std::collections::BTreeMap;

use switchyard_maps::entry::Transport;
use switchyard_maps::nexthop::Nexthop;

use super::route::{Pool, nexthop};
use crate::milters;
use crate::reader::Section;

/// A filter that is asked before mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBefore {
    /// Its name.
    pub filter: String,
    /// Where the mail goes: to one of these, or anywhere if there is none.
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

/// `nexthops` of one filter.
pub(super) fn ways_out(section: &mut Section<'_>, pools: &BTreeMap<String, Pool>) -> Vec<WayOut> {
    let written: Vec<String> = section
        .live(
            "nexthops",
            "Of mail on its way out, only what goes there, written as in a transport map: \"@pool\", \"[gw.example.net]:25\", \"lmtp:\"; all of it without this.",
        )
        .list(Vec::new());
    let read = |text: &String| match way_out(text, pools) {
        Ok(way) => Some(way),
        Err(message) => {
            section.fault(&["nexthops"], format!("`nexthops`: \"{text}\": {message}"));
            None
        }
    };
    written.iter().filter_map(read).collect()
}

/// `deliver.milters`, and what each is asked about.
pub(super) fn asked_before(
    section: &mut Section<'_>,
    ways: &BTreeMap<String, Vec<WayOut>>,
) -> Vec<AskedBefore> {
    let doc = "Mail filters asked about mail on its way out, before each attempt, in this order: names of [milters.NAME]. \
               What they change is in the copy for that next hop alone.";
    let order = milters::chosen(section, doc, ways);
    let forgotten = ways.iter().filter(|(name, only)| !only.is_empty() && !order.contains(name));
    for (name, _) in forgotten {
        let message = format!(
            "the filter `{name}` has `nexthops`, and is asked about nothing that leaves: name it here"
        );
        section.fault(&["milters"], message);
    }
    let only = |filter: &String| ways.get(filter).cloned().unwrap_or_default();
    order.into_iter().map(|filter| AskedBefore { only: only(&filter), filter }).collect()
}

fn way_out(text: &str, pools: &BTreeMap<String, Pool>) -> Result<WayOut, String> {
    for transport in [Transport::Smtp, Transport::Lmtp] {
        if let Some(rest) = text.strip_prefix(transport.as_str()).and_then(|rest| rest.strip_prefix(':')) {
            let nexthop = if rest.is_empty() { None } else { Some(nexthop(rest, pools)?) };
            return Ok(WayOut { transport: Some(transport), nexthop });
        }
    }
    Ok(WayOut { transport: None, nexthop: Some(nexthop(text, pools)?) })
}
