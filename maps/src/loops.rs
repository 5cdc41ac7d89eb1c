//! Aliases that lead back to themselves, found before anybody's mail does.

use std::collections::HashMap;

use switchyard_smtp::address::{Domain, Host, LocalPart, Mailbox};

use crate::alias::MAX_DEPTH;
use crate::key;

/// A user whom no line names: what `@domain` keys are tried with.
const ANYONE: &str = "anyonewithoutaline";
/// A key without a domain is tried in so many of the local domains.
const MAX_LOCAL: usize = 8;

/// Where an address was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// On the way that is being followed.
    Open,
    /// Nothing new comes of it. It leads on for so many steps, all that were not told of at most.
    Done(usize),
}

struct Step {
    key: String,
    targets: std::vec::IntoIter<Mailbox>,
    /// The most steps that one of its targets leads on for.
    beyond: usize,
}

/// Finds loops among aliases; `ask` says what an address stands for, if the map has it.
pub(crate) struct Loops<F> {
    ask: F,
    marks: HashMap<String, Mark>,
}

impl<F: Fn(&Mailbox) -> Option<Vec<Mailbox>>> Loops<F> {
    pub(crate) fn new(ask: F) -> Self {
        Self { ask, marks: HashMap::new() }
    }

    /// Follows what the key of a line stands for; for how many steps it leads on, or what is wrong with it.
    pub(crate) fn follow<'a>(
        &mut self,
        key: &str,
        local_domains: impl Iterator<Item = &'a Domain>,
    ) -> Result<usize, String> {
        match key.rsplit_once('@') {
            Some(("", host)) => self.follow_at(ANYONE, host).unwrap_or(Ok(0)),
            Some((local, host)) => self.follow_at(local, host).unwrap_or(Ok(0)),
            None => local_domains.take(MAX_LOCAL).try_fold(0, |most, domain| {
                let mailbox = mailbox(key, Host::Domain(domain.clone()));
                Ok(most.max(mailbox.map_or(Ok(0), |mailbox| self.follow_mailbox(mailbox))?))
            }),
        }
    }

    /// The same for an address; nothing when it is none.
    pub(crate) fn follow_at(&mut self, local: &str, host: &str) -> Option<Result<usize, String>> {
        Some(self.follow_mailbox(mailbox(local, Host::parse(host).ok()?)?))
    }

    fn follow_mailbox(&mut self, start: Mailbox) -> Result<usize, String> {
        let mut way: Vec<Step> = Vec::new();
        let mut next = Some(start);
        let mut wrong = None;
        // For how many steps it leads on that was left last.
        let mut steps = 0;
        loop {
            if let Some(mailbox) = next.take() {
                let key = key::of_mailbox(&mailbox);
                let too_long =
                    || format!("aliases lead on for more than {MAX_DEPTH} steps: {}", chain(&way, &key));
                match self.marks.get(&key) {
                    Some(Mark::Done(more)) if way.len() + more > MAX_DEPTH => {
                        wrong.get_or_insert_with(too_long);
                    }
                    Some(Mark::Done(more)) => match way.last_mut() {
                        Some(step) => step.beyond = step.beyond.max(*more),
                        None => steps = *more,
                    },
                    // An address among its own targets is an end, not a loop.
                    Some(Mark::Open) if way.last().is_some_and(|step| step.key == key) => {}
                    Some(Mark::Open) => {
                        wrong.get_or_insert_with(|| say(&way, &key));
                    }
                    None => {
                        if let Some(targets) = (self.ask)(&mailbox) {
                            if way.len() == MAX_DEPTH {
                                wrong.get_or_insert_with(too_long);
                            } else {
                                self.marks.insert(key.clone(), Mark::Open);
                                way.push(Step { key, targets: targets.into_iter(), beyond: 0 });
                            }
                        }
                    }
                }
            }
            let Some(step) = way.last_mut() else { return wrong.map_or(Ok(steps), Err) };
            match step.targets.next() {
                Some(target) => next = Some(target),
                None => {
                    if let Some(step) = way.pop() {
                        steps = 1 + step.beyond;
                        self.marks.insert(step.key, Mark::Done(steps));
                        if let Some(before) = way.last_mut() {
                            before.beyond = before.beyond.max(steps);
                        }
                    }
                }
            }
        }
    }
}

fn mailbox(local: &str, host: Host) -> Option<Mailbox> {
    Some(Mailbox { local: LocalPart::new(local).ok()?, host })
}

fn say(way: &[Step], key: &str) -> String {
    let from = way.iter().position(|step| step.key == key).unwrap_or(0);
    format!("alias loop: {}", chain(&way[from..], key))
}

fn chain(way: &[Step], last: &str) -> String {
    let mut text = String::new();
    for step in way.iter().take(4) {
        text.push_str(shown(&step.key));
        text.push_str(" → ");
    }
    if way.len() > 4 {
        text.push_str("… → ");
    }
    text + shown(last)
}

/// Anyone at a domain is the key `@domain`.
fn shown(key: &str) -> &str {
    key.strip_prefix(ANYONE).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `d5@x.example` leads to `d4@x.example` and so on.
    fn next(mailbox: &Mailbox) -> Option<Vec<Mailbox>> {
        let number: usize = mailbox.local.as_str().strip_prefix('d')?.parse().ok()?;
        let next = format!("d{}@x.example", number.checked_sub(1)?);
        Some(vec![Mailbox::parse(&next).ok()?, mailbox.clone()])
    }

    #[test]
    fn a_way_that_is_too_long_is_told_in_whatever_order_its_lines_stand() {
        let mut numbers: Vec<usize> = (1..=MAX_DEPTH + 1).collect();
        for _ in 0..2 {
            let mut loops = Loops::new(next);
            let mut is_told =
                |number: &&usize| loops.follow(&format!("d{number}@x.example"), [].iter()).is_err();
            assert_eq!(numbers.iter().filter(&mut is_told).count(), 1);
            numbers.reverse();
        }
    }

    #[test]
    fn a_way_is_as_long_as_its_longest_branch() {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap();
        let mut loops = Loops::new(|asked: &Mailbox| match asked.local.as_str() {
            "fan" => Some(["d1@x.example", "d7@x.example", "d3@x.example"].map(mailbox).into()),
            _ => next(asked),
        });
        assert_eq!(loops.follow("fan@x.example", [].iter()), Ok(8));
        assert_eq!(loops.follow("fan@x.example", [].iter()), Ok(8));
        assert_eq!(loops.follow("nobody@x.example", [].iter()), Ok(0));
        assert_eq!(loops.follow_at("d3", "x.example"), Some(Ok(3)));
        assert_eq!(loops.follow_at("d3", ""), None);
    }
}
