//! `cargo +nightly fuzz run milter_mta`: a filter's frames to the MTA's side, and what its edits make of a message.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_milter_protocol::fuzz::mta(octets));
