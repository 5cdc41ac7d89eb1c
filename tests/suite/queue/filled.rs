//! A router with mail in its queue that cannot leave: nobody listens where it is to go.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use switchyard_tests::expect;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, switchyard};

use crate::crash::long;

/// Domains that the mail goes to, in equal parts.
pub(super) const DOMAINS: usize = 10;
/// Sessions that bring it.
const SESSIONS: usize = 20;

/// The router and its mail.
pub(super) struct Filled {
    _site: Site,
    pub(super) router: Daemon,
    /// Where rerouted mail goes.
    pub(super) sink: Sink,
    control: PathBuf,
    pub(super) messages: usize,
}

impl Filled {
    /// Fills one with messages from `bulk@client.example` to `userN@dN.example`; all of them are deferred.
    pub(super) fn new() -> Self {
        let site = Site::new();
        let (sink, control) = (Sink::start(site.ip()), site.path("control.sock"));
        let nowhere: Vec<SocketAddr> = (0..DOMAINS).map(|_| site.free_address()).collect();
        let routes = nowhere.iter().enumerate().map(|(number, nowhere)| {
            format!("d{number}.example smtp:[{}]:{}\n", nowhere.ip(), nowhere.port())
        });
        site.write("maps/transport", &routes.collect::<String>());
        let mut router = site.router("router", sink.address());
        router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
        router.settings.set("maps", "transport", "\"transport\"");
        router.settings.set("control", "socket", &quoted(control.display()));
        for (key, value) in [("minimal_backoff", "1d"), ("maximal_backoff", "1d"), ("delay_warning", "0s")] {
            router.settings.set("queue", key, &quoted(value));
        }
        router.settings.set("spool", "segment_size", "\"8MiB\"");
        router.settings.set("spool", "max_size", "\"1GiB\"");
        router.start();
        let messages = if long() { 100_000 } else { 2_000 };
        let address = router.address();
        thread::scope(|scope| {
            for session in 0..SESSIONS {
                scope.spawn(move || send(address, (session..messages).step_by(SESSIONS)));
            }
        });
        let filled = Self { _site: site, router, sink, control, messages };
        filled.await_queue("deferred", messages);
        filled
    }

    /// Messages to one of the domains.
    pub(super) fn share(&self) -> usize {
        self.messages / DOMAINS
    }

    /// `switchyard queue VERB …`.
    pub(super) fn queue(&self, words: &[&str]) -> Told {
        let router = ["--router", self.control.to_str().expect("a plain path")];
        switchyard(["queue"].iter().chain(words).chain(&router))
    }

    /// The counts that an order came to: matched, changed, under way, unchanged.
    pub(super) fn order(&self, words: &[&str]) -> [usize; 4] {
        let told = self.queue(&[words, &["--json"]].concat());
        assert_eq!((told.code, told.speech.as_str()), (Some(0), ""), "{words:?}: {told:?}");
        let counts = told.json();
        ["matched", "changed", "under_way", "unchanged"]
            .map(|name| counts[name].as_u64().expect("a count") as usize)
    }

    /// How many are in a queue, as the metrics have it.
    pub(super) fn count(&self, queue: &str) -> usize {
        self.router.metric(&format!("switchyard_queue_messages{{queue=\"{queue}\"}}")) as usize
    }

    /// Waits until so many are in a queue.
    pub(super) fn await_queue(&self, queue: &str, messages: usize) {
        expect::holds(&format!("{messages} messages {queue}"), || self.count(queue) == messages);
    }
}

fn send(router: SocketAddr, numbers: impl Iterator<Item = usize>) {
    let mut talk = Talk::hello(router);
    for number in numbers {
        let domain = number % DOMAINS;
        let body = format!("Subject: {number}\r\n\r\nhello\r\n");
        // In one write: the replies are read together (RFC 2920 §3.1).
        let commands = format!(
            "MAIL FROM:<bulk@client.example>\r\nRCPT TO:<user{number}@d{domain}.example>\r\n\
             BDAT {} LAST\r\n{body}",
            body.len()
        );
        talk.send(commands.as_bytes());
        for _ in 0..3 {
            let reply = talk.reply();
            assert_eq!(reply.code, 250, "{reply:?}");
        }
    }
}
