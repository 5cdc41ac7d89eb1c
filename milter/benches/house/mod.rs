//! What the filter's benchmarks share: the real program with a key that a name server of ours shows it, and an MTA that
//! tells it messages.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program};
use std::thread;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use switchyard_milter_protocol::command::Command;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::event::{Client, Connect, Event, Field, Path as MailPath};
use switchyard_milter_protocol::frame::{self, LARGEST};
use switchyard_milter_protocol::negotiate::{Options, Steps};
use switchyard_milter_protocol::response::{Action, Response};
use tempfile::TempDir;

/// Octets of a message's body.
const OCTETS: usize = 4096;

/// The filter as a program of its own.
pub struct Filter {
    folder: TempDir,
    program: Child,
}

impl Filter {
    /// Starts it; it listens on a unix socket, and signs for example.org with this key.
    pub fn start() -> (Self, KeyPair) {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let dns = name_server(format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(&*public)));
        write_site(folder.path(), &key, dns);
        let program = Program::new(env!("CARGO_BIN_EXE_switchyard-milter"))
            .arg("--config")
            .arg(folder.path().join("milter.toml"))
            .spawn()
            .unwrap();
        let mut filter = Self { folder, program };
        while UnixStream::connect(filter.socket()).is_err() {
            assert!(filter.program.try_wait().unwrap().is_none(), "the filter ended");
            thread::yield_now();
        }
        (filter, key)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Its place among the processes.
    pub fn process(&self) -> PathBuf {
        Path::new("/proc").join(self.program.id().to_string())
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn write_site(folder: &Path, key: &KeyPair, dns: SocketAddr) {
    let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&*private));
    let place = folder.display();
    let settings = format!(
        "host_name = \"mx.example.org\"\nlisten.milter = [{{ socket = \"unix:{place}/socket\" }}]\n\
         metrics.socket = \"127.0.0.1:0\"\ndns.servers = [\"{dns}\"]\nlog.level = \"warn\"\n\
         maps = {{ folder = \"{place}\", signing_keys = \"keys\" }}\nsign.keys = \"{place}\"\n\
         limits.sessions = 2000\n"
    );
    for (name, text) in
        [("key.pem", pem), ("keys", "example.org test:key.pem\n".to_owned()), ("milter.toml", settings)]
    {
        let mut file =
            fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(folder.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// Answers every question for a text with this one, and no other with anything.
fn name_server(text: String) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((octets, from)) = socket.recv_from(&mut question) {
            socket.send_to(&answer(&question[..octets], &text), from).unwrap();
        }
    });
    address
}

/// RFC 1035 §4.1: the header, the question as it came, and one record under the question's name.
fn answer(question: &[u8], text: &str) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    let is_text = question[end - 4..end - 2] == [0, 16];
    let mut answer = question[..2].to_vec();
    answer.extend([0x84, 0, 0, 1, 0, u8::from(is_text), 0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    if is_text {
        let strings: Vec<u8> =
            text.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 14, 16]);
        answer.extend((strings.len() as u16).to_be_bytes());
        answer.extend(strings);
    }
    answer
}

// ---------------------------------------------------------------------------------------------------------

/// 4 KiB of lines.
pub fn body() -> Bytes {
    let line = "0123456789 abcdefghij 0123456789 abcdefghij 0123456789 abcdefghij 01234567\r\n";
    line.repeat(OCTETS / line.len()).into()
}

/// An MTA with a client on loopback, whose mail is ours.
pub struct Mta {
    stream: UnixStream,
    input: BytesMut,
    waits: bool,
}

impl Mta {
    /// One whose client has connected. It waits for no answer before the end of a message.
    pub fn connect(socket: &Path) -> Self {
        Self::offering(socket, Options::offer())
    }

    /// One that goes on only when the filter has read what it was told: a client, or all of a message but its end.
    #[allow(dead_code, reason = "one of the benchmarks wants to know")]
    pub fn waiting(socket: &Path) -> Self {
        let offer = Options::offer();
        let answered = Steps::NO_REPLY_CONNECT | Steps::NO_REPLY_BODY;
        Self::offering(socket, Options { steps: offer.steps.without(answered), ..offer })
    }

    fn offering(socket: &Path, offer: Options) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        let waits = !offer.steps.contains(Steps::NO_REPLY_BODY);
        let mut mta = Self { stream, input: BytesMut::new(), waits };
        mta.say(&[Command::Negotiate(offer)]);
        assert!(matches!(mta.hear(), Response::Negotiate(_)));
        let client = Client::Inet(SocketAddr::from(([127, 0, 0, 1], 2525)));
        mta.say(&[Command::Event(Event::Connect(Connect { host: "localhost".into(), client }))]);
        mta.wait();
        mta
    }

    /// A message up to its end, which is not told.
    pub fn begin(&mut self, body: &Bytes) {
        let field = |name: &'static str, value: &'static str| {
            Event::Header(Field { name: name.into(), value: value.into() })
        };
        let events = [
            Event::EnvFrom(MailPath::new("<ann@example.org>".to_owned())),
            Event::EnvRcpt(MailPath::new("<bob@example.net>".to_owned())),
            field("From", " Ann <ann@example.org>"),
            field("To", " bob@example.net"),
            field("Subject", " hello"),
            field("Date", " Fri, 11 Jul 2003 21:00:37 -0700"),
            field("Message-ID", " <1@example.org>"),
            Event::Eoh,
            Event::Body(body.clone()),
        ];
        self.say(&events.map(Command::Event));
        self.wait();
    }

    /// Its end, and whether the message was signed.
    pub fn end(&mut self) -> bool {
        self.say(&[Command::Event(Event::Eom(Bytes::new()))]);
        let mut is_signed = false;
        loop {
            match self.hear() {
                Response::Edit(Edit::InsHeader { field, .. }) => is_signed |= field.name == "DKIM-Signature",
                Response::Action(Action::Continue) => return is_signed,
                other => panic!("{other:?}"),
            }
        }
    }

    fn wait(&mut self) {
        if self.waits {
            assert_eq!(self.hear(), Response::Action(Action::Continue));
        }
    }

    fn say(&mut self, commands: &[Command]) {
        let mut output = BytesMut::new();
        commands.iter().for_each(|command| command.encode(&mut output));
        self.stream.write_all(&output).unwrap();
    }

    fn hear(&mut self) -> Response {
        loop {
            if let Some(frame) = frame::take(&mut self.input, LARGEST).unwrap() {
                return Response::decode(frame).unwrap();
            }
            let mut chunk = [0; 8192];
            let octets = self.stream.read(&mut chunk).unwrap();
            assert_ne!(octets, 0, "the filter hung up");
            self.input.extend_from_slice(&chunk[..octets]);
        }
    }
}
