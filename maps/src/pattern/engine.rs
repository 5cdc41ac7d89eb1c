//! One pattern, ready to be asked: an engine whose time grows with the key, never with its power.

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::captures::Captures;
use regex_syntax::hir::Hir;

/// Octets a pattern may take when compiled: `[^@]{1,64}@[^@]{1,255}` takes some thousands.
const LARGEST: usize = 1 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Engine(Regex);

impl Engine {
    /// Compiles a pattern; only one whose groups somebody wants keeps them.
    pub(super) fn new(hir: &Hir, captures: WhichCaptures) -> Result<Self, String> {
        // No automaton that is built while it runs: thousands of them would fill the memory, and for a key of
        // some dozen octets the rest is as fast.
        let config = Regex::config()
            .utf8_empty(false)
            .nfa_size_limit(Some(LARGEST))
            .onepass_size_limit(Some(LARGEST / 16))
            .hybrid(false)
            .dfa(false)
            .which_captures(captures);
        let regex = Regex::builder().configure(config).build_from_hir(hir).map_err(|error| {
            match error.size_limit() {
                Some(limit) => format!("the pattern takes more than {limit} octets when compiled"),
                None => format!("the pattern cannot be compiled: {error}"),
            }
        })?;
        Ok(Self(regex))
    }

    pub(super) fn is_match(&self, key: &str) -> bool {
        self.0.is_match(key)
    }

    /// Where the groups matched; nothing when the pattern did not.
    pub(super) fn groups(&self, key: &str) -> Option<Groups> {
        let mut captures = self.0.create_captures();
        self.0.captures(key, &mut captures);
        captures.is_match().then_some(Groups(captures))
    }

    /// Octets of memory.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.0.memory_usage()
    }
}

/// Where the groups of a pattern matched.
#[derive(Debug)]
pub(super) struct Groups(Captures);

impl Groups {
    /// The octets of a group, if it matched.
    pub(super) fn get<'k>(&self, number: usize, key: &'k str) -> Option<&'k [u8]> {
        key.as_bytes().get(self.0.get_group(number)?.range())
    }
}
