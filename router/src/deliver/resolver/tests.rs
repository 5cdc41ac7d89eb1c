//! Answers from who was not asked, or to what was not asked.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::*;

const TRUE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FORGED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// A question as it came, taken apart (RFC 1035 §4.1).
struct Question {
    id: u16,
    /// Name, kind and class.
    octets: Vec<u8>,
}

impl Question {
    fn read(message: &[u8]) -> Self {
        let mut end = 12;
        while message[end] != 0 {
            end += usize::from(message[end]) + 1;
        }
        let id = u16::from_be_bytes([message[0], message[1]]);
        Self { id, octets: message[12..end + 5].to_vec() }
    }

    fn is_of_ipv4(&self) -> bool {
        self.octets[self.octets.len() - 4..] == [0, 1, 0, 1]
    }

    /// An answer with this address, or with none.
    fn answer(&self, address: Option<Ipv4Addr>) -> Vec<u8> {
        let mut message = self.id.to_be_bytes().to_vec();
        message.extend([0x81, 0x80, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
        message.extend(&self.octets);
        if let Some(address) = address {
            // The name in the question, A, IN, a minute.
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            message.extend(address.octets());
        }
        message
    }
}

/// A server whose every answer comes behind three forged ones.
async fn beset() -> SocketAddr {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = server.recv_from(&mut buffer).await {
            let asked = Question::read(&buffer[..length]);
            let of_other_id = Question { id: asked.id ^ 1, octets: asked.octets.clone() };
            let mut of_other_name = Question { id: asked.id, octets: asked.octets.clone() };
            // The first letter of the name: another, and not only its case.
            of_other_name.octets[1] = if asked.octets[1].eq_ignore_ascii_case(&b'z') { b'y' } else { b'z' };
            stranger.send_to(&asked.answer(Some(FORGED)), from).await.unwrap();
            for forged in [of_other_id, of_other_name] {
                server.send_to(&forged.answer(Some(FORGED)), from).await.unwrap();
            }
            server.send_to(&asked.answer(asked.is_of_ipv4().then_some(TRUE)), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn d6_an_answer_from_another_port_under_another_id_or_to_another_question_is_not_believed() {
    let options = ResolverOptions { servers: vec![beset().await], ..ResolverOptions::default() };
    let resolver = Resolver::new(&options).unwrap();
    let found = resolver.addresses(&Domain::parse("mx.example").unwrap()).await;
    assert_eq!(found, Ok(vec![IpAddr::V4(TRUE)]));
    // Nor was anything remembered of what was said beside it.
    let beside = resolver.addresses(&Domain::parse("zx.example").unwrap()).await;
    assert_eq!(beside, Ok(vec![IpAddr::V4(TRUE)]));
}
