//! Bytes and words: lines, commands, replies, dot-stuffed data and chunks.
//!
//! Line ends, end of data and paths are our own; smtp-proto is asked for EHLO keywords only, and its types
//! never leave this folder.

pub mod chunk;
pub mod command;
pub mod data;
pub mod line;
pub mod reply;
