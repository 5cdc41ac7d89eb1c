//! What a rule answers, with the texts of groups put in: `$1`, `${1}`, `$(1)`; `$$` is a dollar.

use crate::fault::Wrong;

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

/// Octets of an answer: more than any address or reply has.
const LONGEST: usize = 1 << 16;

impl Template {
    /// Reads a value for a rule with so many groups; none for a rule that answers where its pattern does not
    /// match.
    pub(super) fn read(text: &str, groups: Option<u32>) -> Result<Self, Wrong> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find('$')) {
            let place = at + found;
            literal.push_str(text.get(at..place).unwrap_or_default());
            let rest = text.get(place + 1..).unwrap_or_default();
            if rest.starts_with('$') {
                literal.push('$');
                at = place + 2;
                continue;
            }
            let (name, length) = name(rest).map_err(|wrong| wrong.moved(place))?;
            let group = group(name, groups).map_err(|what| Wrong::at(place, what))?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Group(group));
            at = place + 1 + length;
        }
        literal.push_str(text.get(at..).unwrap_or_default());
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// The text, if nothing is to be put in.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with groups put in; a group that matched nothing is empty, as in Postfix.
    pub(super) fn expand<'k>(
        &self,
        group: impl Fn(usize) -> Option<&'k [u8]>,
    ) -> Result<String, &'static str> {
        let mut octets = Vec::new();
        for piece in &self.pieces {
            octets.extend_from_slice(match piece {
                Piece::Text(text) => text.as_bytes(),
                Piece::Group(number) => group(*number).unwrap_or_default(),
            });
            if octets.len() > LONGEST {
                return Err("a substitution gives more than 65536 octets");
            }
        }
        // Patterns match octets, keys are UTF-8.
        String::from_utf8(octets).map_err(|_| "a substitution cuts a character in two")
    }
}

/// The name behind a dollar, and the octets it takes.
fn name(rest: &str) -> Result<(&str, usize), Wrong> {
    let close = match rest.as_bytes().first() {
        Some(b'{') => '}',
        Some(b'(') => ')',
        _ => {
            let length =
                rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            return Ok((rest.get(..length).unwrap_or_default(), length));
        }
    };
    let end = rest.find(close).ok_or_else(|| Wrong::new(format!("a `{close}` is expected")))?;
    Ok((rest.get(1..end).unwrap_or_default(), end + 1))
}

fn group(name: &str, groups: Option<u32>) -> Result<usize, String> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(match name {
            "" => "a group's number is expected behind the `$`; a dollar itself is `$$`".to_owned(),
            _ => format!(
                "a group's number is expected, not `{name}`: write `${{1}}` where a letter follows, \
                 and `$$` for a dollar"
            ),
        });
    }
    let Some(groups) = groups else {
        return Err("a rule that answers where its pattern does not match has nothing to put in".to_owned());
    };
    match name.parse::<u32>() {
        Ok(number) if (1..=groups).contains(&number) => Ok(number as usize),
        _ => Err(format!("there is no group {name}: the pattern has {groups}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_put_in() {
        let expand = |text: &str| {
            let groups = ["one", "two"];
            let template = Template::read(text, Some(3)).unwrap();
            template.expand(|number| groups.get(number - 1).map(|text| text.as_bytes())).unwrap()
        };
        assert_eq!(expand("a-$1-${2}-$(1)-$$-$3.${01}"), "a-one-two-one-$-.one");
        assert_eq!(expand("é$1é"), "éoneé");
        assert_eq!(expand("$$1"), "$1");
        assert_eq!(expand(""), "");
        assert_eq!(Template::read("a$$b$$", None).unwrap().plain(), Some("a$b$"));
        assert_eq!(Template::read("", None).unwrap().plain(), Some(""));
        assert_eq!(Template::read("$1", Some(1)).unwrap().plain(), None);
    }

    #[test]
    fn what_postfix_skips_with_a_warning_is_refused() {
        for (text, at) in [
            ("v$", 1),
            ("v$x", 1),
            ("v$1x", 1),
            ("v$0", 1),
            ("é${2}", 2),
            ("v${1", 1),
            ("v${x}", 1),
            ("v$ {1}", 1),
            ("v$()", 1),
            ("v$99999999999", 1),
        ] {
            assert_eq!(Template::read(text, Some(1)).map_err(|wrong| wrong.at), Err(at), "{text}");
        }
        assert!(Template::read("v$1", None).unwrap_err().what.contains("does not match"));
    }

    #[test]
    fn what_cannot_be_an_answer_is_an_error() {
        let template = Template::read(&"$1".repeat(100), Some(1)).unwrap();
        assert!(template.expand(|_| Some(&[b'a'; 1_000])).is_err());
        assert!(template.expand(|_| Some(b"\xc3")).is_err());
    }
}
