//! The server's half of TLS: certificates from PEM files, TLS 1.2 at least.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::server::Drained;

/// Where a server's certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, PEM, our own certificate first.
    pub chain: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Authorities whose clients are who their certificates say; none asks for no certificate.
    pub client_authorities: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file that can't be read as PEM.
    #[error("{}: {}", path.display(), unread(error))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A file without any certificate.
    #[error("{}: holds no certificate", .0.display())]
    Empty(PathBuf),
    /// The certificate and the key don't fit, or an authority is no authority.
    #[error("{}: {error}", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

impl Certificate {
    /// Reads the files. Each call makes a configuration whose session tickets are good for it alone, so that
    /// what one listener verified is never resumed at another.
    ///
    /// # Errors
    /// When a file is missing, is not PEM, or the key belongs to another certificate.
    pub fn load(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let chain = read_certificates(&self.chain)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| CertificateError::File { path: self.key.clone(), error })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let refused = |path: &Path, error: &dyn std::fmt::Display| CertificateError::Refused {
            path: path.into(),
            error: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            // RFC 8996: nothing below TLS 1.2.
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| refused(&self.chain, &error))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(read_authorities(path)?), provider)
                        // Who shows no certificate may still send mail to us, as any host may.
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| refused(path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(chain, key).map_err(|error| refused(&self.key, &error))?;
        Ok(Arc::new(config))
    }
}

/// Reads a PEM file of certificates.
///
/// # Errors
/// When it can't be read or holds none.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(CertificateError::Empty(path.into())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(CertificateError::File { path: path.into(), error }),
    }
}

/// Why a file gives no PEM. A key that another program of the host uses, too, is seldom for our user's eyes.
fn unread(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("this daemon's own user may not read it: {error}")
        }
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        error => error.to_string(),
    }
}

/// Reads a PEM file of authorities.
///
/// # Errors
/// When it can't be read, holds none, or one of them is no certificate.
pub fn read_authorities(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| CertificateError::Refused { path: path.into(), error: error.to_string() })?;
    }
    Ok(roots)
}

/// What a handshake ended with.
#[derive(Debug)]
pub struct Upgraded {
    /// The stream from here on.
    pub stream: Box<TlsStream<TcpStream>>,
    /// Version and cipher, for the trace field and the log.
    pub description: Box<str>,
    /// The client showed a certificate that our authorities vouch for.
    pub verified: bool,
}

/// Does the server's handshake.
///
/// # Errors
/// When the handshake fails.
pub async fn accept(stream: TcpStream, config: Arc<ServerConfig>, _drained: Drained) -> io::Result<Upgraded> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let connection = stream.get_ref().1;
    let description = describe(connection.protocol_version(), connection.negotiated_cipher_suite());
    let verified = connection.peer_certificates().is_some();
    Ok(Upgraded { stream: Box::new(TlsStream::Server(stream)), description, verified })
}

/// `TLSv1.3 with cipher TLS13_AES_256_GCM_SHA384`.
#[must_use]
pub fn describe(
    version: Option<rustls::ProtocolVersion>,
    cipher: Option<rustls::SupportedCipherSuite>,
) -> Box<str> {
    let version = match version {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let cipher = cipher.map_or_else(|| "unknown".to_owned(), |cipher| format!("{:?}", cipher.suite()));
    format!("{version} with cipher {cipher}").into()
}
