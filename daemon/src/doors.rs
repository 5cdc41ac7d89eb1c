//! Listening sockets that come and go while the process runs.
//!
//! [`Doors`] holds one door for each place to listen on. To change them is two steps, so that nothing is half
//! done: [`Doors::prepare`] binds what is new and may fail, [`Doors::commit`] cannot. A door that stays keeps its
//! socket, and those who come in from then on meet its new [`Host`]. A door that goes closes its socket at once;
//! its sessions are asked to end between two transactions, and are cut at the drain's deadline.
//!
//! A socket of systemd's is taken when the process starts, and only then.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::accept::{AcceptError, Incoming, Sessions, accept};
use crate::drain::{Drain, Drained};
use crate::process::Process;
use crate::sockets::{ListenOn, Listeners, SocketError};

/// Who meets those who come in at one door.
pub trait Host<I: Incoming = TcpListener>: Send + Sync + 'static {
    /// The session.
    fn serve(self: Arc<Self>, stream: I::Stream, peer: I::Peer) -> impl Future<Output = ()> + Send + 'static;

    /// What one hears who is too many.
    fn refuse(self: Arc<Self>, stream: I::Stream, peer: I::Peer)
    -> impl Future<Output = ()> + Send + 'static;
}

/// Where a door can be, as the settings say it.
pub trait Entrance: Clone + PartialEq + fmt::Display + Send + 'static {
    /// A listening socket there.
    type Incoming: Incoming + 'static;
    /// Why there is none.
    type Error;

    /// Opens it: one socket or more.
    ///
    /// # Errors
    /// When it cannot be had.
    fn open(&self, listeners: &mut Listeners) -> Result<Vec<Self::Incoming>, Self::Error>;

    /// The address of such a socket, where it has one.
    fn address(socket: &Self::Incoming) -> Option<SocketAddr>;
}

impl Entrance for ListenOn {
    type Incoming = TcpListener;
    type Error = SocketError;

    fn open(&self, listeners: &mut Listeners) -> Result<Vec<TcpListener>, SocketError> {
        listeners.open(self)
    }

    fn address(socket: &TcpListener) -> Option<SocketAddr> {
        socket.local_addr().ok()
    }
}

/// All doors of a process, under one cap.
#[derive(Debug)]
pub struct Doors<H, E = ListenOn> {
    sessions: Sessions,
    drain: Drain,
    open: Mutex<Vec<Door<H, E>>>,
    keeper: mpsc::Sender<Vec<Task>>,
}

/// One place to listen on, with all sockets that it stands for.
#[derive(Debug)]
struct Door<H, E> {
    on: E,
    addresses: Vec<SocketAddr>,
    host: Arc<ArcSwap<H>>,
    drain: Drain,
}

/// What is bound and not yet listened at.
#[derive(Debug)]
pub struct Prepared<E: Entrance = ListenOn>(Vec<Wanted<E, E::Incoming>>);

#[derive(Debug)]
struct Wanted<E, I> {
    on: E,
    /// None for a door that is open.
    sockets: Option<Vec<I>>,
}

impl<E: Entrance, H: Host<E::Incoming>> Doors<H, E> {
    /// No door yet; those to come share this cap.
    #[must_use]
    pub fn new(sessions: Sessions, process: &mut Process) -> Self {
        let (keeper, orders) = mpsc::channel(1);
        process.tasks.essential("accept", keep(orders, process.drain.clone()));
        Self { sessions, drain: process.drain.clone(), open: Mutex::default(), keeper }
    }

    /// Binds what is wanted and not open. Nothing else changes, and what was bound goes with an error.
    ///
    /// # Errors
    /// When a socket cannot be had.
    pub fn prepare<'a>(
        &self,
        wanted: impl IntoIterator<Item = &'a E>,
        listeners: &mut Listeners,
    ) -> Result<Prepared<E>, E::Error> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<&E> = open.iter().map(|door| &door.on).collect();
        let prepare = |on: &E| {
            // Port 0 may stand there twice: each door answers for one.
            let known = open.iter().position(|known| *known == on).map(|at| open.swap_remove(at));
            let sockets = known.is_none().then(|| on.open(listeners)).transpose()?;
            Ok(Wanted { on: on.clone(), sockets })
        };
        wanted.into_iter().map(prepare).collect::<Result<_, _>>().map(Prepared)
    }

    /// Opens what was prepared, closes what was not, and puts `host`s in place: it is called with the place in the
    /// list that was wanted, and with the drain of that door.
    pub async fn commit(&self, prepared: Prepared<E>, mut host: impl FnMut(usize, &Drain) -> H) {
        let mut tasks: Vec<Task> = Vec::new();
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let mut before = std::mem::take(&mut *open);
            for (index, Wanted { on, sockets }) in prepared.0.into_iter().enumerate() {
                let known = before.iter().position(|door| door.on == on).map(|at| before.remove(at));
                let door = match (known, sockets) {
                    (Some(door), None) => {
                        door.host.store(Arc::new(host(index, &door.drain)));
                        door
                    }
                    (_, sockets) => {
                        let drain = self.drain.part();
                        let host = Arc::new(ArcSwap::from_pointee(host(index, &drain)));
                        let sockets = sockets.unwrap_or_default();
                        let addresses = sockets.iter().filter_map(E::address).collect();
                        let sessions = self.sessions.behind(drain.clone());
                        tasks.extend(sockets.into_iter().map(|socket| greet(socket, &sessions, &host)));
                        Door { on, addresses, host, drain }
                    }
                };
                open.push(door);
            }
            tasks.extend(before.into_iter().map(close));
        }
        // Without a keeper the process is about to end.
        let _at_the_end = self.keeper.send(tasks).await;
    }

    /// At most so many sessions at once from now on, over all doors.
    pub fn set_max(&self, sessions: usize) {
        self.sessions.set_max(sessions);
    }

    /// Where is listened, in the order of the doors.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().flat_map(|door| door.addresses.iter().copied()).collect()
    }
}

// ---- the tasks behind ----

type Task = Pin<Box<dyn Future<Output = Result<(), AcceptError>> + Send>>;

/// Lets people in at one socket until its door is closed.
fn greet<I: Incoming + 'static, H: Host<I>>(socket: I, sessions: &Sessions, host: &Arc<ArcSwap<H>>) -> Task {
    let (serves, refuses) = (Arc::clone(host), Arc::clone(host));
    Box::pin(accept(
        socket,
        sessions.clone(),
        move |stream, peer| serves.load_full().serve(stream, peer),
        move |stream, peer| refuses.load_full().refuse(stream, peer),
    ))
}

/// Closes a door: the accept loop ends, and whoever is in may come to an end.
fn close<H, E: Entrance>(door: Door<H, E>) -> Task {
    let Door { on, drain, .. } = door;
    drain.begin();
    tracing::info!(socket = %on, sessions = drain.open(), "no longer listened at; sessions may end");
    Box::pin(async move {
        match drain.finished(drain.deadline()).await {
            Drained::Whole => tracing::info!(socket = %on, "every session of a closed listener ended"),
            Drained::Cut(sessions) => {
                tracing::warn!(socket = %on, sessions, "sessions of a closed listener were cut at the deadline");
            }
        }
        Ok(())
    })
}

/// Runs what a change brings until the process drains. One socket that fails is the end of the process: nobody
/// could come in there.
async fn keep(mut orders: mpsc::Receiver<Vec<Task>>, drain: Drain) -> Result<(), AcceptError> {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(tasks) = orders.recv() => tasks.into_iter().for_each(|task| drop(running.spawn(task))),
            Some(ended) = running.join_next() => match ended {
                Ok(ended) => ended?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_stopped) => {}
            },
            () = drain.wait_started(), if running.is_empty() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
