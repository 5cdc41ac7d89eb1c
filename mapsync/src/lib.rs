//! How maps and settings spread over a site's hosts.
//!
//! An admin signs every file of a site by hash (`switchyard-mapsync-protocol` says how) and pushes to a [`hub`]; the
//! hub keeps what is signed, tells all hosts at once, and hands the files out. A hub is not trusted: it checks
//! signatures as hosts do, and holds no key that could make a head.
//!
//! [`identity`] reads who somebody is from a certificate, [`tls`] makes the mutual TLS that every connection has.

#![forbid(unsafe_code)]

pub mod hub;
pub mod identity;
pub mod tls;
