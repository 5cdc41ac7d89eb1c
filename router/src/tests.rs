//! What is best seen from inside: what each map means.

mod uses;

use super::*;
