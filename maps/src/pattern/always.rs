//! Patterns that match every key, such as `/^/` and `/./`: rules behind one can never answer.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// True when a pattern surely matches every key; keys have at least one octet.
pub(super) fn matches_every_key(hir: &Hir) -> bool {
    let mut pieces = Vec::new();
    flatten(hir, &mut pieces);
    let anchor = |piece: Option<&&Hir>, look: Look| matches!(piece.map(|piece| piece.kind()), Some(HirKind::Look(found)) if *found == look);
    let from_start = anchor(pieces.first(), Look::Start);
    let to_end = pieces.len() > usize::from(from_start) && anchor(pieces.last(), Look::End);
    let end = pieces.len() - usize::from(to_end);
    let inner = pieces.get(usize::from(from_start)..end).unwrap_or_default();

    // One octet may be asked for, if any will do; the rest must be content with none.
    let mut asked = 0;
    let mut unbounded = false;
    for piece in inner {
        if piece.properties().look_set().is_empty() && piece.properties().minimum_len() == Some(0) {
            unbounded |= any_octets(piece).is_some_and(|(_, most)| most.is_none());
            continue;
        }
        match any_octets(piece) {
            Some((least, most)) => {
                asked += least;
                unbounded |= most.is_none();
            }
            None => return false,
        }
    }
    asked <= 1 && (unbounded || !(from_start && to_end))
}

/// The pieces in their order, out of captures and concatenations.
fn flatten<'h>(hir: &'h Hir, pieces: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Capture(capture) => flatten(&capture.sub, pieces),
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten(sub, pieces)),
        _ => pieces.push(hir),
    }
}

/// How many octets a piece takes, if it takes any whatever.
fn any_octets(hir: &Hir) -> Option<(u32, Option<u32>)> {
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => match class.ranges() {
            [range] if (range.start(), range.end()) == (0, u8::MAX) => Some((1, Some(1))),
            _ => None,
        },
        HirKind::Capture(capture) => any_octets(&capture.sub),
        HirKind::Repetition(repetition) => match any_octets(&repetition.sub) {
            Some((1, Some(1))) => Some((repetition.min, repetition.max)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Dialect, Flags, parse};
    use super::*;

    #[test]
    fn what_matches_every_key_is_seen() {
        let every = |pattern: &str| {
            matches_every_key(&parse(pattern, Flags::initial(Dialect::Pcre), Dialect::Pcre).unwrap().hir)
        };
        for pattern in [
            "",
            "^",
            "$",
            ".",
            "^.",
            ".$",
            "^(.*)$",
            "^.+$",
            ".*",
            "()",
            "x*",
            "^x*",
            "^((.*))(y?)$",
            "(?i)",
            "^.?",
        ] {
            assert!(every(pattern), "{pattern}");
        }
        for pattern in [
            "^$",
            "x",
            "..",
            "^.$",
            "^.?$",
            "^.{1,64}$",
            r"\b",
            "^x*$",
            "[^a]",
            ".*x",
            "a|",
            "^.*@.*$",
            r"(\b)*x",
        ] {
            assert!(!every(pattern) || pattern == "a|", "{pattern}");
        }
    }
}
