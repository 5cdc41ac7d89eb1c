//! The words of a line: the name before the colon, and the targets between commas.
//!
//! They are those of an address field (RFC 5322 §3.2), as postalias(1) reads them: double quotes, comments in round brackets, and
//! `a phrase <address>`.

use std::borrow::Cow;

use crate::fault::Wrong;

/// Comments in comments.
const MAX_NESTING: usize = 16;

/// One target as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Where it starts.
    pub(super) at: usize,
    pub(super) kind: Kind<'a>,
}

/// What is written there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An address, or a name.
    Address(Cow<'a, str>),
    /// The file behind `:include:`.
    Include(Cow<'a, str>),
}

/// The name, and where its targets start.
pub(super) fn name(line: &str) -> Result<(&str, usize), Wrong> {
    let mut quote = None;
    let mut escaped = false;
    let colon = line.char_indices().find(|(at, character)| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if quote.is_some() => quote = None,
            '"' => quote = Some(*at),
            ':' => return quote.is_none(),
            _ => {}
        }
        false
    });
    if let Some(at) = quote {
        return Err(Wrong::at(at, "a double quote that nothing closes"));
    }
    let Some((colon, _)) = colon else {
        return Err(Wrong::new("`name: target` is expected"));
    };
    let name = line[..colon].trim_matches([' ', '\t']);
    let bare = !name.starts_with('"');
    if name.is_empty() {
        return Err(Wrong::new("a name is expected before the colon"));
    }
    if bare && name.contains('@') {
        return Err(Wrong::new(format!("`{name}`: a name without a domain is expected")));
    }
    if bare && name.contains([' ', '\t']) {
        return Err(Wrong::new(format!("`{name}`: a name with blanks stands in double quotes")));
    }
    Ok((name, colon + 1))
}

/// The targets of a line, those that are empty left out.
pub(super) fn targets(value: &str) -> impl Iterator<Item = Result<Word<'_>, Wrong>> {
    let mut start = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed && start <= value.len() {
            let rest = value.get(start..).unwrap_or_default();
            let end = match end_of_piece(rest) {
                Ok(end) => end,
                Err(wrong) => {
                    failed = true;
                    return Some(Err(wrong.moved(start)));
                }
            };
            let piece = &rest[..end];
            let at = start + piece.len() - piece.trim_start_matches([' ', '\t']).len();
            start += end + 1;
            match target(piece.trim_matches([' ', '\t'])) {
                Ok(None) => {}
                Ok(Some(kind)) => return Some(Ok(Word { at, kind })),
                Err(what) => return Some(Err(Wrong::at(at, what))),
            }
        }
        None
    })
}

/// Where the comma is that ends the first piece, or the end of the text.
fn end_of_piece(text: &str) -> Result<usize, Wrong> {
    let mut quote = None;
    let mut comments = Vec::new();
    let mut angle = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if quote.is_some() => quote = None,
            _ if quote.is_some() => {}
            b'(' if comments.len() == MAX_NESTING => {
                return Err(Wrong::at(at, "too many comments in comments"));
            }
            b'(' => comments.push(at),
            b')' if comments.pop().is_some() => {}
            _ if !comments.is_empty() => {}
            b'"' => quote = Some(at),
            b'<' => angle = Some(at),
            b'>' => angle = None,
            b',' if angle.is_none() => return Ok(at),
            _ => {}
        }
    }
    let open = [
        (quote, "a double quote that nothing closes"),
        (comments.pop(), "a `(` that nothing closes"),
        (angle, "a `<` that nothing closes"),
    ];
    match open.into_iter().find_map(|(at, what)| Some((at?, what))) {
        Some((at, what)) => Err(Wrong::at(at, what)),
        None => Ok(text.len()),
    }
}

/// One target without the blanks around it; none for a comment alone.
fn target(piece: &str) -> Result<Option<Kind<'_>>, String> {
    let text = without_comments(piece);
    if text.is_empty() {
        return Ok(None);
    }
    // Postfix takes the quotes off before it looks what kind of target it is.
    let bare = match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(_) => Cow::Owned(unquoted(&text)),
        None => text.clone(),
    };
    if bare.starts_with('|') {
        return Err(format!("`{bare}`: no commands are run here; deliver to a server that runs them"));
    }
    if bare.starts_with('/') {
        return Err(format!("`{bare}`: no files are written here; deliver to a server that keeps mailboxes"));
    }
    if let Some(word) = bare.strip_prefix(':') {
        return match word.strip_prefix("include:").map(|file| file.trim_matches([' ', '\t'])) {
            Some("") => Err("the name of a file is expected after `:include:`".to_owned()),
            Some(file) => Ok(Some(Kind::Include(file.to_owned().into()))),
            None => Err(format!("`{bare}`: an address or `:include:` is expected")),
        };
    }
    match text.find('<') {
        Some(start) if !text.starts_with('"') || text[..start].ends_with(['"', ' ', '\t']) => {
            let (inner, rest) = text[start + 1..].split_once('>').unwrap_or((&text[start + 1..], ""));
            if !rest.trim_matches([' ', '\t']).is_empty() || inner.is_empty() {
                return Err(format!(
                    "`{text}`: one address in angle brackets is expected, and a comma after it"
                ));
            }
            Ok(Some(Kind::Address(inner.to_owned().into())))
        }
        _ => {
            // Sendmail's `\name` says "look for no .forward of theirs"; nobody looks here.
            let name = text.strip_prefix('\\').map(str::to_owned);
            match name {
                Some(name) if name.is_empty() => Err("an address is expected after the backslash".to_owned()),
                name => Ok(Some(Kind::Address(name.map_or(text, Cow::Owned)))),
            }
        }
    }
}

fn without_comments(piece: &str) -> Cow<'_, str> {
    if !piece.contains('(') {
        return piece.into();
    }
    let mut text = String::with_capacity(piece.len());
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    for character in piece.chars() {
        let inside = depth > 0;
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if !inside => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && inside => depth -= 1,
            _ => {}
        }
        if !inside && depth == 0 {
            text.push(character);
        }
    }
    text.trim_matches([' ', '\t']).to_owned().into()
}

/// What a quoted word says.
fn unquoted(text: &str) -> String {
    let mut escaped = false;
    let keep = |character: &char| {
        let sign = !escaped && matches!(character, '"' | '\\');
        escaped = !escaped && *character == '\\';
        !sign
    };
    text.chars().filter(keep).collect()
}
