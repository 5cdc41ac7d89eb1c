//! Patterns as a shell has them: `*` stands for any text, `?` for one character; case does not matter.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for all of `text`. Goes back to the last star only, so that no pattern takes long.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), text.chars());
        // Where to go on when what follows the last star does not match: behind the star, one further in the text.
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let is_match = match (pattern.next(), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    rest = before;
                    retry = Some((pattern.clone(), rest.clone()));
                    continue;
                }
                (Some(wanted), Some(found)) => wanted == '?' || is_same(wanted, found),
                (Some(_), None) => return false,
                (None, Some(_)) => false,
            };
            if !is_match {
                let Some((behind, at)) = &mut retry else { return false };
                if at.next().is_none() {
                    return false;
                }
                (pattern, rest) = (behind.clone(), at.clone());
            }
        }
    }
}

fn is_same(wanted: char, found: char) -> bool {
    wanted.eq_ignore_ascii_case(&found)
        || (!wanted.is_ascii() && wanted.to_lowercase().eq(found.to_lowercase()))
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("bulk@*", "BULK@example.org", true),
            ("bulk@*", "xbulk@example.org", false),
            ("*@example.org", "a@example.org", true),
            ("*@example.org", "a@example.org.net", false),
            ("4.7.*", "4.7.1 450 greylisted", true),
            ("4.7.*", "4.2.1 4.7.1", false),
            ("*grey*", "4.7.1 450 Greylisted", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-b", false),
            ("?@example.org", "é@example.org", true),
            ("É*@example.org", "éva@example.org", true),
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("a*", "a", true),
            ("*c", "abc", true),
            ("a*b*b", "ab", false),
            ("a**a", "aa", true),
            ("a*a", "a", false),
            ("[mx1]:25", "[mx1]:25", true),
            ("**a", "bba", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
        let (stars, long) = ("*a".repeat(500), "a".repeat(499) + "b");
        assert!(!Pattern::new(&stars).matches(&long));
    }

    /// The same by trying every length of every star.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| slowly(rest, &text[skip..])),
            Some((wanted, rest)) => text
                .split_first()
                .is_some_and(|(found, text)| (*wanted == '?' || wanted == found) && slowly(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_everything(pattern in "[ab*?]{0,7}", text in "[ab]{0,8}") {
            let (letters, octets): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), slowly(&letters, &octets));
        }
    }
}
