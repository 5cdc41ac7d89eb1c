//! Lines to sections: every rule read, blocks applied, overlaps resolved, dead rules found.

use super::Found;
use super::network::{Family, Network, show};
use super::stretches::{Section, write_v4, write_v6};
use super::sweep::{Claim, Span, Stretch, sweep};
use crate::fault::Wrong;
use crate::rules::{BadLines, Blocks, Check, Keyword, Template, ValueArena, Values, keyword, negation};
use crate::source::{BadLine, Line};

/// Claims of a family: a rule may make one, more when `!` cuts holes into its addresses.
const MOST: usize = 1 << 23;

/// What a table becomes, before it is put into a container.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) rules: usize,
    /// Of both families.
    pub(super) stretches: Vec<Section>,
    pub(super) values: ValueArena,
    pub(super) dead: BadLines,
}

/// Reads a table. All that is wrong is told at once.
pub(super) fn compile<'a>(
    lines: impl IntoIterator<Item = Result<Line<'a>, BadLine>>,
    check: Check<'_>,
) -> Result<Parts, BadLines> {
    let mut reader = Reader::new();
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
    }
    for line in reader.blocks.lines() {
        bad.tell_line(line, "`if` without an `endif` behind it");
    }
    if !bad.is_empty() {
        return Err(bad);
    }

    let mut dead = Vec::new();
    let answer = |rule: u32| match reader.rules.get(rule as usize) {
        Some(rule) => Found { value: rule.value, line: rule.line },
        None => Found { value: 0, line: 0 },
    };
    let v4 = write_v4(&reader.v4.sweep(&reader.rules, &mut dead), answer);
    let v6 = write_v6(&reader.v6.sweep(&reader.rules, &mut dead), answer);
    let stretches = v4.into_iter().chain(v6).collect();
    dead.extend(reader.homeless);
    dead.sort_by_key(|dead| dead.line);
    let mut told = BadLines::default();
    dead.into_iter().for_each(|dead| told.push(dead));
    Ok(Parts { rules: reader.rules.len(), stretches, values: reader.values.into_arena(), dead: told })
}

/// A rule that gives a value.
#[derive(Debug)]
struct Rule {
    line: u32,
    value: u32,
    negated: bool,
    network: Network,
}

/// The addresses that a block lets through.
#[derive(Debug, Clone)]
struct Room {
    family: Option<Family>,
    spans: Vec<Span>,
}

impl Room {
    /// What of this room a condition matches; of the other family it never matches any.
    fn part(&self, network: Network, negated: bool) -> Vec<Span> {
        let all = Span { first: 0, last: network.family.last() };
        let spans: &[Span] = match self.family {
            None => &[all],
            Some(family) if family == network.family => &self.spans,
            Some(_) => &[],
        };
        let condition = Span { first: network.first, last: network.last };
        if negated {
            return spans.iter().flat_map(|span| span.without(condition)).collect();
        }
        // Spans stand in order: no need to try them all.
        let from = spans.partition_point(|span| span.last < condition.first);
        let spans = spans.get(from..).unwrap_or_default();
        spans.iter().map_while(|span| span.meet(condition)).collect()
    }
}

struct Reader {
    rules: Vec<Rule>,
    v4: Half,
    v6: Half,
    values: Values,
    blocks: Blocks<Room>,
    /// Rules whose blocks leave them no address.
    homeless: Vec<BadLine>,
}

impl Reader {
    fn new() -> Self {
        Self {
            rules: Vec::new(),
            v4: Half::new(Family::V4),
            v6: Half::new(Family::V6),
            values: Values::default(),
            blocks: Blocks::new(),
            homeless: Vec::new(),
        }
    }

    fn line(&mut self, line: &Line<'_>, check: Check<'_>) -> Result<(), Wrong> {
        let text = line.text.trim_end_matches([' ', '\t']);
        match keyword(text) {
            Keyword::Endif if text.len() > "endif".len() => {
                Err(Wrong::at("endif".len(), "nothing may follow `endif`"))
            }
            Keyword::Endif => self.blocks.close().map(|_| ()),
            Keyword::If(at) => {
                let (negated, at) = negation(text, at);
                let pattern = text.get(at..).unwrap_or_default();
                // A condition that is wrong still opens its block, or its `endif` would be told as well.
                let network = read_network(pattern, at);
                let spans = network.as_ref().map(|network| self.room(*network, negated)).unwrap_or_default();
                let family = network.as_ref().map_or(Family::V4, |network| network.family);
                self.blocks.open(line.number(), Room { family: Some(family), spans })?;
                network.map(|_| ())
            }
            Keyword::Rule => self.rule(line.number(), text, check),
        }
    }

    fn rule(&mut self, line: u32, text: &str, check: Check<'_>) -> Result<(), Wrong> {
        let (negated, at) = negation(text, 0);
        let rest = text.get(at..).unwrap_or_default();
        let (pattern, value) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let network = read_network(pattern, at)?;
        let value = value.trim_start_matches([' ', '\t']);
        if value.is_empty() {
            return Err(Wrong::at(text.len(), "a network and a value are expected, and there is no value"));
        }
        let value_at = text.len() - value.len();
        let value = self.values.number(value, Template::No, check).map_err(|wrong| wrong.moved(value_at))?;

        let number = u32::try_from(self.rules.len()).map_err(|_| too_large())?;
        let spans = self.room(network, negated);
        if spans.is_empty() {
            let what = match self.blocks.lines().last() {
                Some(block) => {
                    format!("this rule never matches: the `if` in line {block} leaves it no address")
                }
                None => "this rule never matches: no address is outside of its network".to_owned(),
            };
            self.homeless.push(BadLine { line, column: 1, what });
        }
        let half = match network.family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        half.claim(number, &spans)?;
        self.rules.push(Rule { line, value, negated, network });
        Ok(())
    }

    fn room(&self, network: Network, negated: bool) -> Vec<Span> {
        match self.blocks.innermost() {
            Some(room) => room.part(network, negated),
            None => Room { family: None, spans: Vec::new() }.part(network, negated),
        }
    }
}

fn read_network(pattern: &str, at: usize) -> Result<Network, Wrong> {
    if pattern.is_empty() {
        return Err(Wrong::at(at, "a network is expected"));
    }
    Network::read(pattern).map_err(|wrong| wrong.moved(at))
}

fn too_large() -> Wrong {
    Wrong::new(format!("the map is too large: its rules have more than {MOST} ranges of addresses"))
}

// ---------------------------------------------------------------------------------------------------------

/// What rules claim of one family's addresses.
struct Half {
    family: Family,
    claims: Vec<Claim>,
}

impl Half {
    fn new(family: Family) -> Self {
        Self { family, claims: Vec::new() }
    }

    fn claim(&mut self, rule: u32, spans: &[Span]) -> Result<(), Wrong> {
        if self.claims.len() + spans.len() > MOST {
            return Err(too_large());
        }
        self.claims.extend(spans.iter().map(|span| Claim { span: *span, rule }));
        Ok(())
    }

    fn sweep(&mut self, rules: &[Rule], dead: &mut Vec<BadLine>) -> Vec<Stretch> {
        let stretches = sweep(&mut self.claims, self.family.last());
        dead.extend(self.dead(&stretches, rules));
        stretches
    }

    /// Rules that answer nowhere, though others answer otherwise where they would.
    ///
    /// Where those before a rule say the same, it changes nothing: that is how people write lists.
    fn dead(&self, stretches: &[Stretch], rules: &[Rule]) -> Vec<BadLine> {
        let mut alive = vec![false; rules.len()];
        for rule in stretches.iter().filter_map(|stretch| stretch.rule) {
            if let Some(alive) = alive.get_mut(rule as usize) {
                *alive = true;
            }
        }
        let same = Same::new(stretches, rules);
        let mut told: Vec<BadLine> = Vec::new();
        for claim in &self.claims {
            let number = claim.rule as usize;
            let Some(rule) = rules.get(number).filter(|_| alive.get(number) == Some(&false)) else {
                continue;
            };
            let Some(winner) =
                same.other(claim.span, rule.value).and_then(|winner| rules.get(winner as usize))
            else {
                continue;
            };
            if let Some(alive) = alive.get_mut(number) {
                // Told once, whatever else it claims.
                *alive = true;
            }
            let what = if (winner.network, winner.negated) == (rule.network, rule.negated) {
                format!("line {} has the same network already, with another value", winner.line)
            } else {
                let first = show(self.family, claim.span.first);
                format!(
                    "this rule never matches: those before it have all of its addresses (line {} has {first})",
                    winner.line
                )
            };
            told.push(BadLine { line: rule.line, column: 1, what });
        }
        told
    }
}

/// For each stretch, how far the value it answers goes on.
struct Same<'a> {
    stretches: &'a [Stretch],
    rules: &'a [Rule],
    /// The number of the first stretch behind it with another value.
    until: Vec<usize>,
}

impl<'a> Same<'a> {
    fn new(stretches: &'a [Stretch], rules: &'a [Rule]) -> Self {
        let mut same = Self { stretches, rules, until: vec![stretches.len(); stretches.len()] };
        for at in (1..stretches.len()).rev() {
            let until = if same.value(at) == same.value(at - 1) { same.until[at] } else { at };
            same.until[at - 1] = until;
        }
        same
    }

    fn value(&self, at: usize) -> Option<u32> {
        let rule = self.stretches.get(at)?.rule?;
        self.rules.get(rule as usize).map(|rule| rule.value)
    }

    /// The first rule that answers within a span with another value.
    fn other(&self, span: Span, value: u32) -> Option<u32> {
        let from = self.stretches.partition_point(|stretch| stretch.first <= span.first).checked_sub(1)?;
        let at = if self.value(from) == Some(value) { *self.until.get(from)? } else { from };
        let stretch = self.stretches.get(at)?;
        stretch.rule.filter(|_| at == from || stretch.first <= span.last)
    }
}
