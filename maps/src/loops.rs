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
    /// Nothing new comes of it.
    Done,
}

struct Step {
    key: String,
    targets: std::vec::IntoIter<Mailbox>,
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

    /// Follows what the key of a line stands for; says what is wrong with it.
    pub(crate) fn follow<'a>(
        &mut self,
        key: &str,
        local_domains: impl Iterator<Item = &'a Domain>,
    ) -> Option<String> {
        match key.rsplit_once('@') {
            Some(("", host)) => self.follow_mailbox(mailbox(ANYONE, Host::parse(host).ok()?)?),
            Some((local, host)) => self.follow_mailbox(mailbox(local, Host::parse(host).ok()?)?),
            None => local_domains
                .take(MAX_LOCAL)
                .find_map(|domain| self.follow_mailbox(mailbox(key, Host::Domain(domain.clone()))?)),
        }
    }

    fn follow_mailbox(&mut self, start: Mailbox) -> Option<String> {
        let mut way: Vec<Step> = Vec::new();
        let mut next = Some(start);
        let mut wrong = None;
        loop {
            if let Some(mailbox) = next.take() {
                let key = key::of_mailbox(&mailbox);
                match self.marks.get(&key) {
                    Some(Mark::Done) => {}
                    // An address among its own targets is an end, not a loop.
                    Some(Mark::Open) if way.last().is_some_and(|step| step.key == key) => {}
                    Some(Mark::Open) => {
                        wrong.get_or_insert_with(|| say(&way, &key));
                    }
                    None => {
                        if let Some(targets) = (self.ask)(&mailbox) {
                            if way.len() == MAX_DEPTH {
                                wrong.get_or_insert_with(|| {
                                    format!(
                                        "aliases lead on for more than {MAX_DEPTH} steps: {}",
                                        chain(&way, &key)
                                    )
                                });
                            } else {
                                self.marks.insert(key.clone(), Mark::Open);
                                way.push(Step { key, targets: targets.into_iter() });
                            }
                        }
                    }
                }
            }
            let Some(step) = way.last_mut() else { return wrong };
            match step.targets.next() {
                Some(target) => next = Some(target),
                None => {
                    if let Some(step) = way.pop() {
                        self.marks.insert(step.key, Mark::Done);
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
