//! Tables of regular expressions: regexp_table(5) and pcre_table(5).
//!
//! ```text
//! /^postmaster@/                OK                      first match wins; letters match in both cases
//! if !/^owner-/                                         the rules up to `endif` are asked only when this holds
//! /^(.*)-outgoing@(.*)$/        550 Use ${1}@${2}       groups are put into the value
//! endif
//! !/@example\.com$/             relay:[mail.example]    answers where the pattern does not match
//! ```
//!
//! The way of a table: `rule` parts a line, `syntax` reads its pattern, `template` its value; `compile` makes
//! records of them and finds the dead ones. The artifact holds the patterns' texts: opening it compiles them,
//! which is why a table is opened before it is put in use. A lookup asks `filter` for the rules whose words
//! are in the key and tries these in order; a block's condition is tried once at most.
//!
//! Other than Postfix:
//! - The engine takes time in proportion to the key. What only backtracking can do (back-references,
//!   look-around, possessive repetition, atomic groups, recursion, `\K`, callouts, verbs) is refused by name.
//! - A rule that is wrong is a fault of the table; Postfix skips it with a warning. So are text behind `endif`
//!   or an `if`'s pattern, an `if` that nothing closes, a rule without a value, and `\` before a letter that
//!   makes no escape (with GNU's library it matches by accident of case).
//! - A rule that never answers, since one before it takes all of its keys and answers otherwise, is told.
//! - `$1` of a POSIX pattern is of the longest match, as in Postfix. Where a group is repeated and may match
//!   nothing (`(a?)*`), which of its turns is told differs from both libraries.
//! - `$` and `\Z` match at the key's end only, not before a newline there: pcre's E flag changes nothing.
//! - pcre's X flag is taken and changes nothing, as in Postfix 3.7.
//! - A pattern has at most 65,536 octets, and takes at most 1 MiB when compiled; blocks nest at most 100 deep.

mod always;
mod compile;
mod engine;
mod filter;
mod open;
mod record;
mod rule;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use crate::artifact::container::{self, Head, Tag};
use crate::artifact::{BadArtifact, Container, Corrupt, Kind};
use crate::rules::{self, BadLines, Built, Check, ValueArena};
use crate::source::{BadLine, Line, Lines};
use compile::Parts;
use engine::Engine;
use filter::Filter;
use record::{PATTERNS, RECORDS, What};
pub use syntax::Dialect;
use template::Template;

/// Reads a table's lines; `check` types its values. The result is an artifact.
pub(crate) fn compile<'a>(
    lines: impl IntoIterator<Item = Result<Line<'a>, BadLine>>,
    dialect: Dialect,
    check: Check<'_>,
) -> Result<Built, BadLines> {
    let Parts { records, patterns, values, rules, dead } = compile::compile(lines, dialect, check)?;
    let head = Head { flags: u32::from(dialect == Dialect::Pcre), records: rules, ..Head::default() };
    let sections = [
        (RECORDS, records.as_slice()),
        (PATTERNS, &patterns),
        (rules::VALUE_ENDS, &values.ends),
        (rules::VALUE_TEXTS, &values.texts),
    ];
    match container::assemble(Kind::Pattern, head, &sections) {
        Ok(bytes) => Ok(Built { bytes, dead }),
        // Writing to memory and no more sections than there may be: only for the type.
        Err(error) => Err(BadLines::of_table(error.to_string())),
    }
}

/// Compiles a file whose values may be any text: for tools, benches and fuzzing. Gives the artifact, and the
/// dead rules, a line each.
///
/// # Errors
/// All that is wrong, a line each.
pub fn compile_untyped(text: &[u8], dialect: Dialect) -> Result<(Vec<u8>, String), String> {
    let built = compile(Lines::new(text), dialect, &mut |value, _| Ok(value.to_owned()));
    built.map(|built| (built.bytes, built.dead.to_string())).map_err(|bad| bad.to_string())
}

// ---------------------------------------------------------------------------------------------------------

/// What answers for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFound<'t> {
    /// The value, groups put in.
    pub text: Cow<'t, str>,
    /// The value's number, where no groups were put in.
    pub number: Option<u32>,
    /// The line of the rule.
    pub line: u32,
}

/// A compiled table, its patterns ready to be asked.
#[derive(Debug)]
pub struct Patterns {
    container: Container,
    blocks: Vec<Block>,
    rules: Vec<Rule>,
    filter: Filter,
    ends: Range<usize>,
    texts: Range<usize>,
}

/// A pattern, and whether it is one that must not match.
#[derive(Debug)]
struct Condition {
    engine: Engine,
    negated: bool,
}

#[derive(Debug)]
struct Block {
    condition: Condition,
    outer: Option<usize>,
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    block: Option<usize>,
    line: u32,
    value: u32,
    template: Option<Template>,
}

impl Patterns {
    /// The first rule that answers for a key.
    ///
    /// # Errors
    /// The table is damaged, or a substitution gives no text.
    pub fn find(&self, key: &str) -> Result<Option<PatternFound<'_>>, Corrupt> {
        let mut open = OpenBlocks::new(&self.blocks, key);
        for number in self.filter.candidates(key) {
            let Some(rule) = self.rules.get(number as usize) else { continue };
            if !rule.block.is_none_or(|block| open.is_open(block)) {
                continue;
            }
            let line = rule.line;
            match &rule.template {
                None if rule.condition.holds(key) => {
                    let text = self.value(rule.value)?.into();
                    return Ok(Some(PatternFound { text, number: Some(rule.value), line }));
                }
                None => {}
                Some(template) => {
                    let Some(groups) = rule.condition.engine.groups(key) else { continue };
                    let text = template.expand(|group| groups.get(group)).map_err(|what| Corrupt {
                        section: rules::VALUE_TEXTS,
                        at: u64::from(rule.value),
                        what,
                    })?;
                    return Ok(Some(PatternFound { text: text.into(), number: None, line }));
                }
            }
        }
        Ok(None)
    }

    /// A value by its number; one with substitutions as it stands.
    ///
    /// # Errors
    /// There is no such value.
    pub fn value(&self, number: u32) -> Result<&str, Corrupt> {
        ValueArena::get(self.bytes(&self.ends), self.bytes(&self.texts), number)
    }

    /// How many values there are.
    #[must_use]
    pub fn values(&self) -> u32 {
        ValueArena::count(self.bytes(&self.ends))
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True for a table without a rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Each rule's pattern (`!` before one that must not match), line and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (String, u32, &str)> {
        let section = |tag: &Tag| self.container.section(tag).unwrap_or_default();
        record::read(section(&RECORDS), section(&PATTERNS)).flatten().filter_map(|(record, pattern)| {
            let value = match record.what {
                What::Block => return None,
                What::Rule(value) | What::Template(value) => self.value(value).ok()?,
            };
            let mark = if record.negated { "!" } else { "" };
            Some((format!("{mark}/{pattern}/"), record.line, value))
        })
    }

    /// The artifact.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Reads all of the table; its rules were read when it was opened.
    ///
    /// # Errors
    /// The first thing that is not as it was written.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        self.container.verify()?;
        ValueArena::verify(self.bytes(&self.ends), self.bytes(&self.texts))?;
        if self.container.head().records != self.rules.len() as u64 {
            return Err(BadArtifact::Layout("not as many rules as it says"));
        }
        Ok(())
    }

    fn bytes(&self, place: &Range<usize>) -> &[u8] {
        self.container.bytes().get(place.clone()).unwrap_or_default()
    }
}

impl Condition {
    fn holds(&self, key: &str) -> bool {
        self.engine.is_match(key) != self.negated
    }
}

/// Which blocks let a key through, as far as that was asked.
struct OpenBlocks<'t> {
    blocks: &'t [Block],
    key: &'t str,
    known: Vec<Option<bool>>,
}

impl<'t> OpenBlocks<'t> {
    fn new(blocks: &'t [Block], key: &'t str) -> Self {
        Self { blocks, key, known: vec![None; blocks.len()] }
    }

    /// Asks the outer blocks first; blocks nest 100 deep at most.
    fn is_open(&mut self, number: usize) -> bool {
        if let Some(Some(known)) = self.known.get(number) {
            return *known;
        }
        let Some(block) = self.blocks.get(number) else { return false };
        let open = block.outer.is_none_or(|outer| self.is_open(outer)) && block.condition.holds(self.key);
        if let Some(known) = self.known.get_mut(number) {
            *known = Some(open);
        }
        open
    }
}
