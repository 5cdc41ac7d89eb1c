//! Texts of rules by chance, and Postfix's way through them, for tests of every table that is made of rules.

/// A text of these lines, in which each `if` has its `endif`, and no `endif` comes without one.
pub(crate) fn balanced(lines: Vec<String>) -> String {
    let mut depth = 0;
    let mut text = String::new();
    for line in lines {
        match line.as_str() {
            "endif\n" if depth == 0 => continue,
            "endif\n" => depth -= 1,
            line if line.starts_with("if") => depth += 1,
            _ => {}
        }
        text.push_str(&line);
    }
    text + &"endif\n".repeat(depth)
}

/// Postfix's way: one rule after another. The value of the first whose condition `holds`, and its line.
pub(crate) fn one_by_one(text: &str, holds: impl Fn(&str) -> bool) -> Option<(String, u32)> {
    let mut skipped = 0;
    for (number, line) in (1..).zip(text.lines()) {
        match line.split_once(' ') {
            None => skipped -= i32::from(skipped > 0),
            Some(("if", _)) if skipped > 0 => skipped += 1,
            Some(("if", condition)) => skipped += i32::from(!holds(condition)),
            Some((condition, value)) if skipped == 0 && holds(condition) => {
                return Some((value.to_owned(), number));
            }
            Some(_) => {}
        }
    }
    None
}
