//! A client that says what a scenario tells it to, line by line, and hands over each whole reply.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::expect;

/// A reply: its code, and its text with one line per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// Everything behind them.
    pub text: String,
}

impl Reply {
    /// Whether it has this code and begins so.
    #[must_use]
    pub fn is(&self, code: u16, text: &str) -> bool {
        self.code == code && self.text.starts_with(text)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    /// Connects, and hears the greeting.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, expect::PATIENCE).expect("a server");
        stream.set_read_timeout(Some(expect::PATIENCE)).expect("a socket with a time limit");
        stream.set_nodelay(true).expect("a socket without delay");
        let mut talk = Self { stream: BufReader::new(stream) };
        let greeting = talk.reply();
        assert_eq!(greeting.code, 220, "{greeting:?}");
        talk
    }

    /// [`Self::open`], and EHLO.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn hello(server: SocketAddr) -> Self {
        let mut talk = Self::open(server);
        let reply = talk.say("EHLO client.example");
        assert_eq!(reply.code, 250, "{reply:?}");
        talk
    }

    /// Sends a line, and hears the reply.
    pub fn say(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// Sends octets as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).expect("a connection that stands");
    }

    /// One whole message with these parameters; hands over the last reply.
    ///
    /// # Panics
    /// When a command before the content is refused.
    pub fn mail(&mut self, from: &str, to: &[&str], content: &str) -> Reply {
        let reply = self.say(&format!("MAIL FROM:{from}"));
        assert_eq!(reply.code, 250, "{reply:?}");
        for recipient in to {
            let reply = self.say(&format!("RCPT TO:{recipient}"));
            assert_eq!(reply.code, 250, "{reply:?}");
        }
        let reply = self.say("DATA");
        assert_eq!(reply.code, 354, "{reply:?}");
        self.say(&format!("{content}."))
    }

    /// The next reply.
    ///
    /// # Panics
    /// When it is none.
    pub fn reply(&mut self) -> Reply {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("a line in time");
            let (code, rest) = line.split_at_checked(3).unwrap_or_else(|| panic!("no reply: {line:?}"));
            text.push_str(rest.get(1..).unwrap_or_default().trim_end());
            if !rest.starts_with('-') {
                let code = code.parse().unwrap_or_else(|_| panic!("no reply: {line:?}"));
                return Reply { code, text };
            }
            text.push('\n');
        }
    }

    /// What else comes until the server closes.
    ///
    /// # Panics
    /// When it does not close.
    #[must_use]
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("not closed: {error}")
            }
            Ok(_) | Err(_) => rest,
        }
    }
}
