//! Tables in a settings word: inline, static, and tables of tables.

use fastrand::Rng;

use super::{one, words};

/// A table type with its words, and questions.
#[derive(Debug, Clone)]
pub struct Spec {
    /// As it stands in the settings: `inline:{a=b}`.
    pub word: String,
    /// The questions.
    pub keys: Vec<String>,
}

/// `inline:{ a=b, {c = d, e} }`.
pub fn inline(rng: &mut Rng, questions: usize) -> Spec {
    let (word, known) = inline_word(rng);
    Spec { word, keys: (0..questions).map(|_| words::question(rng, &known)).collect() }
}

/// `unionmap:{…}` of inline, static and more of its kind.
pub fn nested(rng: &mut Rng, questions: usize) -> Spec {
    let mut known = Vec::new();
    let word = nested_word(rng, &mut known, 2);
    Spec { word, keys: (0..questions).map(|_| words::question(rng, &known)).collect() }
}

fn nested_word(rng: &mut Rng, known: &mut Vec<String>, deep: u32) -> String {
    let tables: Vec<String> = (0..rng.usize(1..4))
        .map(|_| match rng.u32(..6) {
            0 => format!("static:{}", one(rng, &["joe", "x@y.example", "{two words}", "user"])),
            1 if deep > 0 => nested_word(rng, known, deep - 1),
            _ => {
                let (word, keys) = inline_word(rng);
                known.extend(keys);
                word
            }
        })
        .collect();
    format!("unionmap:{{{}}}", tables.join(one(rng, &[",", ", ", " "])))
}

/// Few keys, so that several tables know one.
fn inline_word(rng: &mut Rng) -> (String, Vec<String>) {
    const NAMES: &[&str] =
        &["joe", "jane", "user", "x@y.example", "@b.example", ".sub.example", "a+b", "UPPER@X.example", "é"];
    let mut keys: Vec<String> = Vec::new();
    for _ in 0..rng.usize(1..7) {
        let name = one(rng, NAMES).to_owned();
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    let entries: Vec<String> = keys
        .iter()
        .map(|key| match rng.u32(..4) {
            0 => format!("{{{key} = {}, {}}}", one(rng, NAMES), one(rng, NAMES)),
            1 => format!("{{{key}={} {}}}", one(rng, NAMES), one(rng, &["x", "=", "a=b"])),
            _ => format!("{key}={}", one(rng, NAMES)),
        })
        .collect();
    let (open, close) = if rng.bool() { ("{", "}") } else { ("{ ", " }") };
    (format!("inline:{open}{}{close}", entries.join(one(rng, &[",", ", ", " "]))), keys)
}
