//! Hosts' maps as the texts of its site's folder: not where the host itself keeps them.

use switchyard_config::site::{Daemon, Host, HostSettings};
use switchyard_config::{Faults, Site};
use switchyard_maps::MapOptions;

/// The host's settings, with its maps in the site's folder.
#[must_use]
pub fn in_folder(site: &Site, mut settings: HostSettings) -> HostSettings {
    let maps = match &mut settings {
        HostSettings::Mx(settings) => &mut settings.maps,
        HostSettings::Router(settings) => &mut settings.maps,
    };
    stand_in(site, maps);
    settings
}

/// The maps of every daemon of a host, in the site's folder; none where no mail passes it.
///
/// # Errors
/// When the settings of one are wrong.
pub fn of_host(site: &Site, host: &Host) -> Result<Vec<MapOptions>, Faults> {
    let mut all = site.maps(host)?;
    all.iter_mut().for_each(|maps| stand_in(site, maps));
    Ok(all)
}

/// The maps of one daemon of a host, in the site's folder; none where it asks no maps.
///
/// # Errors
/// When its settings are wrong.
pub fn of_daemon(site: &Site, host: &Host, daemon: Daemon) -> Result<Option<MapOptions>, Faults> {
    let mut maps = site.maps_of(host, daemon)?;
    maps.iter_mut().for_each(|maps| stand_in(site, maps));
    Ok(maps)
}

fn stand_in(site: &Site, maps: &mut MapOptions) {
    maps.folder = site.folder.join("maps");
    // Compiled sets are on the host.
    maps.installed = None;
}

/// The same, of which only the maps are wanted.
#[must_use]
pub fn options(site: &Site, settings: HostSettings) -> MapOptions {
    match in_folder(site, settings) {
        HostSettings::Mx(settings) => settings.maps,
        HostSettings::Router(settings) => settings.maps,
    }
}
