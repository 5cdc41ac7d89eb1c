//! Which rules are worth a try for a key: those whose words are in it, and those that have none.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, BuildError};

use super::words::Words;

/// The words of a table's rules.
#[derive(Debug)]
pub(super) struct Filter {
    words: Option<AhoCorasick>,
    /// For each word its rules, in order.
    rules: Vec<Vec<u32>>,
    /// Rules that are tried on every key, in order.
    always: Vec<u32>,
}

impl Filter {
    /// Takes what each rule offers to look for.
    pub(super) fn new(choices: Vec<Vec<Words>>) -> Result<Self, BuildError> {
        // A word that many rules have spares little.
        let mut popular: HashMap<Vec<u8>, usize> = HashMap::new();
        for word in choices.iter().flatten().flatten() {
            *popular.entry(word.clone()).or_default() += 1;
        }
        let cost =
            |words: &Words| words.iter().map(|word| popular.get(word).copied().unwrap_or(0)).sum::<usize>();
        let mut always = Vec::new();
        let mut rules: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for (rule, choices) in (0..).zip(choices) {
            // Of equals the first, which has the longest words.
            match choices.into_iter().min_by_key(cost) {
                None => always.push(rule),
                Some(words) => {
                    for word in words {
                        rules.entry(word).or_default().push(rule);
                    }
                }
            }
        }
        let (words, rules): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        let words = match words.is_empty() {
            true => None,
            false => Some(AhoCorasick::builder().ascii_case_insensitive(true).build(words)?),
        };
        Ok(Self { words, rules, always })
    }

    /// The rules worth a try, in order, each once.
    pub(super) fn candidates(&self, key: &str) -> impl Iterator<Item = u32> {
        let mut found = Vec::new();
        for word in self.words.iter().flat_map(|words| words.find_overlapping_iter(key)) {
            found.extend(self.rules.get(word.pattern().as_usize()).into_iter().flatten().copied());
        }
        found.sort_unstable();
        found.dedup();
        let mut found = found.into_iter().peekable();
        let mut always = self.always.iter().copied().peekable();
        std::iter::from_fn(move || match (found.peek(), always.peek()) {
            (Some(one), Some(other)) if one < other => found.next(),
            (_, Some(_)) => always.next(),
            (_, None) => found.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Dialect, Flags, parse};
    use super::super::words::choices;
    use super::*;

    fn offered(pattern: &str) -> Vec<Words> {
        choices(&parse(pattern, Flags::initial(Dialect::Pcre), Dialect::Pcre).unwrap().hir)
    }

    #[test]
    fn a_pattern_offers_the_words_it_needs() {
        let first = |pattern| {
            let words = offered(pattern).into_iter().next().unwrap_or_default();
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(first(r"^user[0-9]+@Mail\.example$"), "@mail.example");
        assert_eq!(first(r"(foo|ba[rz]b|bazaar)x"), "foo|ba|bazaar");
        assert_eq!(first(r"(foo)+\bbar"), "foo");
        assert_eq!(first(r"fo(?-i:OB)ar"), "foobar");
        assert_eq!(first(r"(foo)?b"), "");
        assert_eq!(first(r"foo|[a-z]+"), "");
        assert_eq!(first(r"[^@]*@"), "");
        assert_eq!(first(r"\x00\xffé"), "\u{0}\u{fffd}é");
    }

    #[test]
    fn a_word_of_many_rules_gives_way_to_a_rare_one() {
        let choices =
            (0..50).map(|number| offered(&format!("^u{number}x.*@mail\\.example\\.com$"))).collect();
        let filter = Filter::new(choices).unwrap();
        assert_eq!(filter.candidates("a@mail.example.com").count(), 0);
        assert_eq!(filter.candidates("U7x@mail.example.com").collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn candidates_come_in_order_and_once() {
        let choices = ["foo", ".", "bar|foo", "[a]", "ba"].map(offered).into();
        let filter = Filter::new(choices).unwrap();
        assert_eq!(filter.candidates("a foo bar Foo").collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(filter.candidates("x").collect::<Vec<_>>(), [1, 3]);
    }
}
