//! A large site's transport map: addresses of many domains, few thousand different routes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use fastrand::Rng;

/// Texts one after the other, so that reading them in order costs no trip to memory of their own.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start..self.ends[number]]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let text = &self.text[start..*end];
            start = *end;
            text
        })
    }
}

/// The map's entries, in the order of its file.
pub(crate) struct Site {
    pub(crate) keys: Texts,
    routes: Vec<String>,
}

/// Questions in the order they are asked.
pub(crate) type Questions = Texts;

impl Site {
    pub(crate) fn of(size: usize) -> Self {
        let mut keys = Texts::default();
        for number in 0..size {
            keys.push(&address(number));
        }
        let routes = (0..4000)
            .map(|number| format!("smtp:[mx-{number:04}.pool-{:02}.example.net]:25", number % 16))
            .collect();
        Self { keys, routes }
    }

    pub(crate) fn route(&self, number: usize) -> &str {
        &self.routes[scatter(number as u64) as usize % self.routes.len()]
    }

    /// Octets of all keys together.
    pub(crate) fn key_octets(&self) -> usize {
        self.keys.text.len()
    }

    /// As a person or a program would write it.
    pub(crate) fn write(&self, place: &Path) {
        let mut file = BufWriter::new(File::create(place).unwrap());
        for (number, key) in self.keys.iter().enumerate() {
            writeln!(file, "{key} {}", self.route(number)).unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
    }

    /// Keys of the map, at random.
    pub(crate) fn hits(&self, count: usize) -> Questions {
        let mut chance = Rng::with_seed(1);
        let mut questions = Texts::default();
        (0..count).for_each(|_| questions.push(self.keys.get(chance.usize(..self.keys.len()))));
        questions
    }

    /// Addresses of the same domains that the map does not have.
    pub(crate) fn misses(&self, count: usize) -> Questions {
        let mut questions = Texts::default();
        (0..count).for_each(|number| questions.push(&address(self.keys.len() + number)));
        questions
    }
}

fn address(number: usize) -> String {
    const NAMES: [&str; 8] = ["anna", "bernd", "chiara", "dmitri", "eleni", "francois", "greta", "hugo"];
    let domain = scatter(number as u64) % 50_000;
    format!("{}.{number}@customer{domain}.example.org", NAMES[number % NAMES.len()])
}

/// A number that looks like chance and is the same every time.
fn scatter(number: u64) -> u64 {
    (number.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}
