//! A question to all hosts: an admin asks and hears, a host hears that there is one, fetches it and answers.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use switchyard_mapsync_protocol::question::{self, Answer, Asked, Question};
use tokio::time::timeout;

use super::wire::full;
use super::{ClientError, Hub, PATIENCE};

/// What the one hears who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The hub asks.
    Asked {
        /// How many hosts it waits for.
        hosts: usize,
    },
    /// A host answers.
    Answer(Box<Answer>),
    /// Nobody is waited for any more.
    End {
        /// Who has not answered.
        silent: Vec<String>,
    },
}

impl Hub {
    /// What this host has still to answer.
    ///
    /// # Errors
    /// When the hub cannot be asked, or asks nonsense.
    pub async fn questions(&mut self) -> Result<Vec<Asked>, ClientError> {
        let path = format!("/v1/questions/{}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let octets = self.wire.whole(response, question::LONGEST as u64).await?;
        Asked::all_from_json(&octets)
            .map_err(|error| self.wire.error(format!("asks what cannot be understood: {error}")))
    }

    /// Answers a question.
    ///
    /// # Errors
    /// When the hub cannot be asked, or does not wait for it any more.
    pub async fn answer_question(&mut self, answer: &Answer) -> Result<(), ClientError> {
        let octets = answer.to_json().map_err(|error| self.wire.error(error.to_string()))?;
        let request = self.request(Method::POST, &format!("/v1/agents/{}/answers", answer.host));
        self.push(request, octets).await
    }

    /// Puts a question to all hosts, and hears what comes until the hub waits no more.
    ///
    /// # Errors
    /// When the hub cannot be asked or does not ask hosts, or ends before it said who is silent.
    pub async fn ask(&mut self, question: &Question, mut each: impl FnMut(Heard)) -> Result<(), ClientError> {
        let octets = question.to_json().map_err(|error| self.wire.error(error.to_string()))?;
        let request = self.request(Method::POST, &format!("/v1/questions/{}", self.environment));
        let response = self.send(request, full(octets), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let (mut events, mut is_over) = (Events::default(), false);
        let heard = self.wire.pieces(response, MAX_ANSWERS, |piece| {
            events.take(piece, &mut |heard| {
                is_over |= matches!(heard, Heard::End { .. });
                each(heard);
            })
        });
        let most = Duration::from_secs(question.wait).saturating_add(PATIENCE);
        let Ok(heard) = timeout(most, heard).await else {
            return Err(self.wire.error("does not end what it was asked"));
        };
        heard?;
        if is_over { Ok(()) } else { Err(self.wire.error("ended before all hosts had answered")) }
    }
}

/// Server-sent events, line by line (HTML standard, section 9.2): each has its data in one line.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    name: String,
}

impl Events {
    fn take(&mut self, piece: &[u8], each: &mut impl FnMut(Heard)) -> std::io::Result<()> {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.more(line)?;
            let line = std::mem::take(&mut self.line);
            self.line(&String::from_utf8_lossy(&line), each)?;
            rest = after.get(1..).unwrap_or_default();
        }
        self.more(rest)
    }

    fn more(&mut self, octets: &[u8]) -> std::io::Result<()> {
        if self.line.len().saturating_add(octets.len()) > MAX_EVENT {
            return Err(wrong(format!("a line of more than {MAX_EVENT} octets")));
        }
        self.line.extend_from_slice(octets);
        Ok(())
    }

    fn line(&mut self, line: &str, each: &mut impl FnMut(Heard)) -> std::io::Result<()> {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut self.name);
        }
        let Some(data) = line.strip_prefix("data: ") else { return Ok(()) };
        match self.name.as_str() {
            "asked" => each(Heard::Asked { hosts: read::<WaitedFor>(data)?.hosts }),
            "answers" => {
                let answers: Vec<Answer> = read(data)?;
                answers.into_iter().for_each(|answer| each(Heard::Answer(Box::new(answer))));
            }
            "end" => each(Heard::End { silent: read::<Silent>(data)?.silent }),
            // Of a later version.
            _ => {}
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct WaitedFor {
    hosts: usize,
}

#[derive(Deserialize)]
struct Silent {
    silent: Vec<String>,
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> std::io::Result<T> {
    serde_json::from_str(data).map_err(|error| wrong(error.to_string()))
}

fn wrong(what: String) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

/// Octets of all answers: of 20,000 hosts with some 50 KB each.
const MAX_ANSWERS: u64 = 1 << 30;
/// Octets of one event: 32 of the largest answers, or the names of 20,000 hosts.
const MAX_EVENT: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::Environment;
    use switchyard_mapsync_protocol::question::Finding;

    use super::*;

    #[test]
    fn events_are_read_in_whatever_pieces_they_come() {
        let answer = Answer {
            environment: Environment::try_from("live".to_owned()).unwrap(),
            host: "mx1".to_owned(),
            role: "mx".to_owned(),
            question: 7,
            findings: vec![Finding::fine("12")],
        };
        let answers = serde_json::to_string(&[&answer, &answer]).unwrap();
        let text = format!(
            "event: asked\ndata: {{\"question\":7,\"hosts\":3,\"wait\":5}}\n\n:\n\nevent: weather\ndata: rain\n\n\
             event: answers\ndata: {answers}\n\nevent: end\ndata: {{\"answered\":2,\"silent\":[\"mx2\"]}}\n\n"
        );
        for size in [1, 7, 100_000] {
            let (mut events, mut heard) = (Events::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                events.take(piece, &mut |told| heard.push(told)).unwrap();
            }
            let one = Heard::Answer(Box::new(answer.clone()));
            let end = Heard::End { silent: vec!["mx2".to_owned()] };
            assert_eq!(heard, [Heard::Asked { hosts: 3 }, one.clone(), one, end]);
        }
        let mut events = Events::default();
        assert!(events.take(b"event: end\ndata: {}\n", &mut |_| {}).is_err());
        let long = vec![b'x'; MAX_EVENT];
        assert!(events.take(&long, &mut |_| {}).is_ok());
        assert!(events.take(b"x", &mut |_| {}).is_err());
    }
}
