//! A table's word as it may be written into settings again.

use std::fmt;
use std::path::Path;

use super::{Choice, Rules, TableSpec, TextKind, split};

impl fmt::Display for TableSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { kind: TextKind::Plain, file } => write!(formatter, "{}", file.display()),
            Self::Text { kind, file } => named(formatter, kind.as_str(), file),
            Self::Aliases { file } => named(formatter, "aliases", file),
            Self::Cidr(rules) => write_rules(formatter, "cidr", rules),
            Self::Regexp(rules) => write_rules(formatter, "regexp", rules),
            Self::Pcre(rules) => write_rules(formatter, "pcre", rules),
            Self::Inline(pairs) => list(formatter, "inline", pairs, |formatter, pair| {
                write!(formatter, "{{{} = {}}}", pair.key, pair.value)
            }),
            Self::Static(value) => write!(formatter, "static:{}", Value(value)),
            Self::Fail(reason) => write!(formatter, "fail:{}", Value(reason)),
            Self::Union(members) => {
                list(formatter, "unionmap", members, |formatter, member| member.fmt(formatter))
            }
            Self::Random(choices) => list(formatter, "randmap", choices, choice),
            Self::Socketmap { endpoint, name } => write!(formatter, "socketmap:{endpoint}:{name}"),
            Self::Tcp(endpoint) => {
                let endpoint = endpoint.to_string();
                write!(formatter, "tcp:{}", endpoint.strip_prefix("inet:").unwrap_or(&endpoint))
            }
        }
    }
}

fn named(formatter: &mut fmt::Formatter<'_>, kind: &str, file: &Path) -> fmt::Result {
    write!(formatter, "{kind}:{}", file.display())
}

fn write_rules(formatter: &mut fmt::Formatter<'_>, kind: &str, rules: &Rules) -> fmt::Result {
    match rules {
        Rules::File(file) => named(formatter, kind, file),
        Rules::Inline(rules) => {
            list(formatter, kind, rules, |formatter, rule| write!(formatter, "{{{rule}}}"))
        }
    }
}

fn choice(formatter: &mut fmt::Formatter<'_>, choice: &Choice) -> fmt::Result {
    // A bare star would be read as the sign before a weight.
    match choice.value.as_str() {
        "*" => formatter.write_str("{*}")?,
        value => write!(formatter, "{}", Value(value))?,
    }
    match choice.weight {
        1 => Ok(()),
        weight => write!(formatter, " * {weight}"),
    }
}

fn list<T>(
    formatter: &mut fmt::Formatter<'_>,
    kind: &str,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write!(formatter, "{kind}:{{")?;
    for (index, item) in items.iter().enumerate() {
        formatter.write_str(if index > 0 { ", " } else { "" })?;
        each(formatter, item)?;
    }
    formatter.write_str("}")
}

/// A text, in braces where it would fall apart without them.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fragile = self.0.starts_with('{') || split::has_separator(self.0);
        if fragile && split::is_balanced(self.0) {
            write!(formatter, "{{{}}}", self.0)
        } else {
            formatter.write_str(self.0)
        }
    }
}
