//! `cargo +nightly fuzz run map_artifact`: a compiled map of any octets, and good ones that were changed.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_maps::artifact::fuzz::artifact(octets));
