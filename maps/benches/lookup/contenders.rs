//! Who is asked, and the loops that ask.

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use switchyard_maps::artifact::Layered;
use switchyard_maps::artifact::exact::Near;

use crate::lmdb::Lmdb;
use crate::sample::Questions;

/// How a question is put.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// Is the key there, and what is its value's number (LMDB: where its value is)?
    Find,
    /// The same, and the last octet of the value's text is read.
    Text,
    /// As [`Self::Find`], the next question waiting for the answer.
    Chained,
    /// As [`Self::Find`], six questions told to the map before the first of them is asked.
    Six,
}

pub(crate) enum Contender<'a> {
    Ours(&'a Layered, &'static str),
    Lmdb(&'a Lmdb<'a>),
}

impl Contender<'_> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_, name) => name,
            Self::Lmdb(_) => "LMDB",
        }
    }

    /// Nanoseconds a question.
    pub(crate) fn ask(&self, question: Question, questions: &Questions) -> f64 {
        match self {
            Self::Ours(map, _) => {
                let find = |key: &str| map.find(key).unwrap().map(|found| found.value);
                if matches!(question, Question::Six) {
                    return six(map, questions);
                }
                timed(question, questions, find, |value| last(map.value(*value).unwrap().as_bytes()))
            }
            Self::Lmdb(lmdb) => {
                let reading = lmdb.reading();
                timed(question, questions, |key| lmdb.find(&reading, key), |value| last(value))
            }
        }
    }
}

fn last(text: &[u8]) -> usize {
    text.last().copied().map_or(0, usize::from)
}

/// Asks all of them; `find` gives what was found, `read` looks into it.
fn timed<T>(
    question: Question,
    questions: &Questions,
    find: impl Fn(&str) -> Option<T>,
    read: impl Fn(&T) -> usize,
) -> f64 {
    // Known to be zero to us, not to the compiler.
    let none = black_box(0);
    let mut sum = 0;
    let start = now();
    match question {
        // LMDB cannot be told before.
        Question::Find | Question::Six => {
            for key in questions.iter() {
                sum += usize::from(find(key).is_some());
            }
        }
        Question::Text => {
            for key in questions.iter() {
                sum += find(key).map_or(0, |found| read(&found));
            }
        }
        Question::Chained => {
            let mut wait = 0;
            for number in 0..questions.len() {
                let found = find(questions.get(number + wait));
                wait = usize::from(found.is_some()) & none;
            }
            sum += wait;
        }
    }
    black_box(sum);
    (now() - start) / questions.len() as f64
}

fn six(map: &Layered, questions: &Questions) -> f64 {
    let mut sum = 0;
    let start = now();
    for first in (0..questions.len()).step_by(6) {
        let some = first..questions.len().min(first + 6);
        let mut near = Near::of(some.clone().map(|number| questions.get(number)));
        map.bring_near(&mut near);
        for number in some {
            sum += usize::from(map.find_near(questions.get(number), &near).unwrap().is_some());
        }
    }
    black_box(sum);
    (now() - start) / questions.len() as f64
}

/// This thread's own time in nanoseconds: a neighbour who takes the processor away does not count, though one
/// who takes the cache does.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
