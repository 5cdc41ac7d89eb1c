//! STARTTLS, with certificates made on the spot, over loopback.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::Target;
use super::*;
use crate::io::tls_client::{Identity, TlsClient};
use crate::io::tls_server::Certificate;
use crate::testing::play_open;

/// An authority, a certificate of its making for `mx.example`, and one that nobody vouches for.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn make() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        made.write("authority", &params.self_signed(&authority_key).unwrap().pem());
        let authority = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let signed =
            rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).unwrap().signed_by(&key, &authority);
        made.write("signed", &signed.unwrap().pem());
        made.write("signed-key", &key.serialize_pem());
        let own = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
        made.write("own", &own.cert.pem());
        made.write("own-key", &own.signing_key.serialize_pem());
        made
    }

    fn write(&self, name: &str, text: &str) {
        File::create(self.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let (chain, key) = (self.path(name), self.path(&format!("{name}-key")));
        Certificate { chain, key, client_authorities: Some(self.path("authority")) }.load().unwrap()
    }
}

const IN_THE_CLEAR: &str = "C: STARTTLS\nS: 220 go\n";
const UNDER_TLS: &str = "C: EHLO c.example\nS: 250-mx.example\nS: 250 DSN\nC: QUIT\nS: 221 bye\n";

/// What came of STARTTLS: the connection's facts, and whether the server saw a certificate that it believes.
async fn upgrade(
    certificates: &Certificates,
    server: &str,
    client: &TlsClient,
    clear: &str,
) -> Result<(bool, bool), DialError> {
    upgrade_as("mx.example", certificates, server, client, clear).await
}

async fn upgrade_as(
    name: &str,
    certificates: &Certificates,
    server: &str,
    client: &TlsClient,
    clear: &str,
) -> Result<(bool, bool), DialError> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = certificates.server(server);
    let script = hello(Protocol::Smtp, "PIPELINING STARTTLS") + clear;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        play_open(&mut stream, &script).await;
        let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else { return false };
        let believed = stream.get_ref().1.peer_certificates().is_some();
        play(stream, UNDER_TLS).await;
        believed
    });
    let connection = Connection::connect(&Target::Tcp(address), &options(Protocol::Smtp)).await?;
    assert!(connection.extensions().pipelining && connection.tls().is_none());
    let connection = connection.starttls(client, name).await?;
    // RFC 3207 §4.2: what was offered in the clear is forgotten.
    assert!(connection.extensions().dsn && !connection.extensions().pipelining);
    assert_eq!(connection.peer_addr(), Some(address));
    let tls = connection.tls().unwrap().clone();
    assert!(tls.description.starts_with("TLSv1.3 with cipher TLS13_"), "{}", tls.description);
    connection.quit().await;
    Ok((tls.verified, peer.await.unwrap()))
}

#[tokio::test]
async fn v1_who_is_believed() {
    let certificates = Certificates::make();
    let any = TlsClient::unverified(None).unwrap();
    let verifying = TlsClient::verifying(&certificates.path("authority"), None).unwrap();
    assert!(verifying.verifies() && !any.verifies());
    assert_eq!(upgrade(&certificates, "own", &any, IN_THE_CLEAR).await.unwrap(), (false, false));
    assert_eq!(upgrade(&certificates, "signed", &verifying, IN_THE_CLEAR).await.unwrap(), (true, false));
    // Verification is on: the same client does not believe a certificate of nobody's.
    let error = upgrade(&certificates, "own", &verifying, IN_THE_CLEAR).await.unwrap_err();
    assert!(matches!(error, DialError::Tls(_)) && error.is_tls(), "{error}");
}

#[tokio::test]
async fn v1_the_name_must_be_the_peers() {
    let certificates = Certificates::make();
    let verifying = TlsClient::verifying(&certificates.path("authority"), None).unwrap();
    for (name, believed) in [("mx.example", true), ("other.example", false), ("192.0.2.1", false)] {
        let upgraded = upgrade_as(name, &certificates, "signed", &verifying, IN_THE_CLEAR).await;
        assert_eq!(upgraded.is_ok(), believed, "{name}");
    }
    // Nor is a certificate believed because somebody else's authority is.
    let others = TlsClient::verifying(&certificates.path("own"), None).unwrap();
    assert!(upgrade(&certificates, "signed", &others, IN_THE_CLEAR).await.is_err());
}

#[tokio::test]
async fn we_show_who_we_are() {
    let certificates = Certificates::make();
    let (chain, key) = (certificates.path("signed"), certificates.path("signed-key"));
    let client = TlsClient::unverified(Some(Identity { chain: &chain, key: &key })).unwrap();
    assert_eq!(upgrade(&certificates, "own", &client, IN_THE_CLEAR).await.unwrap(), (false, true));
    let unfit = Identity { chain: &chain, key: &certificates.path("own-key") };
    assert!(TlsClient::unverified(Some(unfit)).is_err());
    assert!(TlsClient::verifying(Path::new("/nowhere"), None).is_err());
}

#[tokio::test]
async fn t2_words_in_the_clear_behind_the_220() {
    let certificates = Certificates::make();
    let client = TlsClient::unverified(None).unwrap();
    let injected = "C: STARTTLS\nS: 220 ok\nS: 250-X\nS: 250 AUTH PLAIN\n";
    let error = upgrade(&certificates, "own", &client, injected).await.unwrap_err();
    assert!(error.is_tls(), "{error}");
    assert_eq!(error.reply().status.unwrap().to_string(), "4.7.5");
    let refused = "C: STARTTLS\nS: 454 4.7.0 not now\n";
    let error = upgrade(&certificates, "own", &client, refused).await.unwrap_err();
    assert_eq!((error.is_tls(), error.reply().to_string().as_str()), (true, "454 4.7.0 not now"));
}
