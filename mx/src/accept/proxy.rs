//! The PROXY protocol, versions 1 and 2: whom a balancer speaks for.
//!
//! The header is read off the socket to its last octet and no further, so what the client says next is left
//! for the session. Whatever is no header ends the connection without a word: a banner would tell a stranger
//! that it found a port meant for balancers.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Whom a connection is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A client behind the balancer.
    Client(SocketAddr),
    /// The balancer itself, looking whether we are alive (`LOCAL`), or one who does not know (`UNKNOWN`).
    Balancer,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// The connection broke or ended first.
    #[error("the connection ended before a PROXY header: {0}")]
    Socket(#[from] io::Error),
    /// Something else came.
    #[error("no PROXY header")]
    Absent,
    /// Over 107 octets in version 1, or over [`MAX_V2`] in version 2.
    #[error("PROXY header is too long")]
    TooLong,
    /// It begins like one.
    #[error("malformed PROXY header")]
    Malformed,
    /// Version 2 can speak of datagrams and of unix sockets; neither brings mail.
    #[error("PROXY header is not about TCP")]
    NotTcp,
}

/// Of version 1, with its CR LF: what fits the longest addresses (proxy-protocol.txt §2.1).
const MAX_V1: usize = 107;
/// Of version 2: the signature, the kind, and the length of what follows.
const V2_FIXED: usize = 16;
/// Of version 2 after its fixed part: room for the largest sensible set of extensions.
const MAX_V2: usize = 4096;
/// What tells the versions apart: shorter than the shortest header of either.
const FIRST_LOOK: usize = v2::PROTOCOL_PREFIX.len();

/// Reads the header; the caller holds the clock.
pub(crate) async fn read_header(stream: &mut TcpStream) -> Result<From, ProxyError> {
    let mut header = vec![0; FIRST_LOOK];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        read_binary(stream, &mut header).await?;
        from_binary(&header)
    } else if header.starts_with(b"PROXY ") {
        read_line(stream, &mut header).await?;
        from_line(&header)
    } else {
        Err(ProxyError::Absent)
    }
}

/// proxy-protocol.txt §2.2: a fixed part that tells how long the rest is.
async fn read_binary(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyError> {
    header.resize(V2_FIXED, 0);
    stream.read_exact(&mut header[FIRST_LOOK..]).await?;
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if rest > MAX_V2 {
        return Err(ProxyError::TooLong);
    }
    header.resize(V2_FIXED + rest, 0);
    stream.read_exact(&mut header[V2_FIXED..]).await?;
    Ok(())
}

/// Looks before it reads: what stands after the line's end is not ours to take.
async fn read_line(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), ProxyError> {
    loop {
        let start = header.len();
        if start == MAX_V1 {
            return Err(ProxyError::TooLong);
        }
        header.resize(MAX_V1, 0);
        let seen = stream.peek(&mut header[start..]).await?;
        if seen == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let end = header[start..start + seen].iter().position(|octet| *octet == b'\n');
        header.truncate(start + end.map_or(seen, |end| end + 1));
        stream.read_exact(&mut header[start..]).await?;
        if end.is_some() {
            return Ok(());
        }
    }
}

fn from_line(line: &[u8]) -> Result<From, ProxyError> {
    let header = v1::Header::try_from(line).map_err(|_| ProxyError::Malformed)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(tcp) => client(tcp.source_address, tcp.source_port),
        v1::Addresses::Tcp6(tcp) => client(tcp.source_address, tcp.source_port),
        // §2.1: whatever follows UNKNOWN is ignored.
        v1::Addresses::Unknown => From::Balancer,
    })
}

fn from_binary(octets: &[u8]) -> Result<From, ProxyError> {
    let header = v2::Header::try_from(octets).map_err(|_| ProxyError::Malformed)?;
    match (header.command, header.protocol, header.addresses) {
        // §2.2: LOCAL's addresses mean nothing.
        (v2::Command::Local, ..) => Ok(From::Balancer),
        (_, v2::Protocol::Stream, v2::Addresses::IPv4(tcp)) => {
            Ok(client(tcp.source_address, tcp.source_port))
        }
        (_, v2::Protocol::Stream, v2::Addresses::IPv6(tcp)) => {
            Ok(client(tcp.source_address, tcp.source_port))
        }
        (_, v2::Protocol::Unspecified, v2::Addresses::Unspecified) => Ok(From::Balancer),
        _ => Err(ProxyError::NotTcp),
    }
}

fn client(address: impl Into<IpAddr>, port: u16) -> From {
    From::Client(SocketAddr::new(address.into().to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What is made of `sent`, and what is left for the session.
    async fn read(sent: &[u8]) -> (Result<From, ProxyError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut client, accepted) =
            tokio::try_join!(TcpStream::connect(address), listener.accept()).unwrap();
        let (mut server, _) = accepted;
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let header = read_header(&mut server).await;
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        (header, rest)
    }

    fn binary(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [v2::PROTOCOL_PREFIX, &[command, family], &length.to_be_bytes(), rest].concat()
    }

    const TCP4: [u8; 12] = [192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x34, 0, 25];

    #[tokio::test]
    async fn headers_are_taken_and_nothing_after_them() {
        let client = |text: &str| From::Client(text.parse().unwrap());
        let mapped =
            [[0_u8; 10].as_slice(), &[0xff, 0xff, 192, 0, 2, 7], &[0; 16], &[0x12, 0x34, 0, 25]].concat();
        let with_extension = [TCP4.as_slice(), &[4, 0, 1, 0]].concat();
        for (header, from) in [
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 4660 25\r\n".to_vec(), client("192.0.2.7:4660")),
            (b"PROXY TCP6 2001:db8::7 ::1 4660 25\r\n".to_vec(), client("[2001:db8::7]:4660")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4660 25\r\n".to_vec(), client("192.0.2.7:4660")),
            (b"PROXY UNKNOWN\r\n".to_vec(), From::Balancer),
            (b"PROXY UNKNOWN whatever it likes\r\n".to_vec(), From::Balancer),
            (binary(0x21, 0x11, 12, &TCP4), client("192.0.2.7:4660")),
            (binary(0x21, 0x11, 16, &with_extension), client("192.0.2.7:4660")),
            (binary(0x21, 0x21, 36, &mapped), client("192.0.2.7:4660")),
            (binary(0x20, 0x00, 0, &[]), From::Balancer),
            (binary(0x21, 0x00, 0, &[]), From::Balancer),
        ] {
            let sent = [header.as_slice(), b"EHLO a\r\n"].concat();
            let (found, rest) = read(&sent).await;
            assert_eq!(found.unwrap(), from, "{header:?}");
            assert_eq!(rest, b"EHLO a\r\n", "{header:?}");
        }
    }

    #[tokio::test]
    async fn t12_what_is_no_header_is_refused() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 100], b"\r\n"].concat();
        for (sent, error) in [
            (b"".to_vec(), "the connection ended before a PROXY header: early eof"),
            (b"PROXY".to_vec(), "the connection ended before a PROXY header: early eof"),
            (b"EHLO client.example\r\n".to_vec(), "no PROXY header"),
            (b"proxy TCP4 192.0.2.7 127.0.0.1 1 2\r\n".to_vec(), "no PROXY header"),
            (long, "PROXY header is too long"),
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 1 25\n".to_vec(), "malformed PROXY header"),
            (b"PROXY TCP4 192.0.2.256 127.0.0.1 1 25\r\n".to_vec(), "malformed PROXY header"),
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 1 65536\r\n".to_vec(), "malformed PROXY header"),
            (b"PROXY TCP5 192.0.2.7 127.0.0.1 1 25\r\n".to_vec(), "malformed PROXY header"),
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 1 25 x\r\n".to_vec(), "malformed PROXY header"),
            (binary(0x31, 0x11, 12, &TCP4), "malformed PROXY header"),
            (binary(0x21, 0x11, 11, &TCP4[..11]), "malformed PROXY header"),
            (binary(0x21, 0x11, 0xffff, &TCP4), "PROXY header is too long"),
            (binary(0x21, 0x11, 12, &TCP4[..4]), "the connection ended before a PROXY header: early eof"),
            (binary(0x21, 0x12, 12, &TCP4), "PROXY header is not about TCP"),
            (binary(0x21, 0x31, 216, &[0; 216]), "PROXY header is not about TCP"),
        ] {
            let (found, _) = read(&sent).await;
            assert_eq!(found.unwrap_err().to_string(), error, "{sent:?}");
        }
    }
}
