//! A filter inside TLS: told when its certificate is believed, and not otherwise.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::negotiate::Steps;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[tokio::test]
async fn a_filter_inside_tls_is_told_if_it_is_the_one() {
    let made = rcgen::generate_simple_self_signed(vec!["filter.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Box<str> = listener.local_addr().unwrap().to_string().into();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let served = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(socket).await else { continue };
            house::talk(Box::new(stream), Steps::LEADING_SPACE, Fault::None, Arc::default()).await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for (name, verdict) in [("filter.example", Verdict::GoOn), ("other.example", Verdict::Tempfail)] {
        let name = ServerName::try_from(name).unwrap();
        let place = Endpoint::Tls { address: address.clone(), name, config: config.clone() };
        let metrics = ClientMetrics::register(&Registry::new()).unwrap();
        let pool = Arc::new(Pool::new(FilterOptions::new("tls", vec![place]), metrics));
        let mut session = Session::new(pool);
        let outcome = send(&mut session).await;
        assert_eq!(outcome.verdict, verdict);
        session.close();
    }
    served.abort();
}
