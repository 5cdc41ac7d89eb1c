//! Connections over loopback, by clients with and without certificates.

use axum::extract::Request;
use axum::routing::{get, post};
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

type Client = tokio_rustls::client::TlsStream<TcpStream>;
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

/// More than a connection holds on its way, after what was sent.
async fn long(body: String) -> String {
    body + &"x".repeat(LONG)
}

/// Hears nothing of what is sent.
async fn deaf() -> &'static str {
    "what?"
}

const LONG: usize = 8 << 20;

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
            routes: Router::new()
                .route("/who", get(who))
                .route("/long", post(long))
                .route("/deaf", post(deaf)),
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

    /// A client with this certificate, or without any, whose handshake went well; and the door's session.
    async fn client(
        &self,
        certificate: Option<(String, String)>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<(Client, tokio::task::JoinHandle<()>)> {
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
        Ok((TlsConnector::from(Arc::new(config)).connect(name, client).await?, session))
    }

    /// What the door answers to one with this certificate, or without any.
    async fn ask(
        &self,
        certificate: Option<(String, String)>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<String> {
        let (mut client, session) = self.client(certificate, version).await?;
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

/// The first line of each answer, and how long it is.
fn heads(octets: Vec<u8>) -> Vec<(String, usize)> {
    let (mut rest, mut answers) = (String::from_utf8(octets).unwrap(), Vec::new());
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.unwrap().parse().unwrap();
        answers.push((head.lines().next().unwrap().to_owned(), length));
        rest = body[length..].to_owned();
    }
    answers
}

#[tokio::test]
async fn requests_are_answered_one_after_another_however_they_come() {
    let bench = Bench::new();
    let mx1 = issued(&bench.authority, &[uri("spiffe://live/agent/mx1")]);
    let identity = "spiffe://live/agent/mx1".len();
    let ok = |length| ("HTTP/1.1 200 OK".to_owned(), length);
    let question = "GET /who HTTP/1.1\r\nHost: hub1\r\n\r\n";
    let last = "GET /who HTTP/1.1\r\nHost: hub1\r\nConnection: close\r\n\r\n";
    let brought = "POST /long HTTP/1.1\r\nHost: hub1\r\nContent-Length: 3\r\n\r\nabc";
    let pieces =
        "POST /long HTTP/1.1\r\nHost: hub1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let all = [question, brought, pieces, question, last].concat();
    let wanted = [ok(identity), ok(LONG + 3), ok(LONG + 2), ok(identity), ok(identity)];
    // At once, and in pieces that end anywhere.
    for piece in [all.len(), 61, 1] {
        let (mut client, session) = bench.client(Some(mx1.clone()), &TLS13).await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(&mut client);
        let mut octets = Vec::new();
        let write = async {
            for octets in all.as_bytes().chunks(piece) {
                writing.write_all(octets).await.unwrap();
                writing.flush().await.unwrap();
            }
        };
        let (read, ()) = tokio::join!(reading.read_to_end(&mut octets), write);
        read.unwrap();
        assert_eq!(heads(octets), wanted, "{piece}");
        session.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_left_of_a_request_that_nobody_read_is_no_request() {
    let bench = Bench::new();
    let mx1 = issued(&bench.authority, &[uri("spiffe://live/agent/mx1")]);
    let hidden = "GET /who HTTP/1.1\r\nHost: hub1\r\n\r\n";
    let (mut client, session) = bench.client(Some(mx1), &TLS13).await.unwrap();
    let head = format!("POST /deaf HTTP/1.1\r\nHost: hub1\r\nContent-Length: {}\r\n\r\n", hidden.len() * 2);
    client.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // It may have hung up already.
    let _sent = client.write_all(hidden.repeat(2).as_bytes()).await;
    let mut rest = Vec::new();
    let _ended = client.read_to_end(&mut rest).await;
    let rest = String::from_utf8(rest).unwrap();
    assert!(!rest.contains("HTTP/1.1") && !rest.contains("spiffe"), "{rest}");
    session.await.unwrap();
}
