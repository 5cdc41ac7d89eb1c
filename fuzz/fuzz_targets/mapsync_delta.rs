//! `cargo +nightly fuzz run mapsync_delta`: tables, what changed in them, and any octets as a packed frame.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_mapsync_protocol::fuzz::changes(octets));
