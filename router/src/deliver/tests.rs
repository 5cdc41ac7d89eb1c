//! Attempts against a scripted peer on loopback.
