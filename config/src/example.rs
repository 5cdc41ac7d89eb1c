//! The example site, as files to write into an empty folder.

/// Each file's path inside the site's folder, and its text.
pub const FILES: [(&str, &str); 6] = [
    ("site.toml", include_str!("../templates/example-site/site.toml")),
    ("role/router.toml", include_str!("../templates/example-site/role/router.toml")),
    ("maps/transport", include_str!("../templates/example-site/maps/transport")),
    ("maps/recipients", include_str!("../templates/example-site/maps/recipients")),
    ("maps/virtual_alias", include_str!("../templates/example-site/maps/virtual_alias")),
    ("maps/relay_domains", include_str!("../templates/example-site/maps/relay_domains")),
];
