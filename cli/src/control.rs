//! A running daemon, asked on its control socket.
//!
//! A question may be asked again. An order goes on in the daemon when its answer is cut off, or does not come: that is
//! told apart ([`ControlError::GoesOn`]), and has an exit code of its own.

use std::fmt::Display;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchyard_daemon::control::IDLE_TIME;
use tokio::net::UnixStream;

use crate::output::Exit;

/// A daemon's control socket.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    socket: PathBuf,
}

/// Why a daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Nobody is there.
    #[error("{}: {}", socket.display(), unreachable(error))]
    Unreachable {
        /// Where.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It does not speak as a daemon of ours does.
    #[error("{}: no answer that can be read: {why}", socket.display())]
    Broken {
        /// Where.
        socket: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The question was put, and the answer stopped.
    #[error("{}: the answer was cut off: {why}", socket.display())]
    Cut {
        /// Where.
        socket: PathBuf,
        /// How.
        why: String,
    },
    /// The order was given, and the answer stopped.
    #[error(
        "{}: no word of how it ended: {why}; the order was given and goes on in the daemon, as long as that runs",
        socket.display()
    )]
    GoesOn {
        /// Where.
        socket: PathBuf,
        /// Why nothing was heard.
        why: String,
    },
    /// It says no.
    #[error("{}: {why}", socket.display())]
    Refused {
        /// Where.
        socket: PathBuf,
        /// Its own words.
        why: String,
    },
}

impl ControlError {
    /// How a verb ends with it.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::GoesOn { .. } => Exit::GoesOn,
            _ => Exit::Misuse,
        }
    }

    /// Of an order: without an answer, it goes on.
    fn of_order(self) -> Self {
        match self {
            Self::Cut { socket, why } => Self::GoesOn { socket, why },
            other => other,
        }
    }
}

fn unreachable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no such socket: is the daemon running, and is `control.socket` set?".into()
        }
        io::ErrorKind::ConnectionRefused => "no daemon listens there any more".into(),
        io::ErrorKind::PermissionDenied => "only root and the daemon's own user may ask".into(),
        _ => error.to_string(),
    }
}

impl Control {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Asks for what is there.
    pub(crate) fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, ControlError> {
        self.ask(Method::GET, path, Bytes::new())
    }

    /// Asks.
    pub(crate) fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<A, ControlError> {
        self.ask(Method::POST, path, self.json(question)?)
    }

    /// Asks for something to be done.
    pub(crate) fn order<A: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
    ) -> Result<A, ControlError> {
        self.post(path, order).map_err(ControlError::of_order)
    }

    /// Asks for an answer in lines of JSON, and hears each as it comes, until `each` breaks off.
    pub(crate) fn post_for_lines<A: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
        each: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ControlError> {
        let body = self.json(question)?;
        self.run(async {
            let response = self.send(Method::POST, path, body).await?;
            self.hear(response.into_body(), each).await
        })
    }

    /// Asks for something to be done, and hears how far it has come.
    pub(crate) fn order_for_lines<A: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
        each: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ControlError> {
        self.post_for_lines(path, order, each).map_err(ControlError::of_order)
    }

    fn json(&self, question: &impl Serialize) -> Result<Bytes, ControlError> {
        serde_json::to_vec(question).map(Bytes::from).map_err(|error| self.broken(error))
    }

    fn run<T>(&self, asking: impl Future<Output = Result<T, ControlError>>) -> Result<T, ControlError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| self.broken(error))?.block_on(asking)
    }

    async fn hear<A: DeserializeOwned>(
        &self,
        mut body: Incoming,
        mut each: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ControlError> {
        let mut open = Vec::new();
        while let Some(piece) = self.piece(&mut body).await? {
            open.extend_from_slice(&piece);
            let mut lines = open.split_inclusive(|octet| *octet == b'\n').peekable();
            let mut heard = 0;
            while let Some(line) = lines.next_if(|line| line.ends_with(b"\n")) {
                heard += line.len();
                let line = serde_json::from_slice(line).map_err(|error| self.broken(error))?;
                if each(line).is_break() {
                    return Ok(());
                }
            }
            open.drain(..heard);
            if open.len() > MAX_LINE {
                return Err(self.broken("a line without an end"));
            }
        }
        Ok(())
    }

    fn ask<A: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<A, ControlError> {
        let octets = self.run(self.exchange(method, path, body))?;
        serde_json::from_slice(&octets).map_err(|error| self.broken(error))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Vec<u8>, ControlError> {
        let response = self.send(method, path, body).await?;
        self.whole(response.into_body()).await
    }

    /// All of an answer.
    async fn whole(&self, mut body: Incoming) -> Result<Vec<u8>, ControlError> {
        let mut octets = Vec::new();
        while let Some(piece) = self.piece(&mut body).await? {
            octets.extend_from_slice(&piece);
            if octets.len() > MAX_ANSWER {
                return Err(self.broken("an answer without an end"));
            }
        }
        Ok(octets)
    }

    /// The next piece of an answer; none at its end.
    async fn piece(&self, body: &mut Incoming) -> Result<Option<Bytes>, ControlError> {
        let Some(frame) = self.in_time(body.frame()).await? else { return Ok(None) };
        let frame = frame.map_err(|error| self.cut(error))?;
        Ok(Some(frame.into_data().unwrap_or_default()))
    }

    /// The daemon may take long, as long as something comes now and then.
    async fn in_time<T>(&self, next: impl Future<Output = T>) -> Result<T, ControlError> {
        let silent = |_| self.cut(format_args!("nothing was heard for {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, next).await.map_err(silent)
    }

    /// Sends a question; what is not answered with a yes is an error.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ControlError> {
        let socket = self.socket.clone();
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| ControlError::Unreachable { socket, error })?;
        let broken = |error: hyper::Error| self.broken(error);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with the connection; what is wrong with it, the request below is told as well.
        drop(tokio::spawn(connection));
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.body(Full::new(body)).map_err(|error| self.broken(error))?;
        let response = self.in_time(sender.send_request(request)).await?.map_err(|error| self.cut(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let octets = self.whole(response.into_body()).await?;
        let why = match status {
            StatusCode::NOT_FOUND if octets.is_empty() => format!("this daemon has no {path}"),
            _ => printable(&octets),
        };
        Err(ControlError::Refused { socket: self.socket.clone(), why })
    }

    fn broken(&self, why: impl Display) -> ControlError {
        ControlError::Broken { socket: self.socket.clone(), why: why.to_string() }
    }

    fn cut(&self, why: impl Display) -> ControlError {
        ControlError::Cut { socket: self.socket.clone(), why: why.to_string() }
    }
}

/// A daemon's words, fit for a terminal.
fn printable(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let fit = |character: char| if character.is_control() && character != '\n' { '?' } else { character };
    text.trim_end().chars().map(fit).collect()
}

/// Octets of an answer.
const MAX_ANSWER: usize = 64 << 20;
/// Octets of one line of it.
const MAX_LINE: usize = 16 << 20;
/// For the next piece of an answer: a little longer than the daemon leaves a connection on which nothing moves.
const PATIENCE: Duration = IDLE_TIME.saturating_add(Duration::from_secs(10));

#[cfg(test)]
mod tests;
