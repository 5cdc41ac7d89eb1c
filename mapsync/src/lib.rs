//! How maps and settings spread over a site's hosts.
//!
//! An admin signs every file of a site by hash (`switchyard-mapsync-protocol` says how) and pushes to a [`hub`]; the
//! hub keeps what is signed, tells all hosts at once, and hands the files out. A hub is not trusted: it checks
//! signatures as hosts do, and holds no key that could make a head.
//!
//! The [`agent`] of each host takes from the hubs only what is signed and newer, proves it there, and puts it in use.
//!
//! [`identity`] reads who somebody is from a certificate, [`tls`] makes the mutual TLS that every connection has,
//! [`client`] asks hubs. [`site`] is a site's folder as what travels, and [`proof`] says whether a site still does what
//! its behaviours say: the one who pushes asks that, and every host again.

#![forbid(unsafe_code)]

pub mod admin;
pub mod agent;
pub mod client;
pub mod hub;
pub mod identity;
pub mod proof;
mod root;
pub mod site;
pub mod tls;

#[cfg(test)]
pub(crate) mod testing;
