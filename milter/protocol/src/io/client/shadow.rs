//! A filter that only watches: it is shown what came, and what it says is compared and counted, never done.
//!
//! What is told of a message is kept as a [`Story`] beside the real filters. Once the message has its verdict, the story
//! goes to a task that tells it to the shadow from the beginning, over a session of its own. So the mail never waits for
//! its shadow, and no message is ever mixed with another: what was dropped has no story. Stories that wait are bounded
//! in number and octets; one too many is counted as not compared.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::BytesMut;
use tokio::sync::mpsc;

use super::{By, Outcome, Pool, Session, Verdict};
use crate::edit::Edit;
use crate::edits::Message;
use crate::event::Event;
use crate::macros::Known;
use crate::stage::Stage;

/// Stories that wait.
const MOST_WAITING: usize = 64;
/// Octets of their contents.
const MOST_OCTETS: usize = 32 << 20;

/// The pool of a filter that only watches.
#[derive(Debug)]
pub struct Shadow {
    pool: Arc<Pool>,
    /// The task is started by the first story, and ends with this.
    told: OnceLock<mpsc::Sender<Story>>,
    /// Octets of all stories that wait.
    waiting: Arc<AtomicUsize>,
}

/// What came of one message, and what was done with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    said: Vec<Said>,
    content: Option<(Message, Known, Outcome)>,
}

#[derive(Debug, Clone)]
struct Said {
    event: Event,
    known: Known,
    real: Verdict,
}

impl Story {
    /// An event, and the real filters' word on it.
    pub(super) fn tell(&mut self, event: &Event, known: &Known, real: &Verdict) {
        if event.stage() == Stage::Helo {
            self.said.retain(|said| said.event.stage() != Stage::Helo);
        }
        self.said.push(Said { event: event.clone(), known: known.clone(), real: real.clone() });
    }

    /// The content, and what became of it.
    pub(super) fn end(&mut self, message: Message, known: &Known, real: Outcome) {
        self.content = Some((message, known.clone(), real));
    }

    /// What is left for the next message of the session.
    pub(super) fn end_message(&mut self) {
        self.said.retain(|said| !said.event.stage().is_of_message());
        self.content = None;
    }

    /// Whether the real filters came to a verdict: they refused something that ends a message, or heard all of it.
    pub(super) fn has_verdict(&self) -> bool {
        let ends = |said: &Said| said.real != Verdict::GoOn && said.event.stage() != Stage::EnvRcpt;
        self.content.is_some() || self.said.last().is_some_and(ends)
    }

    fn octets(&self) -> usize {
        self.content.as_ref().map_or(0, |(message, ..)| message.body().len())
    }
}

impl Shadow {
    /// Connects nowhere yet.
    #[must_use]
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool, told: OnceLock::new(), waiting: Arc::default() }
    }

    /// Whom it asks.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Has a story told, if there is room for it.
    pub(super) fn show(&self, story: Story) {
        let told = self.told.get_or_init(|| {
            let (told, stories) = mpsc::channel(MOST_WAITING);
            tokio::spawn(watch(self.pool.clone(), stories, self.waiting.clone()));
            told
        });
        let octets = story.octets();
        let before = self.waiting.fetch_add(octets, Ordering::Relaxed);
        if before.saturating_add(octets) > MOST_OCTETS || told.try_send(story).is_err() {
            self.waiting.fetch_sub(octets, Ordering::Relaxed);
            self.pool.metrics().shadowed(&self.pool.options().name, "not_compared");
        }
    }
}

async fn watch(pool: Arc<Pool>, mut stories: mpsc::Receiver<Story>, waiting: Arc<AtomicUsize>) {
    while let Some(story) = stories.recv().await {
        let octets = story.octets();
        let mut session = Session::new(pool.clone());
        let result = compare(&mut session, story).await;
        session.abort();
        session.close();
        waiting.fetch_sub(octets, Ordering::Relaxed);
        if result != "same" {
            tracing::info!(filter = &*pool.options().name, result, "a shadow filter differs");
        }
        pool.metrics().shadowed(&pool.options().name, result);
    }
}

/// Tells a story; how what the shadow says differs from what was done.
async fn compare(session: &mut Session, story: Story) -> &'static str {
    for Said { event, known, real } in story.said {
        let stage = event.stage();
        *session.macros() = known;
        let said = session.tell(event).await;
        if said.by == By::WhenDown {
            return "down";
        }
        if said.verdict != real {
            return "verdict";
        }
        if real != Verdict::GoOn && stage != Stage::EnvRcpt {
            return "same";
        }
    }
    let Some((message, known, real)) = story.content else { return "not_compared" };
    *session.macros() = known;
    let said = session.message(&message).await;
    if said.by == By::WhenDown {
        return "down";
    }
    if said.verdict != real.verdict {
        return "verdict";
    }
    if joined(said.edits) == joined(real.edits) { "same" } else { "edits" }
}

/// The edits with a new body as one of them: into how many frames it was cut says nothing.
fn joined(edits: Vec<Edit>) -> Vec<Edit> {
    let (mut joined, mut body): (Vec<Edit>, Option<BytesMut>) = (Vec::new(), None);
    for edit in edits {
        match edit {
            Edit::ReplBody(chunk) => body.get_or_insert_default().extend_from_slice(&chunk),
            other => joined.push(other),
        }
    }
    joined.extend(body.map(|body| Edit::ReplBody(body.freeze())));
    joined
}
