//! Commands as octets, and octets that are none.

use std::net::SocketAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::event::{Client, Connect, Field, Path};
use crate::frame::LARGEST;

fn written(command: &Command) -> BytesMut {
    let mut output = BytesMut::new();
    command.encode(&mut output);
    output
}

fn read(octets: &[u8]) -> Result<Command, DecodeError> {
    let mut input = BytesMut::from(octets);
    Command::decode(frame::take(&mut input, LARGEST).unwrap().unwrap())
}

fn connect(host: &'static str, client: Client) -> Command {
    Command::Event(Event::Connect(Connect { host: host.into(), client }))
}

#[test]
fn commands_look_as_sendmail_writes_them() {
    let inet = |address: &str| Client::Inet(address.parse::<SocketAddr>().unwrap());
    let path =
        Path { path: "<ann@example.org>".into(), arguments: vec!["SIZE=5".into(), "BODY=8BITMIME".into()] };
    let field = Field { name: "Subject".into(), value: "one\n two".into() };
    for (command, octets) in [
        (Command::Negotiate(Options::offer()), &b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\x30\x1f\xff\xff"[..]),
        (connect("mail.example", inet("192.0.2.1:25")), b"\0\0\0\x1bCmail.example\x004\0\x19192.0.2.1\0"),
        (connect("six", inet("[2001:db8::1]:4660")), b"\0\0\0\x14Csix\x006\x12\x342001:db8::1\0"),
        (connect("local", Client::Unix("/run/x".into())), b"\0\0\0\x11Clocal\0L\0\0/run/x\0"),
        (connect("?", Client::Unknown), b"\0\0\0\x04C?\0U"),
        (Command::Event(Event::Helo("mail.example".into())), b"\0\0\0\x0eHmail.example\0"),
        (Command::Event(Event::EnvFrom(path)), b"\0\0\0\x28M<ann@example.org>\0SIZE=5\0BODY=8BITMIME\0"),
        (Command::Event(Event::EnvRcpt(Path::new("<>"))), b"\0\0\0\x04R<>\0"),
        (Command::Event(Event::Data), b"\0\0\0\x01T"),
        (Command::Event(Event::Unknown("TURN".into())), b"\0\0\0\x06UTURN\0"),
        (Command::Event(Event::Header(field)), b"\0\0\0\x12LSubject\0one\n two\0"),
        (Command::Event(Event::Eoh), b"\0\0\0\x01N"),
        (Command::Event(Event::Body("hi\r\n".into())), b"\0\0\0\x05Bhi\r\n"),
        (Command::Event(Event::Eom(Bytes::new())), b"\0\0\0\x01E"),
        (Command::Abort, b"\0\0\0\x01A"),
        (Command::Quit, b"\0\0\0\x01Q"),
        (Command::QuitNewConnection, b"\0\0\0\x01K"),
    ] {
        assert_eq!(&written(&command)[..], octets, "{command:?}");
        assert_eq!(read(octets), Ok(command));
    }
}

#[test]
fn an_ipv6_address_may_have_its_prefix() {
    let command = read(b"\0\0\0\x19Csix\x006\x12\x34IPv6:2001:db8::1\0").unwrap();
    assert_eq!(command, connect("six", Client::Inet("[2001:db8::1]:4660".parse().unwrap())));
}

#[test]
fn m3_what_is_no_command_is_refused() {
    for (octets, expected) in [
        (&b"\0\0\0\x01z"[..], DecodeError::Unknown(b'z')),
        (b"\0\0\0\x01\0", DecodeError::Unknown(0)),
        (b"\0\0\0\x02QQ", DecodeError::Rest { code: b'Q', left: 1 }),
        (b"\0\0\0\x02Hx", DecodeError::Short(b'H')),
        (b"\0\0\0\x04Hx\0y", DecodeError::Rest { code: b'H', left: 1 }),
        (b"\0\0\0\x05O\0\0\0\x06", DecodeError::Short(b'O')),
        (b"\0\0\0\x04Cx\x004", DecodeError::Short(b'C')),
        (b"\0\0\0\x08Cx\x004\0\x19x\0", DecodeError::Value { code: b'C', what: "an address" }),
        (b"\0\0\0\x0aCx\x004\0\x19::1\0", DecodeError::Value { code: b'C', what: "an address" }),
        (b"\0\0\0\x08Cx\x00X\0\x19x\0", DecodeError::Value { code: b'C', what: "an address family" }),
        (b"\0\0\0\x02Dz", DecodeError::Value { code: b'D', what: "a stage" }),
        (b"\0\0\0\x01D", DecodeError::Short(b'D')),
        (b"\0\0\0\x04DMi\0", DecodeError::Short(b'D')),
        (b"\0\0\0\x01M", DecodeError::Short(b'M')),
    ] {
        assert_eq!(read(octets), Err(expected), "{octets:?}");
    }
    let mut many = BytesMut::new();
    frame::put(&mut many, b'R', |payload| payload.extend_from_slice(&[0; 65]));
    let refused = DecodeError::Many { code: b'R', what: "arguments", most: 63 };
    assert_eq!(read(&many), Err(refused));
}

proptest! {
    #[test]
    fn m3_no_frame_panics_and_each_that_is_read_is_written_the_same(code: u8, payload: Vec<u8>) {
        if let Ok(command) = Command::decode(Frame { code, payload: payload.into() }) {
            let again = read(&written(&command)).unwrap();
            prop_assert_eq!(again, command);
        }
    }
}
