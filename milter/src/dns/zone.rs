//! A name server for tests: texts by name, over UDP on loopback, and a resolver that asks it and nobody else.

use std::collections::HashMap;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use mail_auth::MessageAuthenticator;
use tokio::net::UdpSocket;

/// What it knows; every other name is not there.
#[derive(Debug, Default)]
pub(crate) struct Zone(HashMap<String, Said>);

#[derive(Debug)]
enum Said {
    Text(String),
    /// The name's own servers are out of reach.
    Failure,
}

impl Zone {
    /// A name with a text.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.0.insert(format!("{name}."), Said::Text(text.to_owned()));
        self
    }

    /// A name of which nothing can be said now.
    pub(crate) fn failing(mut self, name: &str) -> Self {
        self.0.insert(format!("{name}."), Said::Failure);
        self
    }

    /// Serves for as long as the test lives.
    pub(crate) async fn serve(self) -> MessageAuthenticator {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((octets, from)) = socket.recv_from(&mut question).await {
                let answer = self.answer(Message::from_vec(&question[..octets]).unwrap());
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        super::resolver(&[address], Duration::from_secs(60)).unwrap()
    }

    fn answer(&self, question: Message) -> Message {
        let asked = question.queries[0].clone();
        let mut answer = question.into_response();
        // RFC 4343: in whatever case it is asked for.
        match self.0.get(&asked.name.to_ascii().to_lowercase()) {
            Some(Said::Text(text)) if asked.query_type == RecordType::TXT => {
                // RFC 1035 §3.3: a string has at most 255 octets.
                let strings =
                    text.as_bytes().chunks(255).map(|part| String::from_utf8_lossy(part).into_owned());
                let text = RData::TXT(TXT::new(strings.collect()));
                answer.add_answer(Record::from_rdata(asked.name, 3600, text));
            }
            Some(Said::Text(_)) => {}
            Some(Said::Failure) => answer.metadata.response_code = ResponseCode::ServFail,
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        answer
    }
}
