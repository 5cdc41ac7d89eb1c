//! Test certificates, made on the spot: an authority of this site's own, and a certificate by it for every
//! host. They are worth nothing anywhere else.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// The files that were made, or were there already.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    /// The authority's certificate.
    pub(crate) authority: PathBuf,
    /// The hosts' certificate.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificatesError {
    /// The folder can't be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The names make no certificate.
    #[error("test certificates: {0}")]
    Made(#[from] rcgen::Error),
}

impl Certificates {
    /// Makes them for these host names, unless the folder has them.
    pub(crate) fn provide(folder: &Path, names: &[&str]) -> Result<Self, CertificatesError> {
        let files = Self {
            authority: folder.join("authority.pem"),
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        if files.authority.exists() && files.certificate.exists() && files.key.exists() {
            return Ok(files);
        }
        fs::create_dir_all(folder).map_err(|error| CertificatesError::Io { path: folder.into(), error })?;
        let authority = authority()?;
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "switchyard test host");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        write(&files.authority, &authority.pem())?;
        write(&files.certificate, &certificate.pem())?;
        write_secret(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "switchyard test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn write(path: &Path, text: &str) -> Result<(), CertificatesError> {
    let written =
        fs::File::create(path).and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| CertificatesError::Io { path: path.into(), error })
}

fn write_secret(path: &Path, text: &str) -> Result<(), CertificatesError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| CertificatesError::Io { path: path.into(), error })
}
