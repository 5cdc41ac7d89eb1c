//! One pattern, ready to be asked: an engine whose time grows with the key, never with its power.
//!
//! Where more than one match starts at the same place, PCRE takes the first it comes to, trying branches in
//! their order; POSIX takes the longest. That makes no difference to whether a key matches, only to what `$1`
//! is: so it is looked after where a POSIX pattern's groups are wanted.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, Look};

use super::syntax::Dialect;

/// Octets a pattern may take when compiled: `[^@]{1,64}@[^@]{1,255}` takes some thousands.
const LARGEST: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Engine {
    regex: Regex,
    longest: Option<Box<Longest>>,
}

/// Who wants a pattern's groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Groups {
    Nobody,
    Wanted(Dialect),
}

impl Engine {
    /// Compiles a pattern; only one whose groups somebody wants keeps them.
    pub(super) fn new(hir: &Hir, groups: Groups) -> Result<Self, String> {
        // A match that has to reach the key's end is the longest, whichever it is.
        let ends = hir.properties().look_set_suffix().contains(Look::End);
        let posix = groups == Groups::Wanted(Dialect::Posix) && !ends;
        let captures = match groups {
            Groups::Nobody => WhichCaptures::None,
            Groups::Wanted(_) => WhichCaptures::All,
        };
        let regex = build(hir, captures).map_err(|error| said(error.size_limit(), &error))?;
        let longest = match posix {
            true => Some(Box::new(Longest::new(hir)?)),
            false => None,
        };
        Ok(Self { regex, longest })
    }

    pub(super) fn is_match(&self, key: &str) -> bool {
        self.regex.is_match(key)
    }

    /// Where the groups matched; nothing when the pattern did not.
    pub(super) fn groups<'k>(&self, key: &'k str) -> Option<Matched<'k>> {
        let mut captures = self.regex.create_captures();
        self.regex.captures(key, &mut captures);
        let first = captures.get_match()?;
        let longest = self.longest.as_ref().and_then(|longest| longest.groups(key.as_bytes(), first.start()));
        Some(Matched { captures: longest.unwrap_or(captures), key: key.as_bytes() })
    }

    /// Octets of memory.
    pub(super) fn size(&self) -> usize {
        let longest = self.longest.as_ref().map_or(0, |longest| longest.size());
        size_of::<Self>() + self.regex.memory_usage() + longest
    }
}

/// Where the groups of a pattern matched.
#[derive(Debug)]
pub(super) struct Matched<'k> {
    captures: Captures,
    key: &'k [u8],
}

impl<'k> Matched<'k> {
    /// The octets of a group, if it matched.
    pub(super) fn get(&self, number: usize) -> Option<&'k [u8]> {
        self.key.get(self.captures.get_group(number)?.range())
    }
}

fn build(hir: &Hir, captures: WhichCaptures) -> Result<Regex, Box<BuildError>> {
    // No automaton that is built while it runs: thousands of them would fill the memory, and for a key of some
    // dozen octets the rest is as fast.
    let config = Regex::config()
        .utf8_empty(false)
        .nfa_size_limit(Some(LARGEST))
        .onepass_size_limit(Some(LARGEST / 16))
        // It takes as much memory as all the rest, and only makes groups faster.
        .onepass(captures.is_any())
        // The table's filter has found the words in the key already.
        .auto_prefilter(false)
        .hybrid(false)
        .dfa(false)
        .which_captures(captures);
    Regex::builder().configure(config).build_from_hir(hir).map_err(Box::new)
}

fn said(limit: Option<usize>, error: &dyn std::error::Error) -> String {
    match limit {
        Some(limit) => format!("the pattern takes more than {limit} octets when compiled"),
        None => format!("the pattern cannot be compiled: {error}"),
    }
}

// ---------------------------------------------------------------------------------------------------------

/// POSIX's match: of those that start first, the longest.
#[derive(Debug)]
struct Longest {
    /// Follows all matches from a place to the last one's end.
    ends: PikeVM,
    /// The pattern, as long as the text: its groups.
    whole: Regex,
}

impl Longest {
    fn new(hir: &Hir) -> Result<Self, String> {
        let thompson = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(LARGEST))
            .which_captures(WhichCaptures::Implicit);
        let nfa = thompson::Compiler::new().configure(thompson).build_from_hir(hir);
        let nfa = nfa.map_err(|error| said(error.size_limit(), &error))?;
        let ends =
            PikeVM::builder().configure(PikeVM::config().match_kind(MatchKind::All)).build_from_nfa(nfa);
        let ends = ends.map_err(|error| said(error.size_limit(), &error))?;
        let whole = Hir::concat(vec![hir.clone(), Hir::look(Look::End)]);
        let whole = build(&whole, WhichCaptures::All).map_err(|error| said(error.size_limit(), &error))?;
        Ok(Self { ends, whole })
    }

    /// The groups of the longest match that starts at a place.
    fn groups(&self, key: &[u8], start: usize) -> Option<Captures> {
        let input = Input::new(key).range(start..).anchored(Anchored::Yes);
        let mut slots = [None; 2];
        self.ends.search_slots(&mut self.ends.create_cache(), &input, &mut slots)?;
        let end = slots[1]?.get();
        // What stands behind the match is cut off: where a `\>` at its end asks for it, it is the key's end.
        let input = Input::new(key.get(..end)?).range(start..).anchored(Anchored::Yes);
        let mut captures = self.whole.create_captures();
        self.whole.search_captures(&input, &mut captures);
        captures.is_match().then_some(captures)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.ends.get_nfa().memory_usage() + self.whole.memory_usage()
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Flags, parse};
    use super::*;

    fn groups(dialect: Dialect, pattern: &str, key: &str) -> String {
        let parsed = parse(pattern, Flags::initial(dialect), dialect).unwrap();
        let engine = Engine::new(&parsed.hir, Groups::Wanted(dialect)).unwrap();
        let matched = engine.groups(key).unwrap();
        let group = |number| String::from_utf8_lossy(matched.get(number).unwrap_or_default()).into_owned();
        (1..=parsed.groups as usize).map(group).collect::<Vec<_>>().join(":")
    }

    #[test]
    fn posix_takes_the_longest_match_and_pcre_the_first() {
        // What is expected was asked of postmap(1).
        for (pattern, key, posix, pcre) in [
            ("(foo|foobar)", "foobar", "foobar", "foo"),
            ("(foobar|foo)(b*)", "foobbb", "foo:bbb", "foo:bbb"),
            ("(f|fo)(o*)", "foo", "f:oo", "f:oo"),
            ("(fo|f)(o*)", "foo", "fo:o", "fo:o"),
            ("(a|ab)(c|bcd)(d*)", "abcd", "a:bcd:", "a:bcd:"),
            ("(a*)(ab)*", "aab", "a:ab", "aa:"),
            ("(a|ab)(b*)$", "abb", "a:bb", "a:bb"),
            ("^(.*)-(.*)$", "a-b-c", "a-b:c", "a-b:c"),
            ("x(a|ab)", "xab xabc", "ab", "a"),
        ] {
            assert_eq!(groups(Dialect::Posix, pattern, key), posix, "posix {pattern}");
            assert_eq!(groups(Dialect::Pcre, pattern, key), pcre, "pcre {pattern}");
        }
    }
}
