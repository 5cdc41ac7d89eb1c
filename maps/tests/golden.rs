//! What fixed texts come to, octet for octet: whoever reads them in another way has to say so.

use std::fs::File;
use std::io::Write as _;

use switchyard_maps::installed::{self, Entry};
use switchyard_maps::{MapName, MapOptions, TableSpec};

/// Case, names of other scripts, quotes, lines that go on, and every kind of table that is made of a text.
const TEXTS: &[(MapName, &str, &str)] = &[
    (
        MapName::Transport,
        "hash:transport",
        "# routes\nB\u{dc}cher.example smtp:[GW.Example]:26\r\n.Example.ORG\n  lmtp:unix:/run/lmtp\n# between\n\n\
         Ann@Example.org error:5.1.1 gone\n* smtp:[fallback.example]\n",
    ),
    (
        MapName::Transport,
        "regexp:transport.re",
        "/^list-(.*)@example\\.org$/i smtp:[lists.example]\nif /@b\\./\n/^x/ error:no\nendif\n",
    ),
    (MapName::Transport, "pcre:transport.pcre", "/^(?<who>[a-z]+)\\+\\d{2,}@/x smtp:[plus.example]\n"),
    (
        MapName::VirtualAlias,
        "alias",
        "\u{feff}\"Joe User\"@B\u{fc}cher.example JOE@Example.org,\n\t ann@example.org\nAnn ann@example.org, joe\n\
         @old.example @new.example\n",
    ),
    (
        MapName::VirtualAlias,
        "aliases:local",
        "Staff: ann, \"joe user\"@example.org,\n  bob\n\"o'neil\": bob\n",
    ),
    (MapName::Recipients, "recipients", "Alice@Example.ORG x\nstra\u{df}e@example.org x\n@all.example x\n"),
    (MapName::ClientAccess, "cidr:clients", "192.0.2.0/24 REJECT no\n!2001:db8::/32 DUNNO\n2001:DB8::1 ok\n"),
];

/// The number of [`installed::LAYOUT`] that these are by.
const LAYOUT: u32 = 0x0104_0004;
const IDENTITIES: &[(&str, &str)] = &[
    ("cidr:clients", "aaee9825eaa6fa86f8670bc2ae85f8ea0aae763f50cd9fffef96f51e59e703b6"),
    ("recipients", "8d6d3cafd4a191c92ab441248d3e4aee1ea85a4e5679a38ac397b33be30ed15e"),
    ("hash:transport", "a19b1d6b3db19f9b9c427bbdf3beafb8ebd779226645a3f647638bf15add6aa3"),
    ("regexp:transport.re", "59ed620c050e33deb0252d766dc4d27d957c5e20e6d1841ba9799d13375dbd24"),
    ("pcre:transport.pcre", "37772a11cc525685450ab2bec44ccc03f70637ca67fd5e67e209ab978b74c82d"),
    ("alias", "2b4310d39d0bc26564c1bbc44d2f1d35f7d9ab7d5dc54c1f883a185d5cdd3084"),
    ("aliases:local", "6d70f4a25216470848dffc5b33f5077eb80b0aa79aa06a7ef9b6ba05bc816e67"),
];

#[test]
fn fixed_texts_come_to_fixed_octets() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = MapOptions {
        folder: folder.path().to_owned(),
        origin: Some("example.org".parse().expect("a domain")),
        allow_dead_rules: true,
        ..MapOptions::default()
    };
    for (map, word, text) in TEXTS {
        let file = word.split_once(':').map_or(*word, |(_, file)| file);
        let file = File::create(folder.path().join(file));
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("a text");
        options.tables.entry(*map).or_default().push(TableSpec::parse(word).expect("a table"));
    }
    let manifest = installed::install(&options, &folder.path().join("set")).expect("nothing is wrong");
    let entries: Vec<&Entry> = manifest.maps.values().flatten().collect();
    let identity = |entry: &&Entry| {
        let artifact = entry.artifact.as_ref().expect("each has one");
        (entry.table.clone(), artifact.identity.clone())
    };
    let found: Vec<(String, String)> = entries.iter().map(identity).collect();
    let wanted = IDENTITIES.iter().map(|(table, identity)| ((*table).to_owned(), (*identity).to_owned()));
    let wanted: Vec<_> = wanted.collect();
    assert!(
        installed::LAYOUT == LAYOUT && found == wanted,
        "texts are read, or tables written, in another way than before. Hosts keep tables of texts that did not \
         change: make RULES of maps/src/compile/over.rs (or the format's VERSION) one more, then note here {:#x} \
         and {found:#?}",
        installed::LAYOUT,
    );
}
