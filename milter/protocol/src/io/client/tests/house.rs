//! A filter made for tests: it answers "continue" to everything and edits at the end, until its fault comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::Notify;

use super::Endpoint;
use crate::command::Command;
use crate::edit::Edit;
use crate::event::Field;
use crate::frame::{self, LARGEST};
use crate::io::stream::Duplex;
use crate::negotiate::{Actions, Agreed, Options, Steps, Wants};
use crate::response::{Action, Response};
use crate::stage::Stage;

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    None,
    /// It answers the options with silence.
    Mute,
    /// It answers no part of a content before it has heard the end.
    Gathers,
    /// It hangs up when it hears this.
    Dies(Stage),
    /// It hears this and never answers.
    Stalls(Stage),
    /// It answers the end with signs of life, without end.
    Dawdles,
    /// It begins a new body, and dies.
    Half,
    /// It answers this with these octets.
    Says(Stage, &'static [u8]),
    /// It answers this with that.
    Answers(Stage, Action),
    /// The same, and as with libmilter nothing that comes after it in the message has an answer.
    Ends(Stage, Action),
    /// It refuses the first field, and says this, once it is let, to all that is told behind it.
    Late(Late),
}

/// What comes late.
#[derive(Debug, Clone)]
pub(super) struct Late {
    pub(super) octets: Vec<u8>,
    /// It hangs up then.
    pub(super) leaves: bool,
    pub(super) let_go: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct House {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    told: Arc<Mutex<Vec<&'static str>>>,
    connections: Arc<AtomicUsize>,
    talks: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
    served: tokio::task::JoinHandle<()>,
}

impl House {
    pub(super) fn new(fault: Fault) -> Self {
        Self::wanting(Steps::SKIP | Steps::LEADING_SPACE, fault)
    }

    pub(super) fn wanting(steps: Steps, fault: Fault) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filter");
        let listener = UnixListener::bind(&path).unwrap();
        let told: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let talks: Arc<Mutex<Vec<tokio::task::AbortHandle>>> = Arc::default();
        let (book, counter, open) = (told.clone(), connections.clone(), talks.clone());
        let served = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let (book, fault) = (book.clone(), fault.clone());
                let talk = tokio::spawn(async move { talk(Box::new(socket), steps, fault, book).await });
                open.lock().unwrap().push(talk.abort_handle());
            }
        });
        Self { _folder: folder, path, told, connections, talks, served }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::Unix(self.path.clone())
    }

    pub(super) fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }

    /// Closes every connection; new ones are taken.
    pub(super) fn hang_up(&self) {
        self.talks.lock().unwrap().drain(..).for_each(|talk| talk.abort());
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// What it asks for at the end of every message.
pub(super) fn edits() -> Vec<Edit> {
    let field = Field { name: "X-Seen".into(), value: " yes".into() };
    vec![Edit::AddHeader(field), Edit::ReplBody("new\r\n".into())]
}

/// `None` when the other side has hung up.
pub(super) async fn talk(
    mut socket: Box<dyn Duplex>,
    steps: Steps,
    fault: Fault,
    told: Arc<Mutex<Vec<&'static str>>>,
) -> Option<()> {
    let note = |text| told.lock().unwrap().push(text);
    let (mut input, mut agreed) = (BytesMut::new(), None);
    let (mut gathered, mut is_over) = (BytesMut::new(), false);
    loop {
        let Some(frame) = frame::take(&mut input, LARGEST).ok()? else {
            if socket.read_buf(&mut input).await.ok()? == 0 {
                return None;
            }
            continue;
        };
        let (mut output, mut is_end) = (BytesMut::new(), false);
        match Command::decode(frame).ok()? {
            Command::Negotiate(offer) => {
                if matches!(fault, Fault::Mute) {
                    std::future::pending::<()>().await;
                }
                let wants = Wants { actions: Actions::of_version(6), steps, ..Wants::default() };
                let answer: Options = wants.answer(&offer).ok()?;
                Response::Negotiate(answer.clone()).encode(&mut output);
                agreed = Agreed::new(&offer, answer).ok();
            }
            Command::Event(event) => {
                let stage = event.stage();
                is_over &= stage != Stage::EnvFrom;
                if is_over {
                    continue;
                }
                note(stage.as_str());
                is_over = matches!(&fault, Fault::Ends(at, _) if *at == stage);
                react(&mut socket, &fault, stage, agreed.as_ref()?, &mut output).await?;
                is_end = stage == Stage::Eom;
                if is_end {
                    note("answered");
                }
                if matches!(fault, Fault::Gathers) {
                    gathered.unsplit(output.split());
                    if !stage.is_content() || stage == Stage::Eom {
                        output = gathered.split();
                    }
                }
            }
            Command::QuitNewConnection => note("next session"),
            Command::Quit => return None,
            Command::Abort | Command::Macros(_) => {}
        }
        socket.write_all(&output).await.ok()?;
        if is_end && let Fault::Late(Late { leaves, .. }) = &fault {
            note("late");
            if *leaves {
                return None;
            }
        }
    }
}

async fn react(
    socket: &mut Box<dyn Duplex>,
    fault: &Fault,
    stage: Stage,
    agreed: &Agreed,
    output: &mut BytesMut,
) -> Option<()> {
    match fault {
        Fault::Dies(at) if *at == stage => return None,
        Fault::Stalls(at) if *at == stage => std::future::pending::<()>().await,
        Fault::Half if stage == Stage::Eom => {
            let half = Edit::ReplBody(Bytes::from_static(b"half of "));
            Response::Edit(half).encode(output);
            let _ = socket.write_all(output).await;
            return None;
        }
        Fault::Dawdles if stage == Stage::Eom => {
            Response::Progress.encode(output);
            while socket.write_all(output).await.is_ok() {
                tokio::task::yield_now().await;
            }
            return None;
        }
        Fault::Says(at, octets) if *at == stage => output.extend_from_slice(octets),
        Fault::Answers(at, action) | Fault::Ends(at, action) if *at == stage => {
            Response::Action(action.clone()).encode(output);
        }
        Fault::Late(_) if stage == Stage::Header => Response::Action(Action::Reject).encode(output),
        Fault::Late(_) if matches!(stage, Stage::Eoh | Stage::Body) => {}
        Fault::Late(late) if stage == Stage::Eom => {
            late.let_go.notified().await;
            output.extend_from_slice(&late.octets);
        }
        _ if stage == Stage::Eom => {
            for edit in edits() {
                Response::Edit(edit).encode(output);
            }
            Response::Action(Action::Continue).encode(output);
        }
        _ if agreed.answers(stage) => Response::Action(Action::Continue).encode(output),
        _ => {}
    }
    Some(())
}
