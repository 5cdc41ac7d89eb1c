//! Tables as admins write them and worse, with questions that hit, nearly hit and miss.
//!
//! All of it follows from one number, which `SWITCHYARD_SEED` changes; a scenario prints it. Keys and patterns
//! come from few words, so that rules overlap and questions find something.

pub mod chain;
pub mod exact;
pub mod lay;
pub mod network;
pub mod pattern;
pub mod site;
pub mod words;

use std::env;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use fastrand::Rng;

/// A table's text, and what to ask of it.
#[derive(Debug, Clone)]
pub struct Table {
    /// The source, as it stands in a file.
    pub text: String,
    /// The questions.
    pub keys: Vec<String>,
}

/// The number that everything follows from.
///
/// # Panics
/// When `SWITCHYARD_SEED` is no number.
#[must_use]
pub fn seed() -> u64 {
    match env::var("SWITCHYARD_SEED") {
        Ok(text) => text.parse().expect("SWITCHYARD_SEED is a number"),
        Err(_) => 20_261_121,
    }
}

/// Chance for one table: the same for the same seed, kind and number.
#[must_use]
pub fn chance(kind: &str, number: usize) -> Rng {
    let mut hasher = DefaultHasher::new();
    (seed(), kind, number).hash(&mut hasher);
    Rng::with_seed(hasher.finish())
}

/// One of these.
///
/// # Panics
/// When there is none.
pub fn one<'a, T: ?Sized>(rng: &mut Rng, of: &[&'a T]) -> &'a T {
    of[rng.usize(..of.len())]
}

/// True once in so many times.
pub fn rarely(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}
