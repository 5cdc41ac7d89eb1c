//! Who is next, of those that wait for one thing: the more urgent mail first (RFC 6710); among equals, the domains of
//! the senders take turns, and within a domain its senders do. So whoever sends five thousand messages at once waits
//! for itself, and not everybody else for it.
//!
//! Urgent mail goes before other mail, not instead of it: of [`SHARE`] turns, one is a less urgent one's.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use switchyard_smtp::priority::Priority;

/// One turn of so many goes to mail that is less urgent.
const SHARE: u32 = 16;

/// In whose line something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane<'a> {
    pub priority: Priority,
    /// The sender's domain; empty for the null sender.
    pub domain: Cow<'a, str>,
    /// The sender in that domain.
    pub local: &'a str,
}

/// All that waits for one thing.
#[derive(Debug)]
pub(super) struct Turns<T> {
    classes: BTreeMap<Reverse<Priority>, Class<T>>,
    len: usize,
    /// Turns in a row that went to the most urgent, while others waited.
    streak: u32,
}

type Class<T> = Ring<Ring<VecDeque<T>>>;

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { classes: BTreeMap::new(), len: 0, streak: 0 }
    }
}

impl<T> Turns<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Something joins the end of its line.
    pub(super) fn push(&mut self, lane: &Lane<'_>, item: T) {
        let class = self.classes.entry(Reverse(lane.priority)).or_default();
        class.line(&lane.domain).line(lane.local).push_back(item);
        self.len += 1;
    }

    /// Takes the next one out.
    pub(super) fn pop(&mut self) -> Option<T> {
        let mut classes = self.classes.keys();
        let (first, last) = (*classes.next()?, classes.next_back().copied());
        let class = match last {
            Some(last) if self.streak + 1 >= SHARE => {
                self.streak = 0;
                last
            }
            Some(_) => {
                self.streak += 1;
                first
            }
            None => {
                self.streak = 0;
                first
            }
        };
        self.take_of(class)
    }

    /// Takes the next one out that is more urgent than most mail.
    pub(super) fn pop_urgent(&mut self) -> Option<T> {
        let class = *self.classes.keys().next()?;
        if class.0 > Priority::NORMAL { self.take_of(class) } else { None }
    }

    fn take_of(&mut self, class: Reverse<Priority>) -> Option<T> {
        let ring = self.classes.get_mut(&class)?;
        let item = ring.take();
        if ring.is_empty() {
            self.classes.remove(&class);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Everything, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let domains = self.classes.values().flat_map(|class| class.lines.values());
        domains.flat_map(|senders| senders.lines.values()).flatten()
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.withdraw(|_| true)
    }

    /// Takes out what is meant; the others keep their places.
    pub(super) fn withdraw(&mut self, is_meant: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for class in self.classes.values_mut() {
            for senders in class.lines.values_mut() {
                for line in senders.lines.values_mut() {
                    let (meant, others): (VecDeque<T>, _) =
                        std::mem::take(line).into_iter().partition(&is_meant);
                    taken.extend(meant);
                    *line = others;
                }
                senders.tidy();
            }
            class.tidy();
        }
        self.classes.retain(|_, class| !class.is_empty());
        self.len -= taken.len();
        taken
    }
}

/// Something that can be taken out of, one by one.
trait Line: Default {
    type Item;
    fn take(&mut self) -> Option<Self::Item>;
    fn is_empty(&self) -> bool;
}

impl<T> Line for VecDeque<T> {
    type Item = T;

    fn take(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

/// Lines that take turns; none of them is empty.
#[derive(Debug)]
struct Ring<L> {
    lines: HashMap<Arc<str>, L>,
    /// Whose turn it is, the first one's.
    order: VecDeque<Arc<str>>,
}

impl<L> Default for Ring<L> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new() }
    }
}

impl<L: Line> Ring<L> {
    /// Somebody's line; who has none yet comes last.
    fn line(&mut self, name: &str) -> &mut L {
        if !self.lines.contains_key(name) {
            let name: Arc<str> = name.into();
            self.order.push_back(Arc::clone(&name));
            self.lines.insert(name, L::default());
        }
        // It is there, or was put there just now.
        self.lines.entry(name.into()).or_default()
    }

    /// Forgets lines with nothing in them.
    fn tidy(&mut self) {
        self.lines.retain(|_, line| !line.is_empty());
        self.order.retain(|name| self.lines.contains_key(name));
    }
}

impl<L: Line> Line for Ring<L> {
    type Item = L::Item;

    fn take(&mut self) -> Option<L::Item> {
        let name = self.order.pop_front()?;
        let line = self.lines.get_mut(&name)?;
        let item = line.take();
        if line.is_empty() {
            self.lines.remove(&name);
        } else {
            self.order.push_back(name);
        }
        item
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lane(priority: i8, sender: &'static str) -> Lane<'static> {
        let (local, domain) = sender.split_once('@').unwrap();
        Lane { priority: Priority::new(priority).unwrap(), domain: domain.into(), local }
    }

    #[test]
    fn ten_urgent_ones_go_before_five_thousand_and_the_others_get_a_share() {
        let mut turns = Turns::default();
        (0..5000).for_each(|number| turns.push(&lane(0, "bulk@x"), number));
        (5000..5100).for_each(|number| turns.push(&lane(5, "nurse@x"), number));
        let first: Vec<i32> = (0..10).filter_map(|_| turns.pop()).collect();
        assert_eq!(first, Vec::from_iter(5000..5010));
        let later: Vec<i32> = (0..32).filter_map(|_| turns.pop()).collect();
        assert_eq!(later.iter().filter(|number| **number < 5000).count(), 2, "{later:?}");
    }

    #[test]
    fn domains_take_turns_and_senders_within_them() {
        let mut turns = Turns::default();
        for name in ["a@x", "a@x", "a@x", "b@x", "c@y", "c@y"] {
            turns.push(&lane(0, name), name);
        }
        assert_eq!(
            std::iter::from_fn(|| turns.pop()).collect::<Vec<_>>(),
            ["a@x", "c@y", "b@x", "c@y", "a@x", "a@x"]
        );
        assert!(turns.is_empty() && turns.classes.is_empty());
    }

    #[test]
    fn a_sender_of_many_names_is_one_domain() {
        let mut turns = Turns::default();
        let names: Vec<String> = (0..1000).map(|number| format!("bounce-{number}")).collect();
        for name in &names {
            turns.push(&Lane { priority: Priority::NORMAL, domain: "bulk".into(), local: name }, 0);
        }
        turns.push(&lane(0, "one@y"), 1);
        assert_eq!((turns.pop(), turns.pop()), (Some(0), Some(1)));
    }

    #[test]
    fn what_is_withdrawn_leaves_the_others_in_their_places() {
        let mut turns = Turns::default();
        for number in 0..9 {
            turns.push(&lane(number % 3, if number % 2 == 0 { "a@x" } else { "b@y" }), number);
        }
        let mut withdrawn = turns.withdraw(|number| number % 4 == 0);
        withdrawn.sort_unstable();
        assert_eq!((withdrawn, turns.len()), (vec![0, 4, 8], 6));
        assert_eq!(std::iter::from_fn(|| turns.pop_urgent()).count(), 4);
        assert_eq!(turns.drain().len(), 2);
        assert_eq!(turns.pop(), None);
    }

    proptest! {
        #[test]
        fn everything_that_joins_comes_out_once(joins in prop::collection::vec((-9_i8..=9, 0_usize..4), 0..200)) {
            let names = ["a@x", "b@x", "a@y", "c@z"];
            let mut turns = Turns::default();
            for (number, (priority, name)) in joins.iter().enumerate() {
                turns.push(&lane(*priority, names[*name]), number);
            }
            prop_assert_eq!(turns.len(), joins.len());
            let mut out: Vec<usize> = std::iter::from_fn(|| turns.pop()).collect();
            out.sort_unstable();
            prop_assert_eq!(out, Vec::from_iter(0..joins.len()));
        }
    }
}
