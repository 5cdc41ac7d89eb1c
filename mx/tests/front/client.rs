//! A client that says what a test tells it to.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection to the front.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects, and hears the greeting.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address).await;
        assert_eq!(client.reply().await, "220 mx.example.org ESMTP Switchyard");
        client
    }

    /// Connects and hears nothing yet.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// The same with EHLO said.
    pub(crate) async fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        assert!(client.say("EHLO client.example").await.starts_with("250-mx.example.org"));
        client
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).await.unwrap();
    }

    /// The next reply, its lines parted by `\n`; empty when the connection has ended.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return reply;
            }
            reply.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// Says a line and hears the answer.
    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// MAIL and RCPT, all of which must be welcome.
    pub(crate) async fn envelope(&mut self, recipients: &[&str]) {
        assert_eq!(self.say("MAIL FROM:<from@client.example>").await, "250 2.1.0 Ok");
        for recipient in recipients {
            assert_eq!(self.say(&format!("RCPT TO:{recipient}")).await, "250 2.1.5 Ok");
        }
    }

    /// A whole message; what is said to its final dot.
    pub(crate) async fn mail(&mut self, recipients: &[&str], content: &str) -> String {
        self.envelope(recipients).await;
        self.data(content).await
    }

    /// DATA and the content.
    pub(crate) async fn data(&mut self, content: &str) -> String {
        let answer = self.say("DATA").await;
        if !answer.starts_with("354") {
            return answer;
        }
        self.send(content.as_bytes()).await;
        self.send(b".\r\n").await;
        self.reply().await
    }

    /// All that still comes, until the front closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ended = self.0.read_to_end(&mut rest).await;
        String::from_utf8(rest).unwrap()
    }
}
