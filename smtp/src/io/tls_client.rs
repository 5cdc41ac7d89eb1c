//! The client's half of TLS: how much of it a next hop is owed, and the configurations for that. TLS 1.2 at least.
//!
//! Each [`TlsClient`] keeps its sessions for resumption to itself, so that a session which nobody verified is
//! never resumed where verification is asked for.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::tls_server::{CertificateError, Upgraded, describe, read_authorities, read_certificates};
use crate::server::Drained;

/// How much TLS a next hop is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsLevel {
    /// Never.
    None,
    /// Where it is offered, with any certificate: better than none against those who only listen (RFC 7435).
    #[default]
    May,
    /// Always, with any certificate.
    Encrypt,
    /// Always, with a certificate for the host's name from an authority that we trust.
    Verify,
}

/// Our own certificate, for peers that ask who we are.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The chain, PEM, our own certificate first.
    pub chain: &'a Path,
    /// Its private key, PEM.
    pub key: &'a Path,
}

/// One way to do the client's handshake, shared by all connections that do it so.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    verifies: bool,
}

impl TlsClient {
    /// For [`TlsLevel::May`] and [`TlsLevel::Encrypt`]: takes any certificate.
    ///
    /// # Errors
    /// When the identity's files are missing, are not PEM, or don't fit.
    pub fn unverified(identity: Option<Identity<'_>>) -> Result<Self, CertificateError> {
        let provider = provider();
        let verifier = Arc::new(AnyCertificate(provider.clone()));
        Self::build(provider, verifier, identity, false)
    }

    /// For [`TlsLevel::Verify`]: the certificate must be for the name at hand and come from one of the authorities
    /// in the PEM file `authorities`.
    ///
    /// # Errors
    /// When a file is missing, is not PEM, holds no authority, or the identity does not fit.
    pub fn verifying(authorities: &Path, identity: Option<Identity<'_>>) -> Result<Self, CertificateError> {
        let provider = provider();
        let roots = Arc::new(read_authorities(authorities)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| refused(authorities, &error))?;
        Self::build(provider, verifier, identity, true)
    }

    fn build(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
        identity: Option<Identity<'_>>,
        verifies: bool,
    ) -> Result<Self, CertificateError> {
        let nowhere = Path::new("TLS");
        let builder = ClientConfig::builder_with_provider(provider)
            // RFC 8996: nothing below TLS 1.2.
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| refused(nowhere, &error))?
            // Not by itself dangerous: both verifiers that come here say what they do.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                let certificates = read_certificates(chain)?;
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| CertificateError::File { path: key.into(), error })?;
                builder.with_client_auth_cert(certificates, private).map_err(|error| refused(key, &error))?
            }
        };
        Ok(Self { config: Arc::new(config), verifies })
    }

    /// For whoever does the handshake without words of SMTP before it.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// True when peers are who they say, or the handshake fails.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.verifies
    }

    /// Does the client's handshake. `_drained` proves that nothing of the talk before it is left.
    ///
    /// # Errors
    /// When the handshake fails, a certificate that is not believed among the reasons.
    pub async fn connect(
        &self,
        stream: TcpStream,
        name: ServerName<'static>,
        _drained: Drained,
    ) -> io::Result<Upgraded> {
        let stream = TlsConnector::from(self.config.clone()).connect(name, stream).await?;
        let connection = stream.get_ref().1;
        let description = describe(connection.protocol_version(), connection.negotiated_cipher_suite());
        Ok(Upgraded { stream: Box::new(TlsStream::Client(stream)), description, verified: self.verifies })
    }
}

/// Handed in rather than installed for the process: two configurations never depend on which came first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn refused(path: &Path, error: &dyn std::fmt::Display) -> CertificateError {
    CertificateError::Refused { path: path.into(), error: error.to_string() }
}

/// Takes any certificate at all: expired, self-signed, for another name, of a form that webpki can't read.
///
/// For opportunistic TLS only (RFC 7435), where the other choice is no TLS: a check that anybody in the middle
/// can make us skip, by not offering STARTTLS, keeps nobody out and only drives mail back into the clear. The
/// handshake's signature is not checked either, for it is made with the key of a certificate that nobody vouches
/// for.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
