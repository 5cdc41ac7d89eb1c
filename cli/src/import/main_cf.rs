//! main.cf: parameters by name, and their values with `$name`, `${name?text}` and `${name:text}` filled in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::defaults;
use super::lines::Line;

/// How deep a value may name others, and how long it may become: postconf(5) sets no bound, a loop has none.
const MAX_DEPTH: usize = 30;
const MAX_VALUE: usize = 1 << 20;

/// The parameters of a main.cf.
#[derive(Debug, Default)]
pub(super) struct MainCf {
    parameters: BTreeMap<String, Parameter>,
    /// Lines that are no `name = value`, and names that stand there twice.
    pub(super) odd: Vec<(u32, String)>,
    /// Which names other values ask for.
    asked: RefCell<BTreeSet<String>>,
}

/// One parameter as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Nothing filled in.
    pub(super) raw: String,
    /// `main.cf`, or `master.cf` where the one service that it holds for has set it.
    pub(super) file: &'static str,
    pub(super) line: u32,
}

impl MainCf {
    pub(super) fn read(lines: &[Line]) -> Self {
        let mut main = Self::default();
        for line in lines {
            let Some((name, value)) = line.text.split_once('=') else {
                main.odd.push((line.number, format!("`{}` is no `name = value`", line.text)));
                continue;
            };
            let parameter = Parameter { raw: value.trim().to_owned(), file: "main.cf", line: line.number };
            let name = name.trim().to_owned();
            if let Some(before) = main.parameters.get(&name) {
                let said = format!("`{name}` stands again in line {}, which is what holds", line.number);
                main.odd.push((before.line, said));
            }
            main.parameters.insert(name, parameter);
        }
        main
    }

    /// Lays a service's own setting over the file's.
    pub(super) fn overlay(&mut self, name: &str, value: &str, line: u32) {
        let parameter = Parameter { raw: value.to_owned(), file: "master.cf", line };
        self.parameters.insert(name.to_owned(), parameter);
    }

    /// What the file says of a parameter, if it does.
    pub(super) fn get(&self, name: &str) -> Option<&Parameter> {
        self.parameters.get(name)
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// What holds: the file's value or Postfix's default, filled in.
    pub(super) fn value(&self, name: &str) -> String {
        let mut out = String::new();
        self.append(name, &mut out, 0);
        out.trim().to_owned()
    }

    /// A text of the file with its names filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut out = String::new();
        self.expand(text, &mut out, 0);
        out.trim().to_owned()
    }

    /// Whether some value that was looked at asks for this name.
    pub(super) fn is_asked(&self, name: &str) -> bool {
        self.asked.borrow().contains(name)
    }

    fn append(&self, name: &str, out: &mut String, depth: usize) {
        match self.get(name) {
            Some(parameter) => self.expand(&parameter.raw, out, depth),
            None if name == "mydomain" => {
                // "The default is to use $myhostname minus the first component."
                let host = self.value("myhostname");
                out.push_str(host.split_once('.').map_or("localdomain", |(_, domain)| domain));
            }
            None => self.expand(defaults::of(name).unwrap_or_default(), out, depth),
        }
    }

    fn expand(&self, text: &str, out: &mut String, depth: usize) {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if depth >= MAX_DEPTH || out.len() > MAX_VALUE {
                return;
            }
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some((inside, after)) = enclosed(rest) {
                self.conditional(inside, out, depth + 1);
                rest = after;
            } else {
                let end = rest.find(|sign: char| !is_name(sign)).unwrap_or(rest.len());
                self.named(&rest[..end], out, depth + 1);
                rest = &rest[end..];
            }
        }
        out.push_str(rest);
    }

    fn named(&self, name: &str, out: &mut String, depth: usize) {
        self.asked.borrow_mut().insert(name.to_owned());
        self.append(name, out, depth);
    }

    /// What stands between `${` and `}`: a name, `name?text`, `name:text`, `name?{text}:{text}`.
    fn conditional(&self, inside: &str, out: &mut String, depth: usize) {
        let inside = inside.trim();
        let (yes, rest) = if let Some((left, rest)) = braced(inside) {
            let Some((holds, rest)) = self.compare(left, rest.trim_start(), depth) else { return };
            (holds, rest)
        } else {
            let end = inside.find(|sign: char| !is_name(sign)).unwrap_or(inside.len());
            let (name, rest) = inside.split_at(end);
            if rest.trim().is_empty() {
                return self.named(name, out, depth);
            }
            let mut value = String::new();
            self.named(name, &mut value, depth);
            (!value.is_empty(), rest)
        };
        let rest = rest.trim_start();
        let (then, otherwise) = match rest.strip_prefix('?') {
            Some(rest) => match braced(rest.trim_start()) {
                Some((then, rest)) => (then, rest.trim_start().strip_prefix(':').unwrap_or_default()),
                None => (rest, ""),
            },
            None => ("", rest.strip_prefix(':').unwrap_or_default()),
        };
        let chosen = if yes { then } else { otherwise };
        let chosen = braced(chosen.trim_start()).map_or(chosen, |(chosen, _)| chosen);
        self.expand(chosen.trim(), out, depth);
    }

    /// `{left} == {right}` and its like, as postconf(5) has them since Postfix 3.0, from the sign on: whether it
    /// holds, and what follows. None when it is no comparison.
    fn compare<'t>(&self, left: &str, rest: &'t str, depth: usize) -> Option<(bool, &'t str)> {
        let signs = ["==", "!=", "<=", ">=", "<", ">"];
        let sign = signs.into_iter().find(|sign| rest.starts_with(sign))?;
        let right = rest.get(sign.len()..)?.trim_start();
        // `<level` and its like compare compatibility levels (Postfix 3.6).
        let right = right.strip_prefix("level").unwrap_or(right).trim_start();
        let (right, after) = braced(right)?;
        let side = |text: &str| {
            let mut out = String::new();
            self.expand(text.trim(), &mut out, depth);
            out
        };
        let (left, right) = (side(left), side(right));
        let order = match (level(&left), level(&right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(&right),
        };
        let holds = match sign {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            "<=" => order.is_le(),
            ">=" => order.is_ge(),
            "<" => order.is_lt(),
            _ => order.is_gt(),
        };
        Some((holds, after))
    }
}

/// A number, or a level such as `3.6`.
fn level(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

fn is_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

/// The inside of `{…}` or `(…)` at the start of what follows a dollar sign, and what comes after it.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('(') {
        Some(inside) => inside.split_once(')'),
        None => braced(text),
    }
}

/// The inside of `{…}` at the start of a text, and what comes after it.
fn braced(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('{') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, sign) in text.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::lines::parse;
    use super::*;

    fn main(text: &str) -> MainCf {
        MainCf::read(&parse(text))
    }

    #[test]
    fn values_are_filled_in_as_postfix_does() {
        let main = main(
            "myhostname = mx1.example.org\n\
             empty =\n\
             set = yes\n\
             nest = <$set>\n\
             price = 5$$\n",
        );
        for (text, filled) in [
            ("$mydomain", "example.org"),
            ("${myhostname}, localhost.$mydomain", "mx1.example.org, localhost.example.org"),
            ("$(set)s", "yess"),
            ("${set?there}${empty?not there}", "there"),
            ("${set:no}${empty:fallback}", "fallback"),
            ("${set?{a}:{b}} ${empty?{a}:{b}}", "a b"),
            ("${set?{$nest}}", "<yes>"),
            ("${{$set} == {yes} ? {1} : {2}}", "1"),
            ("${{$set}!={yes}?{1}:{2}}", "2"),
            ("${{10} > {9} ? {num} : {text}}", "num"),
            ("${{3.10} <level {3.6} ? {old} : {new}}", "new"),
            ("$price", "5$"),
            ("$unknown_name.", "."),
            ("$relayhost", ""),
            ("$relay_domains", "mx1.example.org, localhost.example.org, localhost"),
            ("${unclosed", "{unclosed"),
        ] {
            assert_eq!(main.fill(text), filled, "{text}");
        }
        assert!(main.is_asked("nest") && !main.is_asked("other"));
    }

    #[test]
    fn values_that_name_themselves_end() {
        let main = main("a = x$b\nb = $a$a$a$a\n");
        assert!(main.value("a").len() <= 2 * MAX_VALUE);
    }

    #[test]
    fn odd_lines_are_told_of() {
        let main = main("a = 1\nno sign\na = 2\n");
        assert_eq!(main.value("a"), "2");
        assert_eq!(main.odd.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn no_text_panics() {
        for text in [
            "$",
            "${",
            "${}",
            "${a?",
            "${{",
            "${{}}",
            "${{a}==}",
            "${{a}==b}",
            "${{a}={b}?c}",
            "$(",
            "${a?{b}",
            "${a:{b}c}",
            "é$é",
        ] {
            main("a = 1\n").fill(text);
        }
    }
}
