//! A site's folder, explained: its hosts' own rooms decide, on the folder's settings and maps.

use std::path::Path;

use switchyard_config::Site;
use switchyard_config::site::{Host, HostSettings, Role};
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::options::MapOptions;
use switchyard_maps::{MapHandle, MapSet, Snapshot};

use super::text;
use crate::output::Output;
use crate::texts;

/// What the hosts on a message's way do with it.
pub(super) fn explain(
    folder: &Path,
    host: Option<&str>,
    mut message: Message,
    output: &mut Output,
) -> Result<Vec<Explanation>, String> {
    let site = Site::load(folder).map_err(text)?;
    let hosts = match host {
        Some(name) => vec![site.host(name).map_err(|error| site.fault(error).to_string())?],
        None => way(&site),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    let mut explanations: Vec<Explanation> = Vec::new();
    for host in hosts {
        if let Some(before) = explanations.last() {
            message.to.retain(|recipient| before.taken.contains(&recipient.to_string()));
            (message.client, message.helo) = (before.address, Some(before.host.clone()));
            message.name = None;
        }
        if message.to.is_empty() {
            break;
        }
        let settings = texts::in_folder(&site, site.settings(host).map_err(text)?);
        let maps = match &settings {
            HostSettings::Mx(settings) => maps(&settings.maps, output)?,
            HostSettings::Router(settings) => maps(&settings.maps, output)?,
        };
        let explained = maps.settled(|maps| match &settings {
            HostSettings::Mx(settings) => Ok(switchyard_mx::explain(settings, maps, &message)),
            HostSettings::Router(settings) => switchyard_router::explain(settings, maps, &message),
        });
        let mut explanation = runtime.block_on(explained).map_err(text)?;
        explanation.address = explanation.address.or(host.addresses.first().copied());
        explanations.push(explanation);
    }
    Ok(explanations)
}

/// The first mx and the first router; where the site has neither, its first host.
fn way(site: &Site) -> Vec<&Host> {
    let first = |role| site.hosts.iter().find(|host| host.role == role);
    let way: Vec<&Host> = [Role::Mx, Role::Router].into_iter().filter_map(first).collect();
    if way.is_empty() { site.hosts.iter().take(1).collect() } else { way }
}

/// As a daemon starts with them: a map that is bad is unavailable, and what is wrong with it is said.
fn maps(options: &MapOptions, output: &mut Output) -> Result<Snapshot, String> {
    let (set, faults) = MapSet::start(options);
    for fault in &faults {
        output.say(fault).map_err(text)?;
    }
    Ok(MapHandle::new(set).snapshot())
}
