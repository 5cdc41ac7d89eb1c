//! Many clients, slow clients, and clients that must not notice anything.

mod clock;
mod idle;
mod ledger;
mod limits;
mod reload;
mod restart;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use switchyard_tests::expect::PATIENCE;

pub(crate) use self::clock::faketime;

/// One client, one line at a time.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects, and reads nothing yet.
    fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, PATIENCE).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let reader = BufReader::with_capacity(512, stream.try_clone().expect("one more descriptor"));
        Self { stream, reader }
    }

    /// The next reply's last line; empty if the connection ended instead.
    fn reply(&mut self) -> String {
        let mut line = String::new();
        while self.reader.read_line(&mut line).is_ok_and(|octets| octets > 0)
            && line.as_bytes().get(3) == Some(&b'-')
        {
            line.clear();
        }
        line
    }

    /// Sends and reads the reply, which is to have this code.
    fn say(&mut self, text: &str, code: &str) -> String {
        self.stream.write_all(text.as_bytes()).expect("a server that listens");
        let reply = self.reply();
        assert!(reply.starts_with(code), "{text:?}: {reply:?}");
        reply
    }
}
