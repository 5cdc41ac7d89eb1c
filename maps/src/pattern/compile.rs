//! Lines to sections: every pattern read and compiled once, values checked, dead rules found.

use std::collections::HashMap;

use super::always::matches_every_key;
use super::engine::{Engine, Groups};
use super::record::{Record, What};
use super::rule::{self, Condition, Read};
use super::syntax::{self, Dialect, Flags, Parsed};
use super::template::Template;
use crate::fault::Wrong;
use crate::rules::{self, BadLines, Blocks, Check, ValueArena, Values};
use crate::source::{BadLine, Line};

/// Octets all patterns of a table may take when compiled.
pub(super) const ROOM: usize = 512 << 20;

/// What a table becomes, before it is put into a container.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) records: Vec<u8>,
    pub(super) patterns: Vec<u8>,
    pub(super) values: ValueArena,
    pub(super) rules: u64,
    pub(super) dead: BadLines,
}

/// Reads a table. All that is wrong is told at once.
pub(super) fn compile<'a>(
    lines: impl IntoIterator<Item = Result<Line<'a>, BadLine>>,
    dialect: Dialect,
    check: Check<'_>,
) -> Result<Parts, BadLines> {
    let mut reader = Reader::new(dialect);
    let mut bad = BadLines::default();
    for line in lines {
        match line {
            Ok(line) => {
                if let Err(wrong) = reader.line(&line, check) {
                    bad.tell(&line, wrong);
                }
            }
            Err(line) => bad.push(line),
        }
        if reader.size > ROOM {
            // Reading on would take the memory that this saves.
            bad.push(BadLine {
                line: 0,
                column: 0,
                what: format!("the patterns take more than {ROOM} octets when compiled"),
            });
            break;
        }
    }
    for line in reader.blocks.lines() {
        bad.tell_line(line, "`if` without an `endif` behind it");
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    let Reader { records, patterns, values, rules, dead, .. } = reader;
    Ok(Parts { records, patterns, values: values.into_arena(), rules, dead })
}

struct Reader {
    dialect: Dialect,
    records: Vec<u8>,
    patterns: Vec<u8>,
    /// Where each pattern's text stands: blocks and rules often say the same.
    texts: HashMap<Box<str>, (u32, u32)>,
    values: Values,
    rules: u64,
    number: u32,
    size: usize,
    top: Scope,
    blocks: Blocks<Scope>,
    dead: BadLines,
}

/// What was seen in a block, or outside of all.
#[derive(Debug, Default)]
struct Scope {
    /// The block's record.
    record: Option<u32>,
    /// The line of a condition that lets no key through.
    shut: Option<u32>,
    /// The rule that takes every key that gets to it.
    last: Option<Answer>,
    seen: HashMap<(bool, Box<str>, Flags), Answer>,
}

/// A rule's line and what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    line: u32,
    what: What,
}

impl Reader {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            records: Vec::new(),
            patterns: Vec::new(),
            texts: HashMap::new(),
            values: Values::default(),
            rules: 0,
            number: 0,
            size: 0,
            top: Scope::default(),
            blocks: Blocks::new(),
            dead: BadLines::default(),
        }
    }

    fn line(&mut self, line: &Line<'_>, check: Check<'_>) -> Result<(), Wrong> {
        match rule::read(&line.text, self.dialect) {
            Ok(Read::Endif) => self.blocks.close().map(|_| ()),
            Ok(Read::If(condition, at)) => self.block(line.number(), condition, at),
            Ok(Read::Rule(condition, at, value, value_at)) => {
                let parsed = self.parse(condition, at)?;
                let what =
                    self.value(value, &parsed, condition, check).map_err(|wrong| wrong.moved(value_at))?;
                self.rule(line.number(), condition, at, &parsed, what)
            }
            Err(wrong) => {
                // A condition that is wrong still opens its block, or its `endif` would be told as well.
                if let rules::Keyword::If(_) = rules::keyword(&line.text) {
                    self.blocks.open(line.number(), Scope::default())?;
                }
                Err(wrong)
            }
        }
    }

    fn block(&mut self, line: u32, condition: Condition<'_>, at: usize) -> Result<(), Wrong> {
        let mut scope = Scope::default();
        let read = self.parse(condition, at).and_then(|parsed| {
            if condition.negated && matches_every_key(&parsed.hir) {
                scope.shut = Some(line);
            }
            scope.record = Some(self.number);
            self.compile(&parsed, Groups::Nobody).map_err(|wrong| wrong.moved(at))?;
            self.write(What::Block, line, condition)
        });
        self.blocks.open(line, scope)?;
        read
    }

    fn rule(
        &mut self,
        line: u32,
        condition: Condition<'_>,
        at: usize,
        parsed: &Parsed,
        what: What,
    ) -> Result<(), Wrong> {
        self.compile(parsed, what.groups(self.dialect)).map_err(|wrong| wrong.moved(at))?;
        let answer = Answer { line, what };
        let every = matches_every_key(&parsed.hir);
        self.tell_if_dead(answer, condition, every);
        let scope = self.blocks.innermost_mut().unwrap_or(&mut self.top);
        let seen = |negated| (negated, condition.pattern.into(), condition.flags);
        // What matches and what does not is everything.
        if (every && !condition.negated) || scope.seen.contains_key(&seen(!condition.negated)) {
            scope.last.get_or_insert(answer);
        }
        scope.seen.entry(seen(condition.negated)).or_insert(answer);
        self.rules += 1;
        self.write(what, line, condition)
    }

    /// Tells of a rule that can never answer, unless what answers before it says the same.
    fn tell_if_dead(&mut self, answer: Answer, condition: Condition<'_>, every: bool) {
        let key = (condition.negated, condition.pattern.into(), condition.flags);
        let mut why = None;
        for scope in std::iter::once(&self.top).chain(self.blocks.iter()) {
            if let Some(block) = scope.shut {
                why = Some(format!("this rule never matches: the `if` in line {block} lets no key through"));
            } else if let Some(last) = scope.last {
                if last.what == answer.what {
                    return;
                }
                why = Some(format!("this rule never matches: line {} answers for every key", last.line));
            } else if let Some(seen) = scope.seen.get(&key) {
                if seen.what == answer.what {
                    return;
                }
                why = Some(format!("line {} has the same pattern already, with another value", seen.line));
            }
            if why.is_some() {
                break;
            }
        }
        if why.is_none() && every && condition.negated {
            why = Some("this rule never matches: every key matches its pattern".to_owned());
        }
        if let Some(why) = why {
            self.dead.tell_line(answer.line, why);
        }
    }

    fn value(
        &mut self,
        value: &str,
        parsed: &Parsed,
        condition: Condition<'_>,
        check: Check<'_>,
    ) -> Result<What, Wrong> {
        let groups = (!condition.negated).then_some(parsed.groups);
        let template = Template::read(value, groups)?;
        if let Some(plain) = template.plain() {
            return self.values.number(plain, rules::Template::No, check).map(What::Rule);
        }
        // What is kept of it is read again when the table is opened.
        let mut check_again = |text: &str, kind| {
            let kept = check(text, kind)?;
            Template::read(&kept, groups)?;
            Ok(kept)
        };
        self.values.number(value, rules::Template::Yes, &mut check_again).map(What::Template)
    }

    fn parse(&self, condition: Condition<'_>, at: usize) -> Result<Parsed, Wrong> {
        let parsed = syntax::parse(condition.pattern, condition.flags, self.dialect);
        parsed
            .map_err(|wrong| Wrong::at(wrong.at + at, format!("{}{}", wrong.what, shown(condition.pattern))))
    }

    fn compile(&mut self, parsed: &Parsed, groups: Groups) -> Result<(), Wrong> {
        self.size += Engine::new(&parsed.hir, groups).map_err(Wrong::new)?.size();
        Ok(())
    }

    fn write(&mut self, what: What, line: u32, condition: Condition<'_>) -> Result<(), Wrong> {
        let too_large = || Wrong::new("the map is too large: its patterns take more than 4 GiB");
        let pattern = match self.texts.get(condition.pattern) {
            Some(place) => *place,
            None => {
                let start = u32::try_from(self.patterns.len()).map_err(|_| too_large())?;
                let length = u32::try_from(condition.pattern.len()).map_err(|_| too_large())?;
                start.checked_add(length).ok_or_else(too_large)?;
                self.patterns.extend_from_slice(condition.pattern.as_bytes());
                self.texts.insert(condition.pattern.into(), (start, length));
                (start, length)
            }
        };
        let block = self.blocks.innermost().and_then(|scope| scope.record);
        let record =
            Record { what, negated: condition.negated, flags: condition.flags, block, line, pattern };
        record.write(&mut self.records);
        self.number = self.number.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }
}

/// A pattern for the person who wrote it; nobody needs all of a long one.
fn shown(pattern: &str) -> String {
    const ENOUGH: usize = 60;
    match pattern.char_indices().nth(ENOUGH) {
        None => format!(" (in `{pattern}`)"),
        Some((end, _)) => format!(" (in `{}…`)", pattern.get(..end).unwrap_or_default()),
    }
}
