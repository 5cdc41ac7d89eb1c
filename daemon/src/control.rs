//! What the operator's tool asks of a running daemon: JSON over HTTP/1.1 on a socket of this machine.
//!
//! A daemon gives [`start`] its own routes: how it answers them is its own affair, and [`Asked`] and
//! [`answer`] are the words both sides share. Only the daemon's own user and root are let in: the socket's
//! file is closed to others, and whoever comes is looked at as well (`is_welcome`).
//!
//! As with the pages of [`http`], one request a connection, few connections, bounded bodies and
//! deadlines; it answers while the process drains. An answer may be long: a connection is cut when nothing moves on
//! it for a while, and not before.

mod socket;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustix::process::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::http;
use crate::process::Process;
use crate::progress::{Progress, Watched};
use socket::Socket;

/// No socket for the operator's tool.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Somebody answers there.
    #[error("{}: another process answers on this control socket; stop it, or name another file", .0.display())]
    InUse(PathBuf),
    /// It cannot be made.
    #[error("{}: no control socket: {source}", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Where a running daemon answers the operator's tool; it may move.
#[derive(Debug)]
pub struct Control {
    path: Mutex<Option<PathBuf>>,
    moves: mpsc::Sender<Option<Socket>>,
}

/// The next place, which answers nobody yet.
#[derive(Debug)]
pub struct Prepared {
    path: Option<PathBuf>,
    /// None where nothing changes.
    to: Option<Option<Socket>>,
}

/// Opens the socket, where there is to be one, and answers `routes` there for as long as the process lives.
///
/// # Errors
/// When the socket cannot be had: another process has it, or the folder is not ours alone.
pub fn start(path: Option<&Path>, routes: Router, process: &mut Process) -> Result<Control, ControlError> {
    let socket = path.map(Socket::bind).transpose()?;
    if let Some(path) = path {
        tracing::debug!(socket = %path.display(), "the operator's tool is listened to");
    }
    let (moves, moved) = mpsc::channel(1);
    process.tasks.helper("control", serve(socket, moved, routes.layer(DefaultBodyLimit::max(MAX_QUESTION))));
    Ok(Control { path: Mutex::new(path.map(Path::to_owned)), moves })
}

impl Control {
    /// Binds the place to move to, if it is another one.
    ///
    /// # Errors
    /// When the socket cannot be had; nothing has changed.
    pub fn prepare(&self, path: Option<&Path>) -> Result<Prepared, ControlError> {
        let path = path.map(Path::to_owned);
        let is_here = *self.path.lock().unwrap_or_else(PoisonError::into_inner) == path;
        let to = match is_here {
            true => None,
            false => Some(path.as_deref().map(Socket::bind).transpose()?),
        };
        Ok(Prepared { path, to })
    }

    /// Moves there. Who asks at the old place at this moment is answered still.
    pub async fn commit(&self, prepared: Prepared) {
        let Prepared { path, to: Some(socket) } = prepared else { return };
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = path;
        // Nobody takes it when the process is about to end.
        let _at_the_end = self.moves.send(socket).await;
    }
}

/// Takes connections until it is dropped, and what is open with it.
async fn serve(mut socket: Option<Socket>, mut moved: mpsc::Receiver<Option<Socket>>, routes: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        // Over the cap, newcomers wait in the socket's own short queue: they are this machine's operators.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            Some(next) = moved.recv() => {
                socket = next;
                continue;
            }
            accepted = accept(socket.as_ref()) => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "the control socket takes no connection for a moment");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let routes = routes.clone();
        open.spawn(async move {
            let _place = place;
            converse(stream, routes).await;
        });
        while open.try_join_next().is_some() {}
    }
}

/// The next connection; where there is no socket, none ever comes.
async fn accept(socket: Option<&Socket>) -> io::Result<UnixStream> {
    match socket {
        Some(socket) => socket.listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// One connection: one question, one answer.
async fn converse(stream: UnixStream, routes: Router) {
    if !is_welcome(&stream) {
        tracing::warn!("closed: somebody who is neither root nor this daemon's user at the control socket");
        return;
    }
    let progress = Progress::new();
    let watched = Watched { stream, progress: progress.clone() };
    http::converse("control", watched, routes, progress.stands_still(IDLE_TIME)).await;
}

/// Root, or who we are ourselves. The file's mode says so too, but a process that was root may have opened it
/// for another.
fn is_welcome(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

/// Connections at once.
const MAX_CONNECTIONS: usize = 16;
/// Octets of a question.
const MAX_QUESTION: usize = 64 * 1024;
/// How long nothing may move on a connection: a question may read a large set of maps again before a word of the
/// answer is there. The operator's tool waits a little longer.
pub const IDLE_TIME: Duration = Duration::from_secs(120);
/// When the system has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

// ---- what is said ----

/// A question's body, read from JSON; what cannot be read is answered with 400 and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let octets =
            axum::body::Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&octets).map(Self).map_err(|error| {
            refuse(StatusCode::BAD_REQUEST, &format!("the question cannot be read: {error}"))
        })
    }
}

/// An answer, as JSON.
pub fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(octets) => ([(header::CONTENT_TYPE, "application/json")], octets).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A "no", with its reason for the person who asked.
pub fn refuse(status: StatusCode, why: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests;
