//! The example site, as files to write into an empty folder.

/// Each file's path inside the site's folder, and its text.
pub const FILES: &[(&str, &str)] = &[
    ("site.toml", include_str!("../templates/example-site/site.toml")),
    ("role/router.toml", include_str!("../templates/example-site/role/router.toml")),
    ("maps/transport", include_str!("../templates/example-site/maps/transport")),
    ("maps/recipients", include_str!("../templates/example-site/maps/recipients")),
    ("maps/virtual_alias", include_str!("../templates/example-site/maps/virtual_alias")),
    ("maps/relay_domains", include_str!("../templates/example-site/maps/relay_domains")),
    ("behaviours/mx.toml", include_str!("../templates/example-site/behaviours/mx.toml")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn names(folder: &Path) -> BTreeSet<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { names(&path) } else { BTreeSet::from([path]) }).collect()
    }

    #[test]
    fn every_file_of_the_example_is_one_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/example-site");
        let known: BTreeSet<PathBuf> = super::FILES.iter().map(|(name, _)| folder.join(name)).collect();
        assert_eq!(names(&folder), known);
    }
}
