//! What a hub tells by itself: one connection on which it says whatever is newer than what is known.
//!
//! Server-sent events, each a whole signed message. They never end by themselves, and are bounded otherwise: a hub says
//! a word every few seconds though there is nothing new, what it begins to say it also ends, and no event is longer than
//! the longest message.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use memchr::memmem;
use switchyard_mapsync_protocol::envelope;
use tokio::time::{Instant, timeout_at};

use super::wire::full;
use super::{ClientError, Hub, Newest, PATIENCE, Shown};

/// A hub that tells what is new. Nothing else is asked of it over this connection.
#[derive(Debug)]
pub struct Told {
    hub: Hub,
    body: Incoming,
    heard: Heard,
    /// Until when the event that has begun must be whole.
    end: Option<Instant>,
}

/// Something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A signed message.
    Message(Newest, Shown),
    /// All hosts are asked something: the number of the newest question.
    Question(u64),
}

impl Hub {
    /// Every root, head and release that is newer than these numbers, as it comes.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn told(mut self, known: [u64; 3]) -> Result<Told, ClientError> {
        let known = known.map(|number| number.to_string()).join(".");
        let request = self.request(Method::GET, &format!("/v1/events/{}", self.environment));
        let response = self.send(request.header(LAST_EVENT_ID, known), full(""), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        Ok(Told { hub: self, body: response.into_body(), heard: Heard::default(), end: None })
    }
}

impl Told {
    /// The next message; none when the hub has said its last.
    ///
    /// # Errors
    /// When nothing is heard for long, or what is heard is no message.
    pub async fn next(&mut self) -> Result<Option<News>, ClientError> {
        loop {
            while let Some(event) = self.heard.event() {
                self.end = None;
                if let Some(news) = news(&event).map_err(|what| self.hub.wire.error(what))? {
                    return Ok(Some(news));
                }
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Waits for more octets; whether there are any.
    async fn more(&mut self) -> Result<bool, ClientError> {
        let wire = &self.hub.wire;
        if self.heard.octets.len() > LONGEST {
            return Err(wire.error(format!("tells more than the {LONGEST} octets that a message has")));
        }
        let now = Instant::now();
        if !self.heard.octets.is_empty() && self.end.is_none() {
            self.end = now.checked_add(wire.pace.whole(LONGEST as u64));
        }
        let end = [self.end, now.checked_add(SILENCE)].into_iter().flatten().min().unwrap_or(now);
        let frame = timeout_at(end, self.body.frame()).await;
        let Some(frame) = frame.map_err(|_| wire.error("tells nothing, or too slowly"))? else {
            return Ok(false);
        };
        let frame = frame.map_err(|error| wire.error(format!("the connection broke: {error}")))?;
        if let Ok(piece) = frame.into_data() {
            self.heard.octets.extend_from_slice(&piece);
        }
        Ok(true)
    }
}

/// What has come and was not taken.
#[derive(Debug, Default)]
struct Heard {
    octets: BytesMut,
    /// In so many of them no event ends.
    looked: usize,
}

impl Heard {
    /// A whole event, if one has come.
    fn event(&mut self) -> Option<BytesMut> {
        // Its end may have come in two pieces.
        let from = self.looked.saturating_sub(END.len() - 1);
        let found = memmem::find(self.octets.get(from..)?, END);
        self.looked = self.octets.len();
        let event = self.octets.split_to(from + found? + END.len());
        self.looked = 0;
        Some(event)
    }
}

/// What an event says, if it is one of ours.
fn news(event: &[u8]) -> Result<Option<News>, &'static str> {
    let (mut kind, mut numbers, mut octets) = (&b""[..], None, None);
    for line in event.split(|octet| *octet == b'\n') {
        let field = |name: &str| line.strip_prefix(name.as_bytes());
        if let Some(name) = field("event: ") {
            kind = name;
        } else if let Some(id) = field("id: ") {
            numbers = Some(id);
        } else if let Some(data) = field("data: ") {
            octets = Some(data.to_vec());
        }
    }
    let text = |octets| std::str::from_utf8(octets).unwrap_or_default();
    let place = KINDS.iter().position(|known| known.1.as_bytes() == kind);
    let (octets, place) = match (octets, place) {
        (Some(octets), Some(place)) => (octets, place),
        (Some(octets), None) if kind == QUESTION => {
            let number = text(&octets).parse().map_err(|_| "tells of a question without a number")?;
            return Ok(Some(News::Question(number)));
        }
        // Words that only keep the connection alive, and what hubs of a later version may tell.
        _ => return Ok(None),
    };
    let number =
        text(numbers.unwrap_or_default()).split('.').nth(place).and_then(|number| number.parse().ok());
    let number = number.ok_or("tells of a message without a number")?;
    let what = KINDS.get(place).map_or(Newest::Root, |known| known.0);
    Ok(Some(News::Message(what, Shown { number, octets })))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What hubs tell, in the order of their numbers in an event's id.
const KINDS: [(Newest, &str); 3] =
    [(Newest::Root, "root"), (Newest::Head, "head"), (Newest::Release, "release")];
const QUESTION: &[u8] = b"question";
/// Of an event.
const END: &[u8] = b"\n\n";
/// A message, and the few words about it.
const LONGEST: usize = envelope::LONGEST + 1024;
/// Three times as long as a hub that has nothing to tell is silent.
const SILENCE: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_any_pieces_and_only_ours_are_taken() {
        let stream = b":\n\nevent: head\nid: 1.7.0\ndata: {\"a\": 1}\n\nevent: question\ndata: 12\n\nevent: later\nid: 1\ndata: x\n\n\
            event: release\nid: 1.7.3\ndata: {}\n\nevent: ro";
        let message =
            |what, number, octets: &[u8]| News::Message(what, Shown { number, octets: octets.to_vec() });
        let wanted =
            [message(Newest::Head, 7, b"{\"a\": 1}"), News::Question(12), message(Newest::Release, 3, b"{}")];
        for length in 1..stream.len() {
            let (mut heard, mut told) = (Heard::default(), Vec::new());
            for piece in stream.chunks(length) {
                heard.octets.extend_from_slice(piece);
                while let Some(event) = heard.event() {
                    told.extend(news(&event).unwrap());
                }
            }
            assert_eq!(told, wanted, "{length}");
            assert_eq!(heard.octets, b"event: ro"[..]);
        }
        for bad in [
            "event: head\ndata: {}\n\n",
            "event: head\nid: 1\ndata: {}\n\n",
            "event: root\nid: x\ndata: {}\n\n",
            "event: question\ndata: many\n\n",
        ] {
            assert!(news(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
