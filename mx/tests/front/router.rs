//! A router of our own making: the SMTP core's server with a mind that a test makes up.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use switchyard_smtp::envelope::{MailObject, Recipient, Sender, TransactionId};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::io::serve::{Calm, ServeOptions, Service, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Dialect, Event, Limits, Took, Transaction};
use switchyard_smtp::wire::command::Attributes;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// What a router does with the next message; without one it takes it.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Takes it, and hangs up instead of saying so.
    TakesAndCuts,
    /// Hangs up, having taken nothing.
    Cuts,
    /// Says this instead.
    Says(Reply),
    /// Waits for [`FakeRouter::go_on`], then takes it.
    Waits,
}

/// A message as the router has it.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) mail: MailObject,
    pub(crate) forwarded: Option<Attributes>,
    pub(crate) tls: bool,
}

impl Taken {
    /// The whole content as it came, dot-stuffed.
    pub(crate) fn text(&self) -> String {
        String::from_utf8([&self.mail.content.added[..], &self.mail.content.wire].concat()).unwrap()
    }

    pub(crate) fn recipients(&self) -> Vec<String> {
        self.mail.envelope.recipients.iter().map(|to| to.forward_path.to_string()).collect()
    }
}

#[derive(Debug, Default)]
struct Mind {
    next: Mutex<VecDeque<Does>>,
    /// What is said to these recipients.
    refuses: Mutex<HashMap<String, Reply>>,
    taken: Mutex<Vec<Taken>>,
    /// Ids of what was taken.
    known: Mutex<HashMap<TransactionId, usize>>,
    connections: AtomicUsize,
    offers: watch::Sender<usize>,
    go_on: Notify,
    dies: CancellationToken,
    knows_ids: bool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// A running router.
pub(crate) struct FakeRouter {
    pub(crate) address: SocketAddr,
    mind: Arc<Mind>,
    accepting: tokio::task::JoinHandle<()>,
}

impl FakeRouter {
    /// One of ours: it knows transactions by their ids.
    pub(crate) async fn start() -> Self {
        Self::start_with(Mind { knows_ids: true, ..Mind::default() }).await
    }

    /// One of ours with a certificate.
    pub(crate) async fn with_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::start_with(Mind { knows_ids: true, tls: Some(config), ..Mind::default() }).await
    }

    /// Somebody else's.
    pub(crate) async fn ordinary() -> Self {
        Self::start_with(Mind::default()).await
    }

    async fn start_with(mind: Mind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, mind) = (listener.local_addr().unwrap(), Arc::new(mind));
        let shared = Arc::clone(&mind);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(session(stream, peer, Arc::clone(&shared)));
            }
        });
        Self { address, mind, accepting }
    }

    pub(crate) fn will(&self, does: Does) {
        self.mind.next.lock().unwrap().push_back(does);
    }

    pub(crate) fn refuse(&self, recipient: &str, reply: Reply) {
        self.mind.refuses.lock().unwrap().insert(recipient.into(), reply);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.mind.taken.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.mind.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many messages have come in, taken or not.
    pub(crate) async fn offered(&self, count: usize) {
        self.mind.offers.subscribe().wait_for(|seen| *seen >= count).await.unwrap();
    }

    /// Closes its port and all its connections.
    pub(crate) fn die(&self) {
        self.mind.dies.cancel();
        self.accepting.abort();
    }

    /// Lets one that waits go on.
    pub(crate) fn go_on(&self) {
        self.mind.go_on.notify_one();
    }
}

impl Drop for FakeRouter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn session(stream: tokio::net::TcpStream, peer: SocketAddr, mind: Arc<Mind>) {
    let options = ServeOptions {
        host_name: "router.example.org".into(),
        limits: Arc::new(Limits::default()),
        dialect: Dialect::Smtp,
        tls: mind.tls.clone(),
        memory: MemoryBudget::new(1 << 30),
        drain: CancellationToken::new(),
        stress: Arc::new(Calm),
    };
    let (cut, dies) = (Arc::new(Notify::new()), mind.dies.clone());
    let mut service = Mindful { mind, cut: Arc::clone(&cut) };
    tokio::select! {
        _ended = serve(Stream::Plain(stream), peer, &options, &mut service) => {}
        () = cut.notified() => {}
        () = dies.cancelled() => {}
    }
}

struct Mindful {
    mind: Arc<Mind>,
    cut: Arc<Notify>,
}

pub(crate) struct Receipt(usize);

impl Took for Receipt {
    fn reply(&self) -> Reply {
        table::TAKEN.with_text(format!("Ok: queued as Q{}", self.0))
    }
}

impl Mindful {
    fn take(&self, taken: Taken) -> Receipt {
        let id = taken.mail.envelope.sender.transaction;
        let mut all = self.mind.taken.lock().unwrap();
        if let Some(number) = id.and_then(|id| self.mind.known.lock().unwrap().get(&id).copied()) {
            return Receipt(number);
        }
        all.push(taken);
        if let Some(id) = id {
            self.mind.known.lock().unwrap().insert(id, all.len());
        }
        Receipt(all.len())
    }

    async fn hang_up(&self) -> ! {
        self.cut.notify_one();
        std::future::pending().await
    }
}

impl Service for Mindful {
    type Kept = ();
    type Took = Receipt;

    async fn connect(&mut self, _client: &Client) -> Result<Offer, Reply> {
        Ok(Offer {
            size: 50 << 20,
            recipients: 1000,
            starttls: self.mind.tls.is_some(),
            require_tls: false,
            xclient: false,
            xforward: true,
            priority: false,
            xtxn: self.mind.knows_ids,
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
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let refuses = self.mind.refuses.lock().unwrap();
        refuses.get(&recipient.forward_path.to_string()).cloned().map_or(Ok(()), Err)
    }

    fn room(&mut self, _octets: Option<u64>) -> Result<(), Reply> {
        Ok(())
    }

    async fn content(&mut self, client: &Client, (): (), mail: MailObject) -> Result<Receipt, Reply> {
        let forwarded = client.forwarded.as_deref().cloned();
        let taken = Taken { mail, forwarded, tls: client.tls.is_some() };
        self.mind.offers.send_modify(|seen| *seen += 1);
        let does = self.mind.next.lock().unwrap().pop_front();
        match does {
            None => {}
            Some(Does::Says(reply)) => return Err(reply),
            Some(Does::Cuts) => self.hang_up().await,
            Some(Does::TakesAndCuts) => {
                self.take(taken);
                self.hang_up().await;
            }
            Some(Does::Waits) => self.mind.go_on.notified().await,
        }
        Ok(self.take(taken))
    }

    fn event(&mut self, _event: Event) {}
}
