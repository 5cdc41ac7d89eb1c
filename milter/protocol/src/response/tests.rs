//! Responses as octets, and octets that are none.

use proptest::prelude::*;

use super::*;
use crate::event::{Field, Path};
use crate::frame::LARGEST;
use crate::reply::ReplyError;

fn written(response: &Response) -> BytesMut {
    let mut output = BytesMut::new();
    response.encode(&mut output);
    output
}

fn read(octets: &[u8]) -> Result<Response, DecodeError> {
    let mut input = BytesMut::from(octets);
    Response::decode(frame::take(&mut input, LARGEST).unwrap().unwrap())
}

#[test]
fn responses_look_as_libmilter_writes_them() {
    let field = Field { name: "X-A".into(), value: "b".into() };
    let path = Path { path: "<b@c>".into(), arguments: vec!["RET=HDRS".into(), "ENVID=1".into()] };
    let reply = ReplyText::new(550, Some((5, 7, 1)), "100% no").unwrap();
    for (response, octets) in [
        (Response::Action(Action::Continue), &b"\0\0\0\x01c"[..]),
        (Response::Action(Action::Accept), b"\0\0\0\x01a"),
        (Response::Action(Action::Reject), b"\0\0\0\x01r"),
        (Response::Action(Action::Tempfail), b"\0\0\0\x01t"),
        (Response::Action(Action::Discard), b"\0\0\0\x01d"),
        (Response::Action(Action::Skip), b"\0\0\0\x01s"),
        (Response::Action(Action::ConnFail), b"\0\0\0\x01f"),
        (Response::Action(Action::Shutdown), b"\0\0\0\x014"),
        (Response::Action(Action::Reply(reply)), b"\0\0\0\x14y550 5.7.1 100%% no\0"),
        (Response::Progress, b"\0\0\0\x01p"),
        (Response::Edit(Edit::AddHeader(field.clone())), b"\0\0\0\x07hX-A\0b\0"),
        (
            Response::Edit(Edit::InsHeader { index: 1, field: field.clone() }),
            b"\0\0\0\x0bi\0\0\0\x01X-A\0b\0",
        ),
        (Response::Edit(Edit::ChgHeader { index: 2, field }), b"\0\0\0\x0bm\0\0\0\x02X-A\0b\0"),
        (Response::Edit(Edit::ChgFrom(path.clone())), b"\0\0\0\x18e<b@c>\0RET=HDRS ENVID=1\0"),
        (Response::Edit(Edit::AddRcpt(path)), b"\0\0\0\x182<b@c>\0RET=HDRS ENVID=1\0"),
        (Response::Edit(Edit::AddRcpt(Path::new("<b@c>"))), b"\0\0\0\x07+<b@c>\0"),
        (Response::Edit(Edit::DelRcpt("<b@c>".into())), b"\0\0\0\x07-<b@c>\0"),
        (Response::Edit(Edit::ReplBody("hi\r\n".into())), b"\0\0\0\x05bhi\r\n"),
        (Response::Edit(Edit::Quarantine("why".into())), b"\0\0\0\x05qwhy\0"),
    ] {
        assert_eq!(&written(&response)[..], octets, "{response:?}");
        assert_eq!(read(octets), Ok(response));
    }
}

#[test]
fn m3_what_is_no_response_is_refused() {
    for (octets, expected) in [
        (&b"\0\0\0\x01z"[..], DecodeError::Unknown(b'z')),
        (b"\0\0\0\x02cc", DecodeError::Rest { code: b'c', left: 1 }),
        (b"\0\0\0\x05m\0\0\0\x01", DecodeError::Short(b'm')),
        (b"\0\0\0\x04hX\0v", DecodeError::Short(b'h')),
        (b"\0\0\0\x04+a\0b", DecodeError::Rest { code: b'+', left: 1 }),
        (b"\0\0\0\x04y550", DecodeError::Short(b'y')),
        (b"\0\0\0\x08y250 ok\0", DecodeError::Reply(ReplyError::Code)),
    ] {
        assert_eq!(read(octets), Err(expected), "{octets:?}");
    }
}

proptest! {
    #[test]
    fn m3_no_frame_panics_and_each_that_is_read_is_written_the_same(code: u8, payload: Vec<u8>) {
        if let Ok(response) = Response::decode(Frame { code, payload: payload.into() }) {
            let again = read(&written(&response)).unwrap();
            prop_assert_eq!(again, response);
        }
    }
}
