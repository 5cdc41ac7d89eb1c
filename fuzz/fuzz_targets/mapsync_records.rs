//! `cargo +nightly fuzz run mapsync_records`: tables of any octets.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_mapsync_protocol::fuzz::table(octets));
