//! One behaviour's dialogue with one server: connect → EHLO → STARTTLS, where it is asked for → whom we stand for →
//! MAIL, RCPT, content → QUIT.
//!
//! To speak as the client that a behaviour names there are three ways: a PROXY header before everything, where the
//! server is known to want one; XCLIENT, where it is offered; and to be that client, where the address is ours.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use switchyard_smtp::client::dialogue::DialogueError;
use switchyard_smtp::client::{Delivery, Protocol, RecipientOutcome, Timeouts, Transfer};
use switchyard_smtp::envelope::{Recipient, Sender};
use switchyard_smtp::io::dial::{Connection, DialError, DialOptions};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::io::tls_client::TlsClient;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::wire::command::{Attributes, Verb};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::Target;
use crate::language::Said;
use crate::pattern::Heard;
use crate::seen::{Answered, Stage};

/// How to speak as a client that we are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// By XCLIENT, where it is offered.
    #[default]
    Xclient,
    /// By a PROXY header on every connection: the server waits for one.
    Proxy,
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// This can't be asked here, and what would be needed.
    NotAsked(String),
    /// It was tried and did not come to an end.
    Failed(String),
}

/// Each answer by itself; the behaviour's own deadline is around all of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says it all, and hears the last word on each recipient.
pub(super) async fn speak(
    said: &Said,
    target: &Target,
    standing: Standing,
    token: &str,
) -> Result<Vec<Answered>, Trouble> {
    let answered = |stage, reply: &Reply| {
        said.to.iter().map(|_| Answered { reply: Heard::from(reply), stage }).collect::<Vec<_>>()
    };
    let mut connection = match Box::pin(open(said, target, standing)).await {
        Ok(connection) => connection,
        Err(Unopened::Dial(DialError::Dialogue(DialogueError::Refused { verb, reply }))) => {
            return Ok(answered(stage(verb), &reply));
        }
        Err(Unopened::Dial(error)) => return Err(Trouble::Failed(error.to_string())),
        Err(Unopened::NotAsked(needs)) => return Err(Trouble::NotAsked(needs)),
    };
    let sender = Sender::new(said.from.clone());
    let recipients: Vec<Recipient> = said.to.iter().cloned().map(Recipient::new).collect();
    let recipients: Vec<&Recipient> = recipients.iter().collect();
    let content = said.message.content(said, token);
    let delivery = Delivery {
        sender: &sender,
        recipients: &recipients,
        content: &content,
        forwarded: None,
        transfer: Transfer::Data,
    };
    let outcome = connection.deliver(&delivery).await;
    let answers = outcome.recipients.iter().map(|recipient| match recipient {
        RecipientOutcome::Accepted(reply) => {
            Ok(Answered { reply: Heard::from(reply), stage: Stage::Content })
        }
        RecipientOutcome::Refused { stage: verb, reply } => {
            Ok(Answered { reply: Heard::from(reply), stage: stage(*verb) })
        }
        RecipientOutcome::Lost { stage, why, .. } => {
            Err(Trouble::Failed(format!("the connection was lost at {}: {why}", stage.as_str())))
        }
        RecipientOutcome::Local(refusal) => {
            Err(Trouble::Failed(format!("nothing was sent: {}", refusal.reply().text)))
        }
    });
    let answers = answers.collect();
    connection.quit().await;
    answers
}

enum Unopened {
    Dial(DialError),
    NotAsked(String),
}

impl From<DialError> for Unopened {
    fn from(error: DialError) -> Self {
        Self::Dial(error)
    }
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self::Dial(DialError::Unreachable(error))
    }
}

/// A connection that stands for the client that the behaviour names.
async fn open(said: &Said, target: &Target, standing: Standing) -> Result<Connection, Unopened> {
    let mut stream = TcpStream::connect(target.address).await?;
    if standing == Standing::Proxy {
        if said.client_name.is_some() {
            return Err(unnamed("a PROXY header says no client's name", target));
        }
        let header = proxy_header(said.client.unwrap_or(stream.local_addr()?.ip()), target.address)?;
        stream.write_all(header.as_bytes()).await?;
        return greet(said, target, stream).await;
    }
    let Some(client) = said.client else { return greet(said, target, stream).await };
    // A refusal here is of ourselves, and no answer to the client that the behaviour names.
    let refused = match greet(said, target, stream).await {
        Ok(connection) if connection.extensions().xclient => {
            return stand_for(said, client, connection).await;
        }
        Ok(connection) => {
            connection.quit().await;
            String::new()
        }
        Err(Unopened::Dial(DialError::Dialogue(error @ DialogueError::Refused { .. }))) => {
            format!("; from our own address {error}")
        }
        Err(error) => return Err(error),
    };
    if said.client_name.is_some() {
        return Err(unnamed(&format!("XCLIENT is not offered{refused}"), target));
    }
    let Ok(stream) = connect_from(client, target.address).await else {
        return Err(Unopened::NotAsked(format!(
            "to speak as {client} needs XCLIENT from {}, or --proxy-protocol{refused}",
            target.name
        )));
    };
    greet(said, target, stream).await
}

/// The client's name can't be said.
fn unnamed(why: &str, target: &Target) -> Unopened {
    Unopened::NotAsked(format!("`client_name` needs XCLIENT from {}: {why}", target.name))
}

async fn stand_for(said: &Said, client: IpAddr, connection: Connection) -> Result<Connection, Unopened> {
    let name = said.client_name.as_deref().map(Box::from);
    let client = Attributes { address: Some(client), name, ..Attributes::default() };
    Ok(connection.stand_for(&client).await?)
}

/// The greeting, EHLO and TLS.
async fn greet(said: &Said, target: &Target, stream: TcpStream) -> Result<Connection, Unopened> {
    stream.set_nodelay(true)?;
    let hello_name = said.helo.as_str().into();
    let options = DialOptions { protocol: Protocol::Smtp, hello_name, bind: None, timeouts: timeouts() };
    let connection = Connection::over(Stream::Plain(stream), &options).await?;
    if !said.tls {
        return Ok(connection);
    }
    let no_tls =
        |error: &dyn std::fmt::Display| Unopened::Dial(DialError::Tls(io::Error::other(error.to_string())));
    let client = TlsClient::unverified(None).map_err(|error| no_tls(&error))?;
    let name = ServerName::try_from(target.host.clone()).map_err(|error| no_tls(&error))?;
    Ok(connection.starttls(&client, name).await?)
}

async fn connect_from(client: IpAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(client, 0))?;
    socket.connect(target).await
}

/// The PROXY protocol's version 1, which every server of it knows (haproxy's proxy-protocol.txt, §2.1).
fn proxy_header(client: IpAddr, target: SocketAddr) -> io::Result<String> {
    const CLIENT_PORT: u16 = 45_000;
    let (family, from, to) = match (client, target.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ("TCP4", from.to_string(), to.to_string()),
        (IpAddr::V6(from), IpAddr::V6(to)) => ("TCP6", from.to_string(), to.to_string()),
        // Both addresses are of one family there.
        (IpAddr::V6(from), IpAddr::V4(to)) => ("TCP6", from.to_string(), to.to_ipv6_mapped().to_string()),
        (IpAddr::V4(from), IpAddr::V6(to)) => ("TCP6", from.to_ipv6_mapped().to_string(), to.to_string()),
    };
    let mut header = String::new();
    write!(header, "PROXY {family} {from} {to} {CLIENT_PORT} {}\r\n", target.port())
        .map_err(io::Error::other)?;
    Ok(header)
}

fn timeouts() -> Timeouts {
    let quit = Duration::from_secs(1);
    Timeouts {
        connect: PATIENCE,
        greeting: PATIENCE,
        hello: PATIENCE,
        tls: PATIENCE,
        mail: PATIENCE,
        rcpt: PATIENCE,
        data: PATIENCE,
        data_block: PATIENCE,
        final_dot: PATIENCE,
        quit,
    }
}

fn stage(verb: Verb) -> Stage {
    match verb {
        Verb::Connect | Verb::Xclient => Stage::Connect,
        Verb::Helo | Verb::Ehlo | Verb::Lhlo => Stage::Helo,
        Verb::StartTls => Stage::Tls,
        Verb::Mail => Stage::Mail,
        Verb::Rcpt => Stage::Rcpt,
        Verb::Data => Stage::Data,
        _ => Stage::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_header_names_both_ends_in_one_family() {
        for (client, target, header) in [
            ("192.0.2.7", "127.0.0.1:25", "PROXY TCP4 192.0.2.7 127.0.0.1 45000 25\r\n"),
            ("2001:db8::7", "[::1]:25", "PROXY TCP6 2001:db8::7 ::1 45000 25\r\n"),
            ("2001:db8::7", "127.0.0.1:25", "PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 45000 25\r\n"),
            ("192.0.2.7", "[::1]:25", "PROXY TCP6 ::ffff:192.0.2.7 ::1 45000 25\r\n"),
        ] {
            let made = proxy_header(client.parse().unwrap(), target.parse().unwrap()).unwrap();
            assert_eq!(made, header);
        }
    }
}
