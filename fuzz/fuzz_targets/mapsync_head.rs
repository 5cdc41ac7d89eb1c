//! `cargo +nightly fuzz run mapsync_head`: messages of any octets, and good ones that were changed.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_mapsync_protocol::fuzz::messages(octets));
