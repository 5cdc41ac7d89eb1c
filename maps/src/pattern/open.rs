//! From an artifact's records to a table that can be asked: every pattern is read and compiled again.

use super::compile;
use super::engine::Engine;
use super::filter::Filter;
use super::record::{self, PATTERNS, RECORDS, Record, What, corrupt};
use super::syntax::{self, Dialect};
use super::template::Template;
use super::words;
use super::{Block, Condition, Patterns, Rule};
use crate::artifact::container::Tag;
use crate::artifact::{BadArtifact, Container, Kind};
use crate::rules::{self, ValueArena};

impl Patterns {
    /// Opens a table and compiles its patterns: some 30 µs each, so not for a session's thread.
    ///
    /// # Errors
    /// Another kind of map, a section is missing, or its content is not what a compiler writes.
    pub fn open(container: Container) -> Result<Self, BadArtifact> {
        let found = container.kind();
        if found != Kind::Pattern {
            return Err(BadArtifact::Kind { wanted: Kind::Pattern, found });
        }
        let dialect = match container.head().flags {
            0 => Dialect::Posix,
            1 => Dialect::Pcre,
            _ => return Err(BadArtifact::Layout("a pattern table of no dialect")),
        };
        if container.head().seed != 0 {
            return Err(BadArtifact::Layout("a seed where nothing is hashed"));
        }
        let range = |tag: Tag| container.range(&tag).ok_or(BadArtifact::Missing(tag));
        let section = |tag: Tag| container.section(&tag).ok_or(BadArtifact::Missing(tag));
        let (ends, texts) = (range(rules::VALUE_ENDS)?, range(rules::VALUE_TEXTS)?);
        let mut opening = Opening {
            dialect,
            ends: section(rules::VALUE_ENDS)?,
            texts: section(rules::VALUE_TEXTS)?,
            block_of: Vec::new(),
            blocks: Vec::new(),
            rules: Vec::new(),
            choices: Vec::new(),
            size: 0,
        };
        for (number, record) in record::read(section(RECORDS)?, section(PATTERNS)?).enumerate() {
            let (record, pattern) = record?;
            opening.record(record, pattern).map_err(|what| corrupt(number, what))?;
        }
        let Opening { blocks, rules, choices, .. } = opening;
        let filter = Filter::new(choices).map_err(|_| corrupt(0, "more words than can be looked for"))?;
        Ok(Self { blocks, rules, filter, ends, texts, container })
    }
}

/// A table while its records are read.
struct Opening<'a> {
    dialect: Dialect,
    ends: &'a [u8],
    texts: &'a [u8],
    /// For each record that is a block, its number and its depth.
    block_of: Vec<Option<(usize, usize)>>,
    blocks: Vec<Block>,
    rules: Vec<Rule>,
    choices: Vec<Vec<words::Words>>,
    size: usize,
}

impl Opening<'_> {
    fn record(&mut self, record: Record, pattern: &str) -> Result<(), &'static str> {
        let outer = match record.block {
            None => None,
            Some(block) => {
                let block = self.block_of.get(block as usize).copied().flatten();
                Some(block.ok_or("a block that is none")?)
            }
        };
        let (block, depth) = (outer.map(|(block, _)| block), outer.map_or(0, |(_, depth)| depth + 1));
        if depth > rules::DEEPEST {
            return Err("blocks that nest too deep");
        }
        let parsed = syntax::parse(pattern, record.flags, self.dialect);
        let parsed = parsed.map_err(|_| "a pattern that cannot be read")?;
        let groups = record.what.groups(self.dialect);
        let engine = Engine::new(&parsed.hir, groups).map_err(|_| "a pattern that cannot be compiled")?;
        self.size = self.size.saturating_add(engine.size());
        if self.size > compile::ROOM {
            return Err("patterns that take more room than they may");
        }
        let condition = Condition { engine, negated: record.negated };
        let (value, template) = match record.what {
            What::Block => {
                self.block_of.push(Some((self.blocks.len(), depth)));
                self.blocks.push(Block { condition, outer: block });
                return Ok(());
            }
            What::Rule(value) => (value, None),
            What::Template(value) => {
                let text = ValueArena::get(self.ends, self.texts, value).map_err(|_| "no such value")?;
                let groups = (!record.negated).then_some(parsed.groups);
                let template = Template::read(text, groups).map_err(|_| "a template that cannot be read")?;
                (value, Some(template))
            }
        };
        if value >= ValueArena::count(self.ends) {
            return Err("no such value");
        }
        self.block_of.push(None);
        // What must not match has no word that must be there.
        self.choices.push(if record.negated { Vec::new() } else { words::choices(&parsed.hir) });
        self.rules.push(Rule { condition, block, line: record.line, value, template });
        Ok(())
    }
}
