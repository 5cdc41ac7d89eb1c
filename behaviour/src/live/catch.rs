//! Catchers: mail servers of ours, SMTP and LMTP, that the servers under test deliver to; or Maildirs that they
//! deliver to anyway (`Maildirs`).
//!
//! A catcher takes everything, and keeps of each message that carries a token of this run the envelope and the
//! header. Mail without one is counted and dropped: it is none of ours. What is kept is bounded.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use switchyard_daemon::drain::Drain;
use switchyard_daemon::sockets::{self, SocketError};
use switchyard_smtp::envelope::{MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::io::serve::{Calm, ServeOptions, Service, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Dialect, Event, Limits, Took, Transaction};
use switchyard_smtp::wire::data::unstuff;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::header::{fields, token};
use super::maildir::Maildirs;
use crate::pattern::bare;
use crate::seen::Caught;

/// Copies of one message that are judged; one more is kept, to tell that there were more.
pub(super) const MOST_COPIES: usize = 100;
/// How long sessions may take to end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The catchers of a run. They end with it.
#[derive(Debug)]
pub struct Catchers {
    names: Vec<String>,
    kept: Arc<Kept>,
    drain: Drain,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    mail: Mutex<Mail>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Mail {
    by_token: HashMap<String, Vec<Caught>>,
    strangers: usize,
}

/// Why nothing can be caught.
#[derive(Debug, thiserror::Error)]
pub enum CatchError {
    /// Two of one name.
    #[error("two catchers are named `{0}`: give each a name of its own, NAME=ADDRESS")]
    Twins(String),
    /// The Maildirs can't be read.
    #[error("{}: can't be read: {error}", folder.display())]
    Folder {
        /// Where.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The address can't be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

impl Catchers {
    /// Listens at each of these addresses under its name.
    ///
    /// # Errors
    /// When a name stands twice, or an address can't be had.
    pub fn listen(at: &[(String, SocketAddr)]) -> Result<Self, CatchError> {
        let mut names = HashSet::new();
        if let Some((twin, _)) = at.iter().find(|(name, _)| !names.insert(name)) {
            return Err(CatchError::Twins(twin.clone()));
        }
        let (kept, drain) = (Arc::new(Kept::default()), Drain::new());
        let listeners: Vec<_> =
            at.iter().map(|(_, address)| sockets::bind(*address)).collect::<Result<_, _>>()?;
        let names: Vec<String> = at.iter().map(|(name, _)| name.clone()).collect();
        for (name, listener) in names.iter().zip(listeners) {
            let catcher = Catcher {
                place: name.as_str().into(),
                kept: Arc::clone(&kept),
                size: Limits::default().message_size,
            };
            tokio::spawn(accept(listener, catcher, drain.clone()));
        }
        Ok(Self { names, kept, drain })
    }

    /// Looks into the Maildirs below this folder as well.
    ///
    /// # Errors
    /// When the name stands already, or the folder can't be read.
    pub fn watch(&mut self, name: &str, folder: &Path) -> Result<(), CatchError> {
        if self.names.iter().any(|other| other == name) {
            return Err(CatchError::Twins(name.to_owned()));
        }
        let maildirs = Maildirs::open(name, folder)
            .map_err(|error| CatchError::Folder { folder: folder.to_owned(), error })?;
        self.names.push(name.to_owned());
        self.drain.track(maildirs.look(Arc::clone(&self.kept), self.drain.clone()));
        Ok(())
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Keeps what comes with this token from now on; mail with any other is a stranger's.
    pub fn expect(&self, token: &str) {
        self.kept.lock().by_token.entry(token.to_owned()).or_default();
    }

    /// What came so far of the message with this token.
    #[must_use]
    pub fn caught(&self, token: &str) -> Vec<Caught> {
        self.kept.lock().by_token.get(token).cloned().unwrap_or_default()
    }

    /// Messages that came without a token of ours.
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.kept.lock().strangers
    }

    /// Waits for the next arrival from now on.
    pub fn more(&self) -> Notified<'_> {
        self.kept.more.notified()
    }

    /// Everything comes once more.
    #[cfg(test)]
    pub(super) fn again(&self) {
        self.kept.lock().by_token.values_mut().for_each(|copies| copies.extend_from_within(..));
    }

    /// Ends them.
    pub async fn end(self) {
        self.drain.finished(LAST_WORDS).await;
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, token: Option<String>, copies: Vec<Caught>) {
        let mut mail = self.lock();
        match token.and_then(|token| mail.by_token.get_mut(&token)) {
            Some(kept) => {
                kept.extend(copies.into_iter().take((MOST_COPIES + 1).saturating_sub(kept.len())));
            }
            None => mail.strangers += 1,
        }
        drop(mail);
        self.more.notify_waiters();
    }
}

async fn accept(listener: TcpListener, catcher: Catcher, drain: Drain) {
    let options = ServeOptions {
        host_name: "catcher.behave.invalid".into(),
        limits: Arc::new(Limits::default()),
        dialect: Dialect::Either,
        tls: None,
        memory: MemoryBudget::new(256 << 20),
        drain: drain.token(),
        stress: Arc::new(Calm),
    };
    loop {
        let accepted = tokio::select! {
            () = drain.wait_started() => return,
            accepted = listener.accept() => accepted,
        };
        // Out of descriptors: what holds them ends within the deadlines of the behaviours.
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (mut catcher, options) = (catcher.clone(), options.clone());
        drain.track(async move {
            serve(Stream::Plain(stream), peer, &options, &mut catcher).await;
        });
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Takes every message for every recipient.
#[derive(Debug, Clone)]
struct Catcher {
    place: Arc<str>,
    kept: Arc<Kept>,
    size: u64,
}

/// It is kept, or none of ours.
struct Looked;

impl Took for Looked {
    fn reply(&self) -> Reply {
        table::TAKEN.with_text("Ok, caught")
    }
}

impl Service for Catcher {
    type Kept = ();
    type Took = Looked;

    async fn connect(&mut self, _client: &Client) -> Result<Offer, Reply> {
        Ok(Offer {
            size: self.size,
            recipients: 1000,
            starttls: false,
            require_tls: false,
            xclient: false,
            xforward: false,
            priority: false,
            xtxn: false,
        })
    }

    async fn hello(&mut self, _client: &Client) -> Result<(), Reply> {
        Ok(())
    }

    async fn sender(&mut self, _client: &Client, _sender: &Sender) -> Result<(), Reply> {
        Ok(())
    }

    async fn recipient(
        &mut self,
        _client: &Client,
        _transaction: &mut Transaction<()>,
        _recipient: &Recipient,
    ) -> Result<(), Reply> {
        Ok(())
    }

    fn room(&mut self, _octets: Option<u64>) -> Result<(), Reply> {
        Ok(())
    }

    async fn content(&mut self, _client: &Client, (): (), mail: MailObject) -> Result<Looked, Reply> {
        let header = fields(&[mail.content.added.as_ref(), &unstuff(&mail.content.wire)].concat());
        let token = token(&header);
        let from = bare(&mail.envelope.sender.reverse_path.to_string()).to_owned();
        let copy = |recipient: &Recipient| Caught {
            place: self.place.to_string(),
            from: from.clone(),
            to: bare(&recipient.forward_path.to_string()).to_owned(),
            header: header.clone(),
        };
        let copies = mail.envelope.recipients.iter().take(MOST_COPIES + 1).map(copy).collect();
        self.kept.keep(token, copies);
        Ok(Looked)
    }

    fn event(&mut self, _event: Event) {}
}
