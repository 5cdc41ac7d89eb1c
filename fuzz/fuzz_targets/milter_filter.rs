//! `cargo +nightly fuzz run milter_filter`: an MTA's frames to the filter's side.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_milter_protocol::fuzz::filter(octets));
