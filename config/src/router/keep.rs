//! Where mail is kept until it is delivered, and when delivery is tried.

use std::path::PathBuf;
use std::time::Duration;

use crate::reader::Section;
use crate::words::Size;

/// Where mail is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Ours alone.
    pub folder: PathBuf,
    /// Octets of one segment of the log.
    pub segment_size: u64,
    /// Octets that the spool may take.
    pub max_size: u64,
    /// Octets of the file system that are left to others.
    pub min_free: u64,
    /// Octets up to which a content stands in the log itself.
    pub inline_limit: usize,
}

/// When it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Messages in the active queue.
    pub active_limit: usize,
    /// From a first failure to the next attempt.
    pub minimal_backoff: Duration,
    /// Between two attempts at most.
    pub maximal_backoff: Duration,
    /// After that, a message is returned.
    pub queue_lifetime: Duration,
    /// The same for mail with the null reverse-path.
    pub bounce_queue_lifetime: Duration,
    /// After that, its sender is told that it waits; zero for never.
    pub delay_warning: Duration,
    /// Deliveries to one destination at once.
    pub destination_concurrency: u32,
    /// The same, to begin with.
    pub initial_destination_concurrency: u32,
    /// How long a destination that nobody could reach is left alone.
    pub dead_destination_wait: Duration,
    /// Octets of content kept in memory for the first attempt.
    pub content_memory: u64,
}

pub(super) fn spool(section: &mut Section<'_>) -> Spool {
    let spool = Spool {
        folder: section
            .restart(
                "folder",
                "Where mail is kept: a folder of the router's own, on a disk that keeps its word.",
            )
            .or(PathBuf::from("/var/lib/switchyard-router/spool")),
        segment_size: section
            .restart("segment_size", "One segment of the log, filled with zeros once and used again.")
            .at_least(Size(64 << 10))
            .at_most(Size(1 << 30))
            .or(Size(64 << 20))
            .0,
        max_size: section
            .restart("max_size", "All that the spool may take; beyond it, clients get 452.")
            .at_least(Size(1 << 20))
            .or(Size(16 << 30))
            .0,
        min_free: section
            .restart("min_free", "What is left free on the disk; below it, clients get 452.")
            .or(Size(256 << 20))
            .0,
        inline_limit: section
            .restart(
                "inline_limit",
                "Content up to this size stands in the log; larger gets a file of its own.",
            )
            .at_most(Size(16 << 20))
            .or(Size(256 << 10))
            .octets(),
    };
    if spool.max_size > 0 && spool.segment_size > spool.max_size / 8 {
        section.fault(&["segment_size", "max_size"], "`segment_size` may be an eighth of `max_size` at most");
    }
    spool
}

pub(super) fn queue(section: &mut Section<'_>) -> Queue {
    let second = Duration::from_secs(1);
    let hours = |count: u64| Duration::from_secs(count * 3600);
    let queue = Queue {
        active_limit: section
            .live("active_limit", "Messages being delivered or next to be; the others wait on disk.")
            .at_least(1_usize)
            .at_most(1_000_000_usize)
            .or(20_000),
        minimal_backoff: section
            .live("minimal_backoff", "From a first failure to the next attempt; doubled from then on.")
            .at_least(second)
            .or(Duration::from_secs(300)),
        maximal_backoff: section
            .live("maximal_backoff", "Between two attempts at most.")
            .at_least(second)
            .or(Duration::from_secs(4000)),
        queue_lifetime: section
            .live("queue_lifetime", "After that, undelivered mail is returned to its sender.")
            .or(hours(120)),
        bounce_queue_lifetime: section
            .live("bounce_queue_lifetime", "The same for mail with the null reverse-path, which is dropped.")
            .or(hours(120)),
        delay_warning: section
            .live("delay_warning", "After that, the sender is told that the mail waits; 0s is never.")
            .or(hours(4)),
        destination_concurrency: section
            .live("destination_concurrency", "Deliveries to one destination at once.")
            .at_least(1_u32)
            .at_most(10_000_u32)
            .or(20),
        initial_destination_concurrency: section
            .live("initial_destination_concurrency", "The same to begin with; it grows with success.")
            .at_least(1_u32)
            .or(5),
        dead_destination_wait: section
            .live("dead_destination_wait", "How long a destination that nobody could reach is left alone.")
            .or(Duration::from_secs(300)),
        content_memory: section
            .live(
                "content_memory",
                "Content kept in memory for the first attempt; other content is read back.",
            )
            .or(Size(64 << 20))
            .0,
    };
    if queue.minimal_backoff > queue.maximal_backoff {
        section.fault(
            &["minimal_backoff", "maximal_backoff"],
            "`minimal_backoff` is longer than `maximal_backoff`",
        );
    }
    if queue.initial_destination_concurrency > queue.destination_concurrency {
        section.fault(
            &["initial_destination_concurrency", "destination_concurrency"],
            "`initial_destination_concurrency` is over `destination_concurrency`",
        );
    }
    queue
}
