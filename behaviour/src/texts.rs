//! A host's maps as the texts of its site's folder: not where the host itself keeps them.

use switchyard_config::Site;
use switchyard_config::site::HostSettings;
use switchyard_maps::MapOptions;

/// The host's settings, with its maps in the site's folder.
#[must_use]
pub fn in_folder(site: &Site, mut settings: HostSettings) -> HostSettings {
    let maps = match &mut settings {
        HostSettings::Mx(settings) => &mut settings.maps,
        HostSettings::Router(settings) => &mut settings.maps,
    };
    maps.folder = site.folder.join("maps");
    // Compiled sets are on the host.
    maps.installed = None;
    settings
}

/// The same, of which only the maps are wanted.
#[must_use]
pub fn options(site: &Site, settings: HostSettings) -> MapOptions {
    match in_folder(site, settings) {
        HostSettings::Mx(settings) => settings.maps,
        HostSettings::Router(settings) => settings.maps,
    }
}
