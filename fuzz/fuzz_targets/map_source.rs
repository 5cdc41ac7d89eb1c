//! `cargo +nightly fuzz run map_source`: the text of tables of rules, and their artifacts changed.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_maps::rules::fuzz::tables(octets));
