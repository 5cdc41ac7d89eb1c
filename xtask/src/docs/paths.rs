//! A document that names a file or folder which is no longer there.
//!
//! A path is what stands between backquotes, holds a `/`, and begins with a folder or file of the root.

use crate::run::Failure;
use crate::tree;

/// Every path in the document that does not exist. A document not yet written names none.
pub(super) fn missing(document: &str) -> Result<Vec<String>, Failure> {
    if !tree::root().join(document).exists() {
        return Ok(vec![format!("{document} is missing")]);
    }
    let text = tree::read(document)?;
    let gone = named(&text).filter(|(_, path)| {
        let first = path.split('/').next().unwrap_or_default();
        tree::root().join(first).exists() && !tree::root().join(path).exists()
    });
    Ok(gone.map(|(line, path)| format!("{document}:{line}: `{path}` does not exist")).collect())
}

fn named(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.filter(|word| looks_like_a_path(word)).map(move |word| (index + 1, word.trim_end_matches('/')))
    })
}

fn looks_like_a_path(word: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    word.contains('/') && !word.starts_with('/') && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_looks_like_them() {
        let text = "The `smtp/src/wire/` room; `a -> b/c`, `/etc/x`, `text/plain`\nand `mx/src/lib.rs`.";
        let found: Vec<_> = named(text).collect();
        assert_eq!(found, [(1, "smtp/src/wire"), (1, "text/plain"), (2, "mx/src/lib.rs")]);
    }
}
