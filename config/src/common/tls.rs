//! Certificates of ours and trust in others', as files; reading them is the daemon's business.

use std::path::PathBuf;

pub use switchyard_smtp::io::tls_client::TlsLevel;
pub use switchyard_smtp::io::tls_server::Certificate;

use crate::reader::Section;
use crate::words::Choice;

/// TLS where we are the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// How much of it is asked for.
    pub level: TlsLevel,
    /// PEM: whom to trust; there is one when the level is [`TlsLevel::Verify`].
    pub ca: Option<PathBuf>,
    /// PEM: what to prove ourselves with, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Choice for TlsLevel {
    const KIND: &'static str = "TLS level";
    const NAMES: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("may", Self::May), ("encrypt", Self::Encrypt), ("verify", Self::Verify)];
}

pub(super) fn server_tls(section: &mut Section<'_>) -> Option<Certificate> {
    let certificate: Option<PathBuf> = section
        .live("certificate", "PEM file: our certificate and its chain; without it no STARTTLS.")
        .optional();
    let key: Option<PathBuf> = section.live("key", "PEM file: the certificate's key.").optional();
    let client_authorities: Option<PathBuf> =
        section.live("client_ca", "PEM file: authorities whose clients are known by certificate.").optional();
    pair(section, certificate.is_some(), key.is_some());
    if client_authorities.is_some() && certificate.is_none() {
        section.fault(&["client_ca"], "`client_ca` needs `certificate` and `key` beside it");
    }
    Some(Certificate { chain: certificate?, key: key?, client_authorities })
}

/// Declares the keys `tls`, `ca`, `certificate` and `key` of a table about hosts we connect to.
pub(crate) fn client_tls(section: &mut Section<'_>, level: TlsLevel) -> ClientTls {
    let level = section
        .live(
            "tls",
            "TLS to these hosts: never, when offered, always, or always with a verified certificate.",
        )
        .or(level);
    let ca: Option<PathBuf> =
        section.live("ca", "PEM file: authorities to trust; needed by `verify`.").optional();
    let certificate: Option<PathBuf> = section
        .live("certificate", "PEM file: our certificate towards these hosts, for mutual TLS.")
        .optional();
    let key: Option<PathBuf> = section.live("key", "PEM file: that certificate's key.").optional();
    pair(section, certificate.is_some(), key.is_some());
    if level == TlsLevel::Verify && ca.is_none() && !section.has("ca") {
        section.fault(&["tls"], "`tls = \"verify\"` needs `ca`: a PEM file with the authorities to trust");
    }
    ClientTls { level, ca, certificate: certificate.zip(key) }
}

/// A certificate goes with its key.
pub(crate) fn pair(section: &Section<'_>, certificate: bool, key: bool) {
    match (certificate, key) {
        (true, false) if !section.has("key") => {
            section.fault(&["certificate"], "`certificate` needs `key` beside it");
        }
        (false, true) if !section.has("certificate") => {
            section.fault(&["key"], "`key` needs `certificate` beside it");
        }
        _ => {}
    }
}
