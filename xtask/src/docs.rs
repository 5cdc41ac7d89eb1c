//! Documents that come out of the sources, and checks that the others still tell the truth.
//!
//! - `docs/rfcs.md` ([`rfcs`]): every `RFC nnnn §x` in the code, and where it stands.
//! - `docs/metrics.md` ([`metrics`]): every metric the daemons register.
//! - `docs/settings.md` and `docs/schema/` ([`settings`]): every setting the daemons and a site have.
//! - `docs/attacks.md` ([`attacks`]): written by hand but for its last column, the tests that carry a row's id.
//! - What is written by hand ([`paths`]): every path that [`BY_HAND`] name must exist.

mod attacks;
mod metrics;
mod paths;
mod rfcs;
mod settings;

use std::fs::File;
use std::io::Write;

use crate::run::{Failure, findings};
use crate::tree;

/// Documents that are written by hand and name paths.
const BY_HAND: &[&str] = &[
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/from-postfix.md",
    "docs/map.md",
    "docs/message.md",
    "docs/operating.md",
    "docs/quick-start.md",
];

/// A document and what should stand in it.
struct Document {
    path: &'static str,
    text: String,
}

fn documents() -> Result<Vec<Document>, Failure> {
    let mut documents = vec![
        Document { path: "docs/rfcs.md", text: rfcs::document()? },
        Document { path: "docs/metrics.md", text: metrics::document()? },
        Document { path: "docs/attacks.md", text: attacks::document()? },
        Document { path: "docs/settings.md", text: settings::document() },
    ];
    documents.extend(settings::schemas().map(|(path, text)| Document { path, text }));
    Ok(documents)
}

/// Writes what has changed.
pub(crate) fn write() -> Result<(), Failure> {
    for document in documents()? {
        if tree::read(document.path).is_ok_and(|current| current == document.text) {
            continue;
        }
        let path = tree::root().join(document.path);
        let mut file = File::create(&path).map_err(Failure::file(&path))?;
        file.write_all(document.text.as_bytes()).map_err(Failure::file(&path))?;
        println!("wrote {}", document.path);
    }
    Ok(())
}

/// Fails when a document is out of date, names what is gone, or leaves an attack without a test or a reason.
pub(crate) fn check() -> Result<(), Failure> {
    let mut found = Vec::new();
    for document in documents()? {
        if tree::read(document.path).unwrap_or_default() != document.text {
            found.push(format!("{} is out of date: run `cargo xtask docs`", document.path));
        }
    }
    found.extend(attacks::unanswered()?);
    for document in BY_HAND {
        found.extend(paths::missing(document)?);
    }
    findings(found)
}
