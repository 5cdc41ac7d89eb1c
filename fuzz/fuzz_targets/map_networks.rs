//! `cargo +nightly fuzz run map_networks`: tables of many networks, and their artifacts changed.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| switchyard_maps::cidr::fuzz::networks(octets));
