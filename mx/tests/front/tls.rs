//! TLS on both sides: what a client may ask for, and what a router is owed.

use std::path::PathBuf;
use std::sync::Arc;

use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::client::{Delivery, Transfer};
use switchyard_smtp::envelope::{Content, Recipient, Sender};
use switchyard_smtp::io::dial::{Connection, DialOptions, Target};
use switchyard_smtp::io::tls_client::TlsClient;
use switchyard_smtp::io::tls_server::Certificate;
use tempfile::TempDir;

use crate::client::Client;
use crate::router::FakeRouter;
use crate::site::{Front, write};

/// An authority, a certificate of its making for 127.0.0.1, and an authority that made nothing.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = |name: &str| {
            let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = rcgen::KeyPair::generate().unwrap();
            write(&folder, name, &params.self_signed(&key).unwrap().pem());
            rcgen::Issuer::new(params, key)
        };
        let _stranger = authority("stranger");
        let issuer = authority("authority");
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        write(&folder, "chain", &params.signed_by(&key, &issuer).unwrap().pem());
        write(&folder, "key", &key.serialize_pem());
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn server(&self) -> Arc<rustls::ServerConfig> {
        let (chain, key) = (self.path("chain"), self.path("key"));
        Certificate { chain, key, client_authorities: None }.load().unwrap()
    }
}

#[tokio::test]
async fn a_client_may_use_tls() {
    let (router, certificates) = (FakeRouter::start().await, Certificates::make());
    let (chain, key) = (certificates.path("chain"), certificates.path("key"));
    let tls = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", chain.display(), key.display());
    let front = Front::start(&[router.address], &tls).await;
    let target = Target::Tcp(front.address());
    let connection = Connection::connect(&target, &DialOptions::new("client.example")).await.unwrap();
    let verifying = TlsClient::verifying(&certificates.path("authority"), None).unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let mut connection = connection.starttls(&verifying, name).await.unwrap();
    let sender = Sender::new(ReversePath::Null);
    let recipient = Recipient::new(ForwardPath::parse("<alice@example.org>").unwrap());
    let content = Content::from_wire("Subject: x\r\n\r\n".into());
    let delivery = Delivery {
        sender: &sender,
        recipients: &[&recipient],
        content: &content,
        forwarded: None,
        transfer: Transfer::Data,
    };
    assert!(connection.deliver(&delivery).await.is_accepted_for_all());
    let text = router.taken()[0].text();
    assert!(text.contains("with ESMTPS id ") && text.contains("\t(using TLSv1.3 with cipher "), "{text}");
}

#[tokio::test]
async fn a_router_gets_the_tls_that_it_is_owed() {
    let certificates = Certificates::make();
    let (with, without) = (FakeRouter::with_tls(certificates.server()).await, FakeRouter::start().await);
    let verify = |name: &str| format!("tls = \"verify\"\nca = \"{}\"", certificates.path(name).display());
    for (router, tls, taken_under_tls) in [
        (&with, "tls = \"none\"".into(), Some(false)),
        (&with, "tls = \"may\"".into(), Some(true)),
        (&with, "tls = \"encrypt\"".into(), Some(true)),
        (&with, verify("authority"), Some(true)),
        (&with, verify("stranger"), None),
        (&without, "tls = \"may\"".into(), Some(false)),
        (&without, "tls = \"encrypt\"".into(), None),
        (&without, verify("authority"), None),
    ] {
        let before = router.taken().len();
        let front = Front::start(&[router.address], &format!("[routers]\n{tls}\n")).await;
        let mut client = Client::greeted(front.address()).await;
        let reply = client.mail(&["<alice@example.org>"], "x\r\n").await;
        let under_tls = router.taken()[before..].first().map(|taken| taken.tls);
        assert_eq!(under_tls, taken_under_tls, "{tls}: {reply}");
        assert!(reply.starts_with(if under_tls.is_some() { "250 " } else { "451 4.4.1 " }), "{tls}: {reply}");
    }
}
