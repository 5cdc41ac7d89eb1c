//! `[maps]`: which files make the set, as the options of switchyard-maps.

use std::path::PathBuf;

use switchyard_maps::options::MapOptions;

use crate::reader::Section;

/// The maps that a daemon asks; what it does not ask, it has no key for.
pub(crate) enum MapKeys {
    /// mx: who exists and which domains are ours.
    Edge,
    /// router: all of them.
    Routing,
}

pub(crate) fn map_options(section: &mut Section<'_>, keys: &MapKeys) -> MapOptions {
    // File names are seen from the folder, so they are read as text: the folder alone is a path.
    let mut file = |name, doc| section.restart(name, doc).optional::<String>().map(PathBuf::from);
    let recipients = file("recipients", "File of the addresses that exist; without it none is checked.");
    let relay_domains = file("relay_domains", "File of the domains that mail is taken for.");
    let virtual_alias = file("virtual_alias", "File of addresses that stand for other addresses.");
    let transport = match keys {
        MapKeys::Edge => None,
        MapKeys::Routing => file("transport", "File of where mail for an address or a domain goes."),
    };
    let any = [&recipients, &relay_domains, &virtual_alias, &transport].into_iter().any(Option::is_some);
    let folder: Option<PathBuf> = section
        .restart("folder", "Where the map files stand; a file name may also be a whole path.")
        .optional();
    if any && folder.is_none() && !section.has("folder") {
        section.fault(&[], "`maps.folder` is missing: map files are named, but not where they stand");
    }
    let recipient_delimiter = section
        .restart("recipient_delimiter", "Characters that part a user from an extension: \"+\" for user+ext.")
        .or(String::new());
    if recipient_delimiter.len() > MAX_DELIMITERS
        || !recipient_delimiter.bytes().all(|octet| octet.is_ascii_punctuation())
    {
        section
            .fault(&["recipient_delimiter"], "`recipient_delimiter` is a few signs such as \"+\" or \"+-\"");
    }
    MapOptions {
        folder: folder.unwrap_or_default(),
        transport,
        recipients,
        virtual_alias,
        relay_domains,
        recipient_delimiter,
        ..MapOptions::default()
    }
}

/// Postfix takes a set of them too; more than a handful is a slip.
const MAX_DELIMITERS: usize = 8;
