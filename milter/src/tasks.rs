//! What goes on beside the sessions: keys are looked for in the DNS, at every new set of maps and every so often.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use switchyard_maps::listing::{self, Entry};
use switchyard_maps::options::MapOptions;
use switchyard_maps::signing::SigningKeys;
use switchyard_maps::{MapName, TableSpec};
use switchyard_smtp::address::Domain;

use crate::sign;
use crate::sign::ring::KeyName;
use crate::talk::Shared;

/// Watches over the keys for as long as the process lives.
pub(crate) async fn tend_keys(shared: Arc<Shared>) {
    let mut generations = shared.maps.generations();
    loop {
        let live = shared.live.load_full();
        // Reads files, and perhaps many.
        let listed = tokio::task::spawn_blocking(move || keys_of(&live.maps, &live.keys)).await;
        shared.ring.keep(&listed.unwrap_or_default()).await;
        loop {
            let recheck = shared.live.load().recheck;
            tokio::select! {
                changed = generations.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                () = shared.new_keys.notified() => break,
                () = shared.clock.sleep(recheck) => shared.ring.recheck().await,
            }
        }
    }
}

/// Every key that the map names for a domain. Keys of patterns, of servers and below `.domain` are found when mail
/// needs them.
pub(crate) fn keys_of(maps: &MapOptions, folder: &Path) -> Vec<KeyName> {
    let mut names = BTreeSet::new();
    let mut visit = |entry: Entry<'_>| {
        if let (Ok(domain), Ok(keys)) = (Domain::parse(entry.key), SigningKeys::parse(entry.value)) {
            names.extend(keys.0.iter().map(|key| {
                let name = sign::name_of(&domain, key, folder);
                (name.domain.to_string(), name.selector.to_string(), name.file)
            }));
        }
        ControlFlow::Continue(())
    };
    for table in maps.tables.get(&MapName::SigningKeys).into_iter().flatten().flat_map(TableSpec::leaves) {
        // What is no list has no keys to look for ahead; what cannot be read has been told by the maps.
        let _not_a_list = listing::each(table, &maps.folder, &mut visit);
    }
    let name = |(domain, selector, file): (String, String, _)| {
        Some(KeyName { domain: Domain::parse(&domain).ok()?, selector: Domain::parse(&selector).ok()?, file })
    };
    names.into_iter().filter_map(name).collect()
}
