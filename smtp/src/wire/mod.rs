//! Bytes and words: lines, commands, replies, dot-stuffed data and chunks.
//!
//! All of it is our own; smtp-proto reads the same EHLO replies in a test, and the two must agree.

pub mod chunk;
pub mod command;
pub mod data;
pub mod line;
pub mod line_ends;
pub mod reply;
