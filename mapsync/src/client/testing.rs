//! A server that says what a test tells it to, and certificates for both sides.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use switchyard_mapsync_protocol::Environment;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::Hub;
use crate::tls::MutualTls;

pub(crate) struct World {
    pub(super) folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let world = Self { folder, authority };
        world.write("authority.pem", &world.authority.pem());
        world
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        File::create(self.folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Somebody with a certificate by the authority.
    pub(super) fn tls(&self, identity: &str) -> MutualTls {
        let mut parameters = CertificateParams::default();
        let uris = identity.split(' ').map(|uri| SanType::URI(uri.try_into().unwrap()));
        parameters.subject_alt_names = uris.chain([SanType::IpAddress([127, 0, 0, 1].into())]).collect();
        let key = KeyPair::generate().unwrap();
        let name = identity.replace(['/', ' '], "_");
        self.write(&format!("{name}.pem"), &parameters.signed_by(&key, &self.authority).unwrap().pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
        let file = |name: &str| self.folder.path().join(name);
        let (certificate, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
        MutualTls { certificate, key, authorities: file("authority.pem") }
    }

    pub(crate) fn client(&self, address: SocketAddr) -> Hub {
        let tls = self.tls("spiffe://live/agent/mx1").client().unwrap();
        Hub::new(address.to_string(), Environment::try_from("live".to_owned()).unwrap(), tls)
    }

    /// A server that is busy for the first connection, and takes what comes over the second.
    pub(super) async fn busy_server(&self) -> SocketAddr {
        let acceptor = TlsAcceptor::from(self.tls(HUB).server().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let busy = "503 Service Unavailable\r\nretry-after: 0";
        drop(tokio::spawn(async move {
            for status in [busy, "201 Created"] {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut asked = Vec::new();
                while !asked.ends_with(b"right") {
                    assert!(stream.read_buf(&mut asked).await.unwrap() > 0, "the whole file");
                }
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }));
        address
    }

    /// A server that answers every question with this, and gives all that it was asked in the end.
    pub(super) async fn server(&self, identity: &str, answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
        self.server_of(identity, vec![answer]).await
    }

    /// The same with an answer for each question, the last one for all that come after.
    pub(crate) async fn server_of(
        &self,
        identity: &str,
        answers: Vec<Vec<u8>>,
    ) -> (SocketAddr, JoinHandle<String>) {
        let acceptor = TlsAcceptor::from(self.tls(identity).server().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return String::new() };
            let (mut asked, mut piece) = (Vec::new(), [0; 1024]);
            let mut left = answers.iter();
            let mut answer = left.next().unwrap();
            // It ends when the client hangs up.
            while let Ok(read @ 1..) = stream.read(&mut piece).await {
                asked.extend_from_slice(&piece[..read]);
                let is_asked = piece[..read].windows(4).any(|end| end == b"\r\n\r\n");
                if is_asked {
                    if stream.write_all(answer).await.is_err() {
                        break;
                    }
                    answer = left.next().unwrap_or(answer);
                }
            }
            String::from_utf8(asked).unwrap()
        };
        (address, tokio::spawn(serve))
    }
}

pub(crate) const HUB: &str = "spiffe://live/hub/hub1";

pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\netag: \"7\"\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
