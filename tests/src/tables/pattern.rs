//! regexp_table(5) and pcre_table(5): patterns from a grammar, keys made to match them or nearly so.
//!
//! What the two do differently from each other, and from an engine that takes linear time, is left out here:
//! look-around and back-references, and which of several ways to match the groups show (POSIX: the longest).
//! Those are differences on purpose, each with a test of its own.

use fastrand::Rng;

use super::{Table, lay, one, rarely, words};

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// POSIX extended regular expressions.
    Regexp,
    /// Perl's.
    Pcre,
}

/// A source of so many rules, and so many questions.
pub fn source(rng: &mut Rng, dialect: Dialect, rules: usize, questions: usize) -> Table {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut patterns = Vec::new();
    let mut depth = 0;
    while lines.len() < rules {
        let pattern = Pattern::new(rng, dialect);
        match rng.u32(..16) {
            0 if depth < 3 => {
                depth += 1;
                let not = one(rng, &["", "", "!", "! "]);
                lines.push((format!("if {not}{}", pattern.delimited(rng)), String::new()));
            }
            1 | 2 if depth > 0 => {
                depth -= 1;
                lines.push(("endif".to_owned(), String::new()));
            }
            // It holds for nearly everything.
            3 if lines.len() > rules * 3 / 4 => {
                lines.push((format!("!{}", pattern.delimited(rng)), format!("not {}", lines.len())));
            }
            _ => {
                let value = value(rng, pattern.shown);
                lines.push((pattern.delimited(rng), format!("{value} {}", lines.len())));
            }
        }
        patterns.push(pattern);
    }
    lines.extend((0..depth).map(|_| ("endif".to_owned(), String::new())));
    let text = lay::lines(rng, lines.iter().map(|(begin, rest)| (begin.as_str(), rest.as_str())));
    let keys = (0..questions).map(|_| question(rng, &patterns)).collect();
    Table { text, keys }
}

/// A value, with the groups that may be shown.
fn value(rng: &mut Rng, groups: usize) -> String {
    if groups == 0 || rarely(rng, 3) {
        return one(rng, &["OK", "smtp:[gw.example]:25", "REJECT 5.7.1 no", "costs 5$$ or more", "a, b"])
            .to_owned();
    }
    let group = rng.usize(1..=groups);
    match rng.u32(..5) {
        0 => format!("${group}"),
        1 => format!("a${{{group}}}b"),
        2 => format!("$({group})@new.example"),
        3 => format!("smtp:[${group}]:$$25"),
        _ => (1..=groups).map(|group| format!("<${group}>")).collect(),
    }
}

fn question(rng: &mut Rng, patterns: &[Pattern]) -> String {
    let pattern = &patterns[rng.usize(..patterns.len())];
    let hit = pattern.sample(rng);
    let asked = match rng.u32(..10) {
        0..6 => hit,
        6 => format!("{}{hit}", one(rng, &["a", "x", "@"])),
        7 | 8 => words::near(rng, &hit),
        _ => words::key(rng),
    };
    let asked = if rarely(rng, 3) { asked.to_uppercase() } else { asked };
    // Half of a letter in a group is no text: Postfix fails then.
    let whole = |letter: &char| pattern.dialect == Dialect::Regexp || letter.is_ascii();
    let asked: String = asked.chars().filter(whole).collect();
    if asked.is_empty() { "x".to_owned() } else { asked }
}

// ---------------------------------------------------------------------------------------------------------

struct Pattern {
    dialect: Dialect,
    from_start: bool,
    to_end: bool,
    pieces: Vec<Piece>,
    flags: &'static str,
    /// Groups whose text is the same however one matches.
    shown: usize,
}

enum Piece {
    Text(String),
    Any,
    /// How it is written, and what it may be.
    Set(&'static str, &'static str),
    /// Alternatives, and whether they are a group that counts.
    Either(Vec<Vec<Piece>>, bool),
    Repeat(Box<Piece>, &'static str, u32, u32),
}

const TEXTS: &[&str] = &[
    "joe",
    "a",
    "b",
    "list",
    "owner-",
    "example.org",
    ".net",
    "@",
    "mail",
    "x1",
    "é",
    "+",
    "(c)",
    "a|b",
    "$5",
    "[1]",
];
const SETS: &[(&str, &str)] = &[
    ("[abc]", "abc"),
    ("[a-f0-3]", "adf03"),
    ("[^@]", "xj.1-"),
    ("[^a-z@]", "019.-_"),
    ("[]x]", "]x"),
    ("[.+_-]", ".+_-"),
    ("[[:digit:]]", "0123456789"),
    ("[[:alpha:]_]", "abz_"),
    ("[^[:space:]]", "ab1.@"),
];
const PERL_SETS: &[(&str, &str)] = &[
    ("\\d", "0189"),
    ("\\w", "ab_9"),
    ("[^\\s@]", "ab.1"),
    ("\\S", "a@."),
    ("[\\w.-]", "a.-"),
    ("\\D", "a@"),
];
const REPEATS: &[(&str, u32, u32)] =
    &[("*", 0, 3), ("+", 1, 3), ("?", 0, 1), ("{2}", 2, 2), ("{1,3}", 1, 3), ("{0,2}", 0, 2), ("{2,}", 2, 4)];
const LAZY: &[(&str, u32, u32)] = &[("*?", 0, 3), ("+?", 1, 3), ("??", 0, 1), ("{1,2}?", 1, 2)];

impl Pattern {
    fn new(rng: &mut Rng, dialect: Dialect) -> Self {
        if rarely(rng, 4) {
            return Self::of_address(rng, dialect);
        }
        // One that matches nearly everything ends a table.
        let (from_start, to_end) = (!rarely(rng, 4), !rarely(rng, 4));
        let pieces: Vec<Piece> = (0..rng.usize(2..6)).map(|_| Piece::new(rng, dialect, 2)).collect();
        // Perl takes the first way to match, and so does the engine here.
        let shown = if dialect == Dialect::Pcre { count(&pieces) } else { 0 };
        Self { dialect, from_start, to_end, pieces, flags: flags(rng), shown }
    }

    /// What people write: user and domain, shown in the value.
    fn of_address(rng: &mut Rng, dialect: Dialect) -> Self {
        let set = |written, of| {
            Piece::Either(vec![vec![Piece::Repeat(Box::new(Piece::Set(written, of)), "+", 1, 3)]], true)
        };
        let user = match rng.u32(..3) {
            0 => set("[^@]", "xj.1-"),
            1 => set("[^@+]", "xyz."),
            _ => Piece::Either(vec![vec![Piece::Text("joe".into())], vec![Piece::Text("list".into())]], true),
        };
        let domain = match rng.u32(..3) {
            0 => set("[^@]", "ab.c-"),
            1 => Piece::Text("example.org".into()),
            _ => Piece::Either(
                vec![vec![Piece::Text("example.net".into())], vec![Piece::Text("b.example".into())]],
                true,
            ),
        };
        let pieces = vec![user, Piece::Text("@".into()), domain];
        let shown = count(&pieces);
        Self { dialect, from_start: true, to_end: true, pieces, flags: flags(rng), shown }
    }

    fn written(&self) -> String {
        let mut text = String::new();
        text.push_str(if self.from_start { "^" } else { "" });
        self.pieces.iter().for_each(|piece| piece.write(&mut text));
        text.push_str(if self.to_end { "$" } else { "" });
        text
    }

    /// With delimiters that the pattern does not hold, and flags.
    fn delimited(&self, rng: &mut Rng) -> String {
        let text = self.written();
        let usable: Vec<&str> = ["/", "/", "/", "%", ",", "~", "#"]
            .into_iter()
            // A line that starts with a number sign is a comment.
            .filter(|delimiter| *delimiter != "#" && !text.contains(delimiter))
            .collect();
        let delimiter = one(rng, &usable);
        format!("{delimiter}{text}{delimiter}{}", self.flags)
    }

    fn sample(&self, rng: &mut Rng) -> String {
        let mut text = String::new();
        if !self.from_start && rarely(rng, 3) {
            text.push_str(one(rng, &["x", "a@", "1."]));
        }
        self.pieces.iter().for_each(|piece| piece.sample(rng, &mut text));
        if !self.to_end && rarely(rng, 3) {
            text.push_str(one(rng, &["x", "@a", ".1"]));
        }
        text
    }
}

/// Without `i` case does not matter: Postfix's default, which the letter takes back.
fn flags(rng: &mut Rng) -> &'static str {
    one(rng, &["", "", "", "", "i"])
}

fn count(pieces: &[Piece]) -> usize {
    let of = |piece: &Piece| match piece {
        Piece::Either(ways, counts) => {
            usize::from(*counts) + ways.iter().map(|way| count(way)).sum::<usize>()
        }
        Piece::Repeat(piece, ..) => count(std::slice::from_ref(piece)),
        Piece::Text(_) | Piece::Any | Piece::Set(..) => 0,
    };
    pieces.iter().map(of).sum()
}

impl Piece {
    fn new(rng: &mut Rng, dialect: Dialect, deep: u32) -> Self {
        let perl = dialect == Dialect::Pcre;
        match rng.u32(..12) {
            0 => Self::Any,
            1 | 2 => {
                let set = if perl && rng.bool() { PERL_SETS } else { SETS };
                let (written, of) = set[rng.usize(..set.len())];
                Self::Set(written, of)
            }
            3 | 4 if deep > 0 => {
                let counts = !perl || rng.bool();
                let way =
                    |rng: &mut Rng| (0..rng.usize(1..3)).map(|_| Self::new(rng, dialect, deep - 1)).collect();
                Self::Either((0..rng.usize(1..4)).map(|_| way(rng)).collect(), counts)
            }
            5 | 6 if deep > 0 => {
                let repeats = if perl && rarely(rng, 3) { LAZY } else { REPEATS };
                let (written, least, most) = repeats[rng.usize(..repeats.len())];
                // What a group shows that matched several times, or nothing, is another matter.
                let one = match rng.u32(..3) {
                    0 => Self::Any,
                    1 => {
                        let (written, of) = SETS[rng.usize(..SETS.len())];
                        Self::Set(written, of)
                    }
                    _ => Self::Text(one(rng, &["a", "b", "@", ".", "1"]).to_owned()),
                };
                Self::Repeat(Box::new(one), written, least, most)
            }
            _ => Self::Text(one(rng, TEXTS).to_owned()),
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Text(of) => of.chars().for_each(|character| {
                text.push_str(if "\\^$.[]|()?*+{}".contains(character) { "\\" } else { "" });
                text.push(character);
            }),
            Self::Any => text.push('.'),
            Self::Set(written, _) => text.push_str(written),
            Self::Either(ways, counts) => {
                text.push_str(if *counts { "(" } else { "(?:" });
                for (number, way) in ways.iter().enumerate() {
                    text.push_str(if number > 0 { "|" } else { "" });
                    way.iter().for_each(|piece| piece.write(text));
                }
                text.push(')');
            }
            Self::Repeat(piece, written, ..) => {
                piece.write(text);
                text.push_str(written);
            }
        }
    }

    fn sample(&self, rng: &mut Rng, text: &mut String) {
        match self {
            Self::Text(of) => text.push_str(of),
            Self::Any => text.push_str(one(rng, &["a", "@", ".", "7", "-"])),
            Self::Set(_, of) => {
                let of: Vec<char> = of.chars().collect();
                text.push(of[rng.usize(..of.len())]);
            }
            Self::Either(ways, _) => {
                let way = &ways[rng.usize(..ways.len())];
                way.iter().for_each(|piece| piece.sample(rng, text));
            }
            Self::Repeat(piece, _, least, most) => {
                (0..rng.u32(*least..=*most)).for_each(|_| piece.sample(rng, text));
            }
        }
    }
}
