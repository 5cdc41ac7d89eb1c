//! The words a rule starts with: `if`, `endif`, `!`.

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// The offset of its condition.
    If(usize),
    Endif,
    /// A rule, as far as can be seen.
    Rule,
}

/// Reads the first word; it is one when no letter or digit follows, and its case does not matter.
pub(crate) fn keyword(text: &str) -> Keyword {
    if starts_with_word(text, "if") {
        Keyword::If(skip_blanks(text, 2))
    } else if starts_with_word(text, "endif") {
        Keyword::Endif
    } else {
        Keyword::Rule
    }
}

/// Reads the `!`s at an offset, blanks between them: true for an odd number, and where the pattern starts.
pub(crate) fn negation(text: &str, at: usize) -> (bool, usize) {
    let mut negated = false;
    let mut at = at;
    while text.as_bytes().get(at) == Some(&b'!') {
        negated = !negated;
        at = skip_blanks(text, at + 1);
    }
    (negated, at)
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
        && !bytes.get(word.len()).is_some_and(u8::is_ascii_alphanumeric)
}

fn skip_blanks(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_postfixes() {
        assert_eq!(keyword("if 10.0.0.0/8"), Keyword::If(3));
        assert_eq!(keyword("IF\t !/x/"), Keyword::If(4));
        assert_eq!(keyword("if[::1]"), Keyword::If(2));
        assert_eq!(keyword("if"), Keyword::If(2));
        assert_eq!(keyword("EndIf"), Keyword::Endif);
        assert_eq!(keyword("iffy v"), Keyword::Rule);
        assert_eq!(keyword("endif9"), Keyword::Rule);
        assert_eq!(keyword("é"), Keyword::Rule);
    }

    #[test]
    fn each_mark_turns_the_condition_round() {
        assert_eq!(negation("/x/", 0), (false, 0));
        assert_eq!(negation("! /x/", 0), (true, 2));
        assert_eq!(negation("if !! ! x", 3), (true, 8));
        assert_eq!(negation("!", 0), (true, 1));
    }
}
