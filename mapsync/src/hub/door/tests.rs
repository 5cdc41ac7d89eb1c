//! Connections over loopback, by clients with and without certificates.

use axum::extract::Request;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use switchyard_daemon::metrics::Registry;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::MutualTls;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate by this authority, and its key, as PEM.
fn issued(by: &Issuer, names: &[SanType]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = names.to_vec();
    (parameters.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

/// Says who asks.
async fn who(request: Request) -> String {
    match request.extensions().get::<Caller>().unwrap().as_ref() {
        Ok(identities) => identities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    }
}

/// A door on loopback, and who vouches for those who come.
struct Bench {
    door: Arc<Door>,
    authority: Issuer,
    metrics: Metrics,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
        let name = SanType::DnsName("hub1.example.org".try_into().unwrap());
        let (certificate, key) = issued(&authority, &[name]);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text.as_bytes()).unwrap();
            path
        };
        let tls = MutualTls {
            certificate: write("hub.pem", &certificate),
            key: write("hub.key", &key),
            authorities: write("authority.pem", &authority.pem()),
        };
        let metrics = Metrics::register(&Registry::new()).unwrap();
        let door = Door {
            tls: tls.server().unwrap(),
            routes: Router::new().route("/who", get(who)),
            handshakes: Arc::new(Semaphore::new(1)),
            metrics: metrics.clone(),
            drain: Drain::new(),
        };
        Self { door: Arc::new(door), authority, metrics, _folder: folder }
    }

    /// Two ends of a connection: the client's, and the door's session.
    async fn connect(&self) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        (client, tokio::spawn(Arc::clone(&self.door).serve(stream, peer)))
    }

    /// What the door answers to one with this certificate, or without any.
    async fn ask(
        &self,
        certificate: Option<(String, String)>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let (client, session) = self.connect().await;
        let name = ServerName::try_from("hub1.example.org").unwrap();
        let mut client = TlsConnector::from(Arc::new(config)).connect(name, client).await?;
        client.write_all(b"GET /who HTTP/1.1\r\nHost: hub1\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        session.await.unwrap();
        Ok(answer)
    }
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[tokio::test]
async fn y8_who_connects_shows_a_certificate_of_the_authority_by_tls_1_3() {
    let bench = Bench::new();
    let mx1 = issued(&bench.authority, &[uri("spiffe://live/agent/mx1")]);
    let answer = bench.ask(Some(mx1.clone()), &TLS13).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nspiffe://live/agent/mx1"), "{answer}");
    // A certificate without an identity comes in to hear why it may nothing.
    let plain = issued(&bench.authority, &[SanType::DnsName("mx1.example.org".try_into().unwrap())]);
    assert!(bench.ask(Some(plain), &TLS13).await.unwrap().contains("names 0 identities"));
    assert_eq!(bench.metrics.handshakes.get(), 0);

    assert!(bench.ask(None, &TLS13).await.is_err());
    let other = issued(&authority(), &[uri("spiffe://live/admin/eve")]);
    assert!(bench.ask(Some(other), &TLS13).await.is_err());
    assert!(bench.ask(Some(mx1), &TLS12).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn y10_who_does_not_finish_the_handshake_is_put_out() {
    let bench = Bench::new();
    let ((mut first, one), (mut second, other)) = (bench.connect().await, bench.connect().await);
    first.write_all(&[22, 3, 1]).await.unwrap();
    // The one has the only place and the other waits for it: both for as long as may be, and no longer.
    let (one, other) = tokio::join!(one, other);
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(bench.metrics.handshakes.get(), 2);
    for client in [&mut first, &mut second] {
        assert_eq!(client.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}
