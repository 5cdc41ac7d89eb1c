//! A running daemon, asked on its control socket.

use std::fmt::Display;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

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
    /// It says no.
    #[error("{}: {why}", socket.display())]
    Refused {
        /// Where.
        socket: PathBuf,
        /// Its own words.
        why: String,
    },
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

    /// Asks, or asks for something to be done.
    pub(crate) fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<A, ControlError> {
        let body = serde_json::to_vec(question).map_err(|error| self.broken(error))?;
        self.ask(Method::POST, path, body.into())
    }

    /// Asks for an answer in lines of JSON, and hears each as it comes, until `each` breaks off.
    pub(crate) fn post_for_lines<A: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
        each: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ControlError> {
        let body = serde_json::to_vec(question).map_err(|error| self.broken(error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.broken(error))?;
        let answered = runtime.block_on(async {
            let hearing = async {
                let response = self.send(Method::POST, path, body.into()).await?;
                self.hear(response.into_body(), each).await
            };
            tokio::time::timeout(PATIENCE, hearing).await
        });
        answered.map_err(|_| self.broken("it took too long"))?
    }

    async fn hear<A: DeserializeOwned>(
        &self,
        mut body: Incoming,
        mut each: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ControlError> {
        let mut open = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broken(error))?;
            open.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.broken(error))?;
        let answered = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await });
        let octets = answered.map_err(|_| self.broken("it took too long"))??;
        serde_json::from_slice(&octets).map_err(|error| self.broken(error))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ControlError> {
        let response = self.send(method, path, body).await?;
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(body.map_err(|error| self.broken(error))?.to_bytes())
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
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let octets = body.map_err(|error| self.broken(error))?.to_bytes();
        let why = match status {
            StatusCode::NOT_FOUND if octets.is_empty() => format!("this daemon has no {path}"),
            _ => printable(&octets),
        };
        Err(ControlError::Refused { socket: self.socket.clone(), why })
    }

    fn broken(&self, why: impl Display) -> ControlError {
        ControlError::Broken { socket: self.socket.clone(), why: why.to_string() }
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
/// For an answer: as long as the daemon takes at most.
const PATIENCE: Duration = Duration::from_secs(130);
