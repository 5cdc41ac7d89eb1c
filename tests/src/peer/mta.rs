//! An MTA, as a filter sees one: tells the events of a message over the wire, and hears the answer.
//!
//! It says what it was asked to say and waits where an answer is due, by what was agreed.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};

use bytes::{Bytes, BytesMut};
use switchyard_milter_protocol::command::Command;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::event::{Client, Connect, Event, Field, Path};
use switchyard_milter_protocol::frame::{self, LARGEST};
use switchyard_milter_protocol::macros::Defined;
use switchyard_milter_protocol::negotiate::{Agreed, Options, Steps};
use switchyard_milter_protocol::response::{Action, Response};
use switchyard_milter_protocol::stage::Stage;

use crate::expect;

/// A connection to a filter.
#[derive(Debug)]
pub struct Mta {
    stream: TcpStream,
    input: BytesMut,
    agreed: Agreed,
}

/// Who sends what.
#[derive(Debug, Clone)]
pub struct Mail<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// What it calls itself.
    pub hello: &'a str,
    /// Without brackets.
    pub sender: &'a str,
    /// Without brackets.
    pub recipient: &'a str,
    /// Header, empty line and body, lines ending in LF or CR LF.
    pub message: &'a str,
}

/// What a filter said at the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The changes.
    pub edits: Vec<Edit>,
    /// The action.
    pub action: Action,
}

impl Heard {
    /// The values of the fields put on top that have this name.
    #[must_use]
    pub fn added(&self, name: &str) -> Vec<String> {
        let value = |edit: &Edit| match edit {
            Edit::InsHeader { field, .. } if field.name.eq_ignore_ascii_case(name.as_bytes()) => {
                Some(String::from_utf8_lossy(&field.value).into_owned())
            }
            _ => None,
        };
        self.edits.iter().filter_map(value).collect()
    }
}

impl Mta {
    /// Connects, and agrees with the filter on everything it wants.
    ///
    /// # Panics
    /// When there is none, or it wants what nobody offered.
    #[must_use]
    pub fn connect(filter: SocketAddr) -> Self {
        let stream = TcpStream::connect(filter).expect("a filter");
        stream.set_read_timeout(Some(expect::PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("an option");
        let offer = Options::offer();
        let agreed =
            Agreed { version: offer.version, actions: offer.actions, steps: offer.steps, macros: Vec::new() };
        let mut mta = Self { stream, input: BytesMut::new(), agreed };
        mta.say(&Command::Negotiate(offer.clone()));
        let Response::Negotiate(answer) = mta.hear() else { panic!("no options") };
        mta.agreed = Agreed::new(&offer, answer).expect("a part of the offer");
        mta
    }

    /// Tells of a message from its client's connection to its end.
    ///
    /// # Panics
    /// When the filter refuses it before its end, or is not understood.
    #[must_use]
    pub fn tell(&mut self, mail: &Mail<'_>) -> Heard {
        let client = Client::Inet(SocketAddr::new(mail.client, 2525));
        self.event(Event::Connect(Connect { host: "client.example".into(), client }));
        self.event(Event::Helo(mail.hello.to_owned().into()));
        let path = |address: &str| Path::new(format!("<{address}>"));
        let id = vec![(Bytes::from("i"), Bytes::from("4Test"))];
        self.say(&Command::Macros(Defined { stage: Stage::EnvFrom, macros: id }));
        self.event(Event::EnvFrom(path(mail.sender)));
        self.event(Event::EnvRcpt(path(mail.recipient)));
        let text = mail.message.replace("\r\n", "\n");
        let (header, body) = text.split_once("\n\n").expect("a header and a body");
        for (name, value) in fields(header) {
            let value = if self.agreed.steps.contains(Steps::LEADING_SPACE) {
                value
            } else {
                value.strip_prefix(' ').unwrap_or(&value).to_owned()
            };
            self.event(Event::Header(Field { name: name.into(), value: value.into() }));
        }
        self.event(Event::Eoh);
        for chunk in body.replace('\n', "\r\n").as_bytes().chunks(self.agreed.data_size()) {
            self.event(Event::Body(Bytes::copy_from_slice(chunk)));
        }
        self.say(&Command::Event(Event::Eom(Bytes::new())));
        let mut edits = Vec::new();
        loop {
            match self.hear() {
                Response::Edit(edit) => edits.push(edit),
                Response::Action(action) => return Heard { edits, action },
                Response::Progress => {}
                Response::Negotiate(_) => panic!("options at the end of a message"),
            }
        }
    }

    /// Another client's session follows on the same connection.
    pub fn next_session(&mut self) {
        self.say(&Command::QuitNewConnection);
    }

    fn event(&mut self, event: Event) {
        let stage = event.stage();
        if !self.agreed.tells(stage) {
            return;
        }
        self.say(&Command::Event(event));
        if self.agreed.answers(stage) {
            assert_eq!(self.hear(), Response::Action(Action::Continue), "at {stage}");
        }
    }

    fn say(&mut self, command: &Command) {
        let mut output = BytesMut::new();
        command.encode(&mut output);
        self.stream.write_all(&output).expect("a filter that reads");
    }

    fn hear(&mut self) -> Response {
        loop {
            if let Some(frame) = frame::take(&mut self.input, LARGEST).expect("a frame") {
                return Response::decode(frame).expect("a response");
            }
            let mut chunk = [0; 4096];
            let octets = self.stream.read(&mut chunk).expect("an answer in time");
            assert_ne!(octets, 0, "the filter hung up");
            self.input.extend_from_slice(&chunk[..octets]);
        }
    }
}

/// Names and values, folded lines in one value; the value has its leading space.
fn fields(header: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in header.split('\n') {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some((_, value))) => value.push_str(&format!("\n{line}")),
            _ => {
                let (name, value) = line.split_once(':').expect("a field");
                fields.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    fields
}
