//! Words a key must hold for a pattern to match: what spares a lookup most of the patterns.
//!
//! `/^user[0-9]+@mail\.example\.com$/` matches no key without `@mail.example.com`. One search for the words of
//! all patterns at once gives the few that are worth a try. Letters are folded: a word too many found costs a
//! try, one too few would be a wrong answer.

use regex_syntax::hir::{Class, Hir, HirKind};

/// One of these words is in every key that a pattern matches.
pub(super) type Words = Vec<Vec<u8>>;

/// Shorter words are in too many keys.
const SHORTEST: usize = 2;
/// Words of one choice; a pattern with a longer list is tried on every key.
const MOST: usize = 256;
/// Octets of one word.
const LONGEST: usize = 64;
/// Choices a pattern offers.
const CHOICES: usize = 8;

/// What a pattern offers to look for, longest words first; nothing when no word is needed.
pub(super) fn choices(hir: &Hir) -> Vec<Words> {
    let mut choices = Vec::new();
    collect(hir, &mut choices);
    choices.retain(|words| shortest(words) >= SHORTEST);
    choices.sort_by_key(|words| std::cmp::Reverse(shortest(words)));
    choices.truncate(CHOICES);
    choices
}

fn shortest(words: &Words) -> usize {
    words.iter().map(Vec::len).min().unwrap_or(0)
}

fn collect(hir: &Hir, choices: &mut Vec<Words>) {
    if let Some(word) = exact(hir) {
        choices.push(vec![word]);
        return;
    }
    match hir.kind() {
        HirKind::Capture(capture) => collect(&capture.sub, choices),
        HirKind::Repetition(repetition) if repetition.min > 0 => collect(&repetition.sub, choices),
        HirKind::Alternation(branches) => {
            let mut words = Words::new();
            for branch in branches {
                // The best of a branch is its longest.
                let Some(branch) = self::choices(branch).into_iter().next() else { return };
                words.extend(branch);
                if words.len() > MOST {
                    return;
                }
            }
            choices.push(words);
        }
        HirKind::Concat(pieces) => {
            let mut run = Vec::new();
            for piece in pieces {
                match exact(piece) {
                    Some(word) if run.len() + word.len() <= LONGEST => run.extend(word),
                    Some(word) => {
                        choices.push(vec![std::mem::replace(&mut run, word)]);
                    }
                    None => {
                        choices.push(vec![std::mem::take(&mut run)]);
                        collect(piece, choices);
                    }
                }
            }
            choices.push(vec![run]);
        }
        HirKind::Repetition(_)
        | HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Class(_) => {}
    }
}

/// The one word a pattern matches, if it is one, in lower case; anchors take no room.
fn exact(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Vec::new()),
        HirKind::Literal(literal) => {
            Some(literal.0.get(..LONGEST).unwrap_or(&literal.0).to_ascii_lowercase())
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let first = bytes.next()?.to_ascii_lowercase();
            bytes.all(|byte| byte.to_ascii_lowercase() == first).then(|| vec![first])
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        _ => None,
    }
}
