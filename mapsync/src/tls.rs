//! Mutual TLS, version 1.3 and nothing older: both sides of a connection show a certificate of an authority that
//! the other side knows.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ServerConfig};
use switchyard_smtp::io::tls_server::{CertificateError, read_authorities, read_certificates};

/// Where the certificates stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutualTls {
    /// Our chain, PEM, our own certificate first.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// The authorities of the other side, PEM.
    pub authorities: PathBuf,
}

impl MutualTls {
    /// Reads the files for the side that is connected to.
    ///
    /// # Errors
    /// When a file is missing, is not PEM, or the key belongs to another certificate.
    pub fn server(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let Self { certificate, key, authorities } = self;
        let chain = read_certificates(certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| CertificateError::File { path: key.clone(), error })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(read_authorities(authorities)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| refused(authorities, &error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| refused(certificate, &error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, secret)
            .map_err(|error| refused(key, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files for the side that connects. The name that it dials must stand in the other's certificate.
    ///
    /// # Errors
    /// As [`Self::server`].
    pub fn client(&self) -> Result<Arc<ClientConfig>, CertificateError> {
        let Self { certificate, key, authorities } = self;
        let chain = read_certificates(certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| CertificateError::File { path: key.clone(), error })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| refused(certificate, &error))?
            .with_root_certificates(read_authorities(authorities)?)
            .with_client_auth_cert(chain, secret)
            .map_err(|error| refused(key, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn refused(path: &Path, error: &dyn Display) -> CertificateError {
    CertificateError::Refused { path: path.to_owned(), error: error.to_string() }
}
