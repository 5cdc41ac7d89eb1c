//! The text of whole keys: parts of it are read on several cores, and put together in their order, so that what
//! comes of it does not depend on how many there are.
//!
//! Each reader takes every n-th part. What it read waits, with few others, until those before it are put
//! together: a text of any length takes little memory on the way.

use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::artifact::exact::ExactBuilder;
use crate::fault::Wrong;
use crate::grammar::Grammar;
use crate::rules::BadLines;
use crate::source::{self, BadLine, Line, Part};

/// Octets of a part: enough that handing it over is nothing beside reading it, few enough for a processor's cache.
const PART: usize = 1 << 19;
/// Parts of one reader that wait to be put together.
const WAITING: usize = 2;
/// Putting together keeps up with so many.
const MOST_READERS: usize = 8;

/// What was read of a part, and what is wrong with it.
type Read = (ExactBuilder, BadLines);

/// Reads a whole text.
pub(super) fn read(text: &[u8], grammar: &Grammar<'_>) -> Read {
    let parts = source::parts(text, PART);
    match parts.as_slice() {
        [] => Read::default(),
        [one] => read_part(one, &mut grammar.twin()),
        parts => {
            let readers = thread::available_parallelism().map_or(1, usize::from);
            read_side_by_side(parts, readers.min(MOST_READERS), grammar)
        }
    }
}

fn read_side_by_side(parts: &[Part<'_>], readers: usize, grammar: &Grammar<'_>) -> Read {
    let mut all = Read::default();
    thread::scope(|scope| {
        let read_by = |number: usize| -> Receiver<Read> {
            let (sender, waiting) = mpsc::sync_channel(WAITING);
            let (mut grammar, parts) = (grammar.twin(), parts.iter().skip(number).step_by(readers));
            scope.spawn(move || {
                for part in parts {
                    if sender.send(read_part(part, &mut grammar)).is_err() {
                        return;
                    }
                }
            });
            waiting
        };
        let waiting: Vec<_> = (0..readers).map(read_by).collect();
        for reader in waiting.iter().cycle().take(parts.len()) {
            // Nothing comes of a reader that panicked; the scope passes that on.
            let Ok((builder, bad)) = reader.recv() else { break };
            all.1.append(bad);
            if let Err(error) = all.0.append(&builder) {
                all.1.push(BadLine { line: 0, column: 0, what: error.to_string() });
                break;
            }
        }
    });
    all
}

fn read_part(part: &Part<'_>, grammar: &mut Grammar<'_>) -> Read {
    let mut read = Read::default();
    for line in part.lines() {
        match line {
            Ok(line) => {
                if let Err(wrong) = add(&line, grammar, &mut read.0) {
                    read.1.tell(&line, wrong);
                }
            }
            Err(bad) => read.1.push(bad),
        }
    }
    read
}

fn add(line: &Line<'_>, grammar: &mut Grammar<'_>, builder: &mut ExactBuilder) -> Result<(), Wrong> {
    let entry = source::split(&line.text)?;
    let key = grammar.key(entry.key)?;
    let value = grammar.value(&key, entry.value).map_err(|wrong| wrong.moved(entry.value_at))?;
    builder.push(&key, &value, line.number()).map_err(|error| Wrong::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Words;
    use crate::name::MapName;

    #[test]
    fn parts_side_by_side_come_to_what_one_reader_reads() {
        let words = Words::default();
        let grammar = Grammar::new(MapName::Transport, &words);
        let line = |number: u32| match number % 300 {
            299 => format!("d{number}.example nowhere:x\n"),
            150 => format!("D{number}.example\n  smtp:[gw{number}]\n# why\n"),
            _ => format!("d{number}.example smtp:[gw{}]\n", number % 7),
        };
        let text: String = (0..3_000).map(line).collect();
        let (builder, bad) = read(text.as_bytes(), &grammar);
        assert_eq!(bad.kept.len(), 10);
        let octets = builder.finish().unwrap().to_bytes().unwrap();
        for (readers, part) in [(1, 1 << 10), (2, 1 << 10), (3, 1 << 12), (8, 1 << 14)] {
            let parts = source::parts(text.as_bytes(), part);
            assert!(parts.len() > 3);
            let (builder, again) = read_side_by_side(&parts, readers, &grammar);
            assert_eq!(again, bad, "{readers}");
            assert_eq!(builder.finish().unwrap().to_bytes().unwrap(), octets, "{readers}");
        }
    }
}
