//! Rules that overlap to stretches that do not: for each stretch of addresses, the first rule that matches it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Addresses from `first` to `last`, both in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Span {
    /// What both hold.
    pub(super) fn meet(self, other: Self) -> Option<Self> {
        let met = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        (met.first <= met.last).then_some(met)
    }

    /// What stands before and behind `other`.
    pub(super) fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = other.first.checked_sub(1).map(|last| Self { first: 0, last });
        let behind = other.last.checked_add(1).map(|first| Self { first, last: u128::MAX });
        before.into_iter().chain(behind).filter_map(move |side| self.meet(side))
    }
}

/// Addresses that a rule matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) span: Span,
    pub(super) rule: u32,
}

/// A stretch goes from its first address to the next one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: u128,
    /// The rule that answers.
    pub(super) rule: Option<u32>,
}

/// Walks the addresses once, from 0 to `last`, with all rules that match there in a heap.
///
/// Sorts the claims by their first address. Gives at most twice as many stretches as claims, and one.
pub(super) fn sweep(claims: &mut [Claim], last: u128) -> Vec<Stretch> {
    claims.sort_unstable_by_key(|claim| (claim.span.first, claim.rule));
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut waiting = claims.iter().peekable();
    // The first rule of the table on top; one that ended is dropped when it gets there.
    let mut here: BinaryHeap<Reverse<(u32, u128)>> = BinaryHeap::new();
    let mut at = 0;
    loop {
        while let Some(claim) = waiting.next_if(|claim| claim.span.first <= at) {
            here.push(Reverse((claim.rule, claim.span.last)));
        }
        while here.peek().is_some_and(|Reverse((_, end))| *end < at) {
            here.pop();
        }
        let (rule, end) = match here.peek() {
            Some(Reverse((rule, end))) => (Some(*rule), *end),
            None => (None, last),
        };
        if stretches.last().is_none_or(|before| before.rule != rule) {
            stretches.push(Stretch { first: at, rule });
        }
        let next = waiting.peek().map(|claim| claim.span.first).filter(|first| *first <= end);
        match next.or_else(|| end.checked_add(1)).filter(|next| *next <= last) {
            Some(next) => at = next,
            None => return stretches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(first: u128, last: u128) -> Span {
        Span { first, last }
    }

    #[test]
    fn the_first_rule_wins_not_the_longest() {
        let claims = [(0, span(4, 5)), (1, span(2, 9)), (2, span(8, 12)), (3, span(3, 3))];
        let mut claims = claims.map(|(rule, span)| Claim { span, rule });
        let stretches: Vec<_> =
            sweep(&mut claims, 15).into_iter().map(|stretch| (stretch.first, stretch.rule)).collect();
        let expected = [(0, None), (2, Some(1)), (4, Some(0)), (6, Some(1)), (10, Some(2)), (13, None)];
        assert_eq!(stretches, expected);
    }

    #[test]
    fn the_last_address_is_an_address() {
        let mut claims = [Claim { span: span(u128::MAX, u128::MAX), rule: 7 }];
        let stretches = sweep(&mut claims, u128::MAX);
        assert_eq!(stretches.last(), Some(&Stretch { first: u128::MAX, rule: Some(7) }));
        assert_eq!(sweep(&mut [], u128::MAX), [Stretch { first: 0, rule: None }]);
        let sides: Vec<_> = span(0, u128::MAX).without(span(0, u128::MAX)).collect();
        assert_eq!(sides, []);
    }

    proptest! {
        #[test]
        fn each_address_has_the_first_rule_that_matches(
            spans in proptest::collection::vec((0u128..64, 0u128..64), 0..20),
        ) {
            let mut claims: Vec<_> = (0..)
                .zip(&spans)
                .map(|(rule, (one, other))| Claim { span: span(*one.min(other), *one.max(other)), rule })
                .collect();
            let model: Vec<_> = (0..64)
                .map(|at| claims.iter().find(|c| (c.span.first..=c.span.last).contains(&at)).map(|c| c.rule))
                .collect();
            let stretches = sweep(&mut claims, 63);
            prop_assert!(stretches.len() <= 2 * claims.len() + 1);
            for (at, expected) in (0u128..).zip(model) {
                let found = stretches.iter().rev().find(|stretch| stretch.first <= at).unwrap();
                prop_assert_eq!(found.rule, expected);
            }
            prop_assert!(stretches.windows(2).all(|two| two[0].first < two[1].first && two[0].rule != two[1].rule));
        }
    }
}
