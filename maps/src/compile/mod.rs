//! From what the settings say to tables: every line read, every value checked, all faults at once.
//!
//! A table of text becomes an [artifact](crate::artifact), in memory or as an installed file; the other kinds
//! need none.

mod changed;
mod over;
mod ports;
mod text;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::artifact::exact::{BuildError, ExactBuilder};
use crate::artifact::{Container, Exact};
use crate::chain::{Member, Table};
use crate::cidr::{self, Cidr};
use crate::fault::{Fault, Faults, Wrong};
use crate::grammar::Grammar;
use crate::installed::Origin;
use crate::name::{MapName, Values};
use crate::pattern::{self, Dialect, Patterns};
use crate::random::Weighted;
use crate::remote::Remotes;
use crate::rules::{BadLines, Built as BuiltRules, Template};
use crate::source::BadLine;
use crate::spec::{Choice, Pair, Rules, TableSpec};
use crate::text::aliases::Aliases;

pub(crate) use self::over::RULES;
pub(crate) use self::ports::{Before, InMemory, Keep, Made, Read, Source, Texts, Way, WriteSeek};

/// Makes the tables of one map.
pub(crate) struct Compiler<'a, R, K> {
    pub(crate) map: Option<MapName>,
    pub(crate) read: &'a mut R,
    pub(crate) keep: &'a mut K,
    pub(crate) grammar: Grammar<'a>,
    pub(crate) remotes: &'a Remotes,
    /// Rules that can never answer are faults unless the settings allow them.
    pub(crate) allow_dead_rules: bool,
}

impl<R: Read, K: Keep> Compiler<'_, R, K> {
    /// Makes a table of what the settings say.
    pub(crate) fn table(&mut self, spec: &TableSpec) -> Result<Member, Faults> {
        let word: Arc<str> = spec.to_string().into();
        let mut file: Arc<Path> = Path::new(&*word).into();
        let takes_parts = spec.takes_partial_keys();
        if let Some((file, table)) = spec.file().and_then(|name| self.again(name, &word)) {
            return Ok(Member { table, file, spec: word, takes_parts });
        }
        let table = match spec {
            TableSpec::Text { file: name, .. } => match self.edited(name, &word) {
                Some((place, table)) => {
                    file = place;
                    Table::Exact(table)
                }
                None => {
                    let source = self.source(name)?;
                    file = Arc::clone(&source.file);
                    match self.over_before(&source, &word) {
                        Some(table) => Table::Exact(table),
                        None => self.text(&source, &word)?.into(),
                    }
                }
            },
            TableSpec::Cidr(rules) => {
                let source = self.rules(rules, &mut file)?;
                let built = cidr::compile(source.lines(), &mut |value, template| self.check(value, template));
                let kept = self.built(built, self.origin(&source, &word), &file)?;
                Table::Cidr(Cidr::open(kept).map_err(|bad| self.whole(&file, &bad))?)
            }
            TableSpec::Regexp(rules) => self.patterns(rules, Dialect::Posix, &word, &mut file)?,
            TableSpec::Pcre(rules) => self.patterns(rules, Dialect::Pcre, &word, &mut file)?,
            TableSpec::Inline(pairs) => self.inline(pairs, &file)?.into(),
            TableSpec::Static(value) => Table::Static(self.written(value, &file)?.into()),
            TableSpec::Fail(reason) => Table::Fail(reason.as_str().into()),
            TableSpec::Random(choices) => {
                let mut weigh = |choice: &Choice| Ok((self.written(&choice.value, &file)?, choice.weight));
                let values = choices.iter().map(&mut weigh).collect::<Result<_, Fault>>()?;
                Table::Random(Weighted::new(values))
            }
            TableSpec::Union(specs) => {
                Table::Union(specs.iter().map(|spec| self.table(spec)).collect::<Result<_, _>>()?)
            }
            TableSpec::Socketmap { .. } | TableSpec::Tcp(_) => {
                // A table by itself asks with the limits of any other.
                match self.remotes.open(self.map.unwrap_or(MapName::Transport), spec) {
                    Some(remote) => Table::Remote(remote),
                    None => return Err(self.whole(&file, &"is no server's table").into()),
                }
            }
            TableSpec::Aliases { file: name } => {
                let source = self.source(name)?;
                file = Arc::clone(&source.file);
                self.aliases(&source, &word)?.into()
            }
        };
        Ok(Member { table, file, spec: word, takes_parts })
    }

    fn source(&mut self, name: &Path) -> Result<Source, Fault> {
        let map = self.map;
        let source = self.read.read(map, name)?;
        if source.bytes.is_empty() {
            // A file cut short or half-way through being written must not read as "there is nobody here".
            let what = "the file is empty; if that is meant, write a comment into it";
            return Err(Fault::of_file(map, source.file, what.to_owned()));
        }
        Ok(source)
    }

    fn patterns(
        &mut self,
        rules: &Rules,
        dialect: Dialect,
        word: &str,
        file: &mut Arc<Path>,
    ) -> Result<Table, Faults> {
        let source = self.rules(rules, file)?;
        let built =
            pattern::compile(source.lines(), dialect, &mut |value, template| self.check(value, template));
        let kept = self.built(built, self.origin(&source, word), file)?;
        Ok(Table::Pattern(Patterns::open(kept).map_err(|bad| self.whole(file, &bad))?))
    }

    /// A value of a rule, as it is kept.
    fn check(&mut self, value: &str, template: Template) -> Result<String, Wrong> {
        match template {
            Template::No => self.grammar.value("", value).map(Cow::into_owned),
            // What it comes to is known when a key is asked for, and checked then.
            Template::Yes => self.grammar.template(value).map(|()| value.to_owned()),
        }
    }

    /// Rules of a file, or those of the settings themselves.
    fn rules(&mut self, rules: &Rules, file: &mut Arc<Path>) -> Result<Source, Fault> {
        match rules {
            Rules::File(name) => {
                let source = self.source(name)?;
                *file = Arc::clone(&source.file);
                Ok(source)
            }
            Rules::Inline(lines) => {
                let (file, bytes) = (Arc::clone(file), lines.join("\n").into_bytes());
                Ok(Source { map: self.map, file, bytes: bytes.into(), hash: None })
            }
        }
    }

    /// Reads the lines of a text table.
    fn text(&mut self, source: &Source, word: &str) -> Result<Exact, Faults> {
        let (builder, bad) = text::read(&source.bytes, &self.grammar);
        let faults = self.told(bad, &source.file);
        self.finish(builder, self.origin(source, word), &source.file, faults)
    }

    /// Reads an aliases(5) file, and the files of the site that it includes.
    fn aliases(&mut self, source: &Source, word: &str) -> Result<Exact, Faults> {
        let origin = self.origin(source, word);
        let Self { map, read, grammar, .. } = self;
        let map = *map;
        let mut builder = ExactBuilder::new();
        let mut faults = Faults::default();
        let is_list = map.is_some_and(|map| map.values() == Values::Nothing);
        let mut includes = false;
        let mut open = |name: &Path| {
            includes = true;
            read.read(map, name)
        };
        for alias in Aliases::new(source, &mut open) {
            let added = alias.and_then(|alias| {
                let key = grammar.key(&alias.key).map_err(|wrong| alias.key_fault(wrong))?;
                let value = if is_list { "" } else { &alias.value };
                let value = grammar.value(&key, value).map_err(|wrong| alias.value_fault(wrong))?;
                let pushed = builder.push(&key, &value, alias.line);
                pushed.map_err(|error| alias.key_fault(Wrong::new(error.to_string())))
            });
            if let Err(fault) = added {
                faults.push(fault);
            }
        }
        // The text alone does not say any more what comes of it.
        let origin = origin.filter(|_| !includes);
        self.finish(builder, origin, &source.file, faults)
    }

    /// The entries of an `inline:` table.
    fn inline(&mut self, pairs: &[Pair], file: &Arc<Path>) -> Result<Exact, Faults> {
        let mut builder = ExactBuilder::new();
        let mut faults = Faults::default();
        for pair in pairs {
            let added = self.grammar.key(&pair.key).and_then(|key| {
                let value = self.grammar.value(&key, &pair.value)?;
                builder.push(&key, &value, 0).map_err(|error| Wrong::new(error.to_string()))
            });
            if let Err(wrong) = added {
                faults.push(self.whole(file, &wrong.what));
            }
        }
        self.finish(builder, None, file, faults)
    }

    fn finish(
        &mut self,
        builder: ExactBuilder,
        origin: Option<Origin>,
        file: &Arc<Path>,
        mut faults: Faults,
    ) -> Result<Exact, Faults> {
        let built = match builder.finish() {
            Ok(built) if faults.is_empty() => built,
            Ok(_) => return Err(faults),
            Err(BuildError::Contradictions(duplicates)) => {
                for duplicate in &duplicates.kept {
                    let (key, first) = (&duplicate.key, duplicate.first_line);
                    let what = match first {
                        0 => format!("`{key}` stands there twice, with different values"),
                        _ => format!("`{key}` stands in line {first} already, with another value"),
                    };
                    faults.push(self.fault(file, BadLine { line: duplicate.second_line, column: 1, what }));
                }
                faults.count(duplicates.total.saturating_sub(duplicates.kept.len() as u64));
                return Err(faults);
            }
            Err(error @ BuildError::NoSeed) => {
                faults.push(self.whole(file, &error));
                return Err(faults);
            }
        };
        let origin = origin.map(|origin| Origin { once: built.repeated().total == 0, ..origin });
        let made = Made { origin, way: Way::Compiled };
        let kept = self.keep.keep(made, &mut |mut out| built.write(&mut out).map(drop));
        let kept = kept.map_err(|error| self.whole(file, &format!("cannot be kept: {error}")))?;
        let opened = Container::open(kept).and_then(Exact::open);
        opened.map_err(|bad| self.whole(file, &bad).into())
    }

    /// Keeps a table of rules, once nothing is wrong with it.
    fn built(
        &mut self,
        built: Result<BuiltRules, BadLines>,
        origin: Option<Origin>,
        file: &Arc<Path>,
    ) -> Result<Container, Faults> {
        let built = match built {
            Ok(built) if built.dead.is_empty() || self.allow_dead_rules => built,
            Ok(built) => return Err(self.told(built.dead, file)),
            Err(bad) => return Err(self.told(bad, file)),
        };
        let made = Made { origin, way: Way::Compiled };
        let kept = self.keep.keep(made, &mut |out| out.write_all(&built.bytes));
        let kept = kept.map_err(|error| self.whole(file, &format!("cannot be kept: {error}")))?;
        Container::open(kept).map_err(|bad| self.whole(file, &bad).into())
    }

    /// A value that stands in the settings themselves.
    fn written(&mut self, value: &str, file: &Arc<Path>) -> Result<String, Fault> {
        let written = self.grammar.value("", value).map(Cow::into_owned);
        written.map_err(|wrong| self.whole(file, &wrong.what))
    }

    fn told(&self, lines: BadLines, file: &Arc<Path>) -> Faults {
        let mut faults = Faults::default();
        faults.count(lines.more as u64);
        lines.kept.into_iter().for_each(|bad| faults.push(self.fault(file, bad)));
        faults
    }

    fn fault(&self, file: &Arc<Path>, bad: BadLine) -> Fault {
        Fault { map: self.map, file: Arc::clone(file), line: bad.line, column: bad.column, message: bad.what }
    }

    fn whole(&self, file: &Arc<Path>, what: &impl ToString) -> Fault {
        Fault::of_file(self.map, Arc::clone(file), what.to_string())
    }
}
