//! MTAs' connections: each gets a [`Talk`]. The wire is switchyard-milter-protocol's, and here our words become its words.

use std::sync::Arc;

use bytes::Bytes;
use switchyard_daemon::doors::Host;
use switchyard_daemon::drain::Drain;
use switchyard_milter_protocol::edit::Edit as WireEdit;
use switchyard_milter_protocol::event::{Event, Field, Path};
use switchyard_milter_protocol::io::serve::{Context, Ended, Filter, ServeOptions, Verdict, serve};
use switchyard_milter_protocol::io::stream::Duplex;
use switchyard_milter_protocol::negotiate::{Actions, Steps, Wants};
use switchyard_milter_protocol::reply::ReplyText;
use switchyard_milter_protocol::response::Action as WireAction;
use switchyard_milter_protocol::stage::Stage;

use crate::answer::{Action, Answer};
use crate::draft::Edit;
use crate::listen::Listener;
use crate::message::Unread;
use crate::talk::{Shared, Talk};

/// What we want of an MTA: what is never looked at is not sent, and nothing is answered that need not be.
fn wants() -> Wants {
    let steps = [
        Steps::NO_UNKNOWN,
        Steps::NO_DATA,
        Steps::NO_REPLY_CONNECT,
        Steps::NO_REPLY_HELO,
        Steps::NO_REPLY_MAIL,
        Steps::NO_REPLY_RCPT,
        Steps::NO_REPLY_HEADER,
        Steps::NO_REPLY_EOH,
        // Whoever waits after each chunk of a body waits in vain: what is said of it is said at the end.
        Steps::NO_REPLY_BODY,
        Steps::SKIP,
        Steps::LEADING_SPACE,
    ];
    Wants {
        actions: Actions::ADD_HEADERS
            | Actions::CHANGE_HEADERS
            | Actions::ADD_RECIPIENTS
            | Actions::QUARANTINE,
        steps: steps.into_iter().fold(Steps::default(), |all, step| all | step),
        macros: Vec::new(),
    }
}

/// Who meets MTAs at one door.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) drain: Drain,
}

impl Host<Listener> for Door {
    async fn serve(self: Arc<Self>, stream: Box<dyn Duplex>, (): ()) {
        let shared = &self.shared;
        let idle = shared.live.load().idle;
        let options = ServeOptions { idle, ..ServeOptions::new(wants(), self.drain.token()) };
        let mut talk = Talk::new(Arc::clone(shared));
        let ended = serve(stream, &options, &mut talk).await;
        if matches!(ended, Ended::TimedOut | Ended::Broken) {
            shared.metrics.broken.inc();
            tracing::warn!(why = ended.as_str(), "a connection of an MTA ended early");
        }
    }

    /// An MTA has no ear for a reason: what it hears is that the connection is closed.
    async fn refuse(self: Arc<Self>, _stream: Box<dyn Duplex>, (): ()) {}
}

impl Filter for Talk {
    async fn event(&mut self, event: Event, context: Context) -> WireAction {
        let stage = event.stage();
        let leading_space = context.agreed.steps.contains(Steps::LEADING_SPACE);
        let action = match self.hear(event, &context.macros, leading_space) {
            // No more of it is looked at, nor sent by an MTA that waits for answers. Why is told at the end.
            Some(Unread::TooLarge | Unread::NoMemory) if stage == Stage::Body => WireAction::Skip,
            Some(_) | None => WireAction::Continue,
        };
        self.count(stage, &action);
        action
    }

    async fn end(&mut self, rest: Bytes, context: Context) -> Verdict {
        let answer = self.answer(&rest, &context.macros).await;
        let verdict = verdict(answer);
        for edit in &verdict.edits {
            self.metrics().edits.with_label_values(&[edit.as_str()]).inc();
        }
        self.count(Stage::Eom, &verdict.action);
        verdict
    }

    fn abort(&mut self) {
        self.forget_message();
    }

    fn next_session(&mut self) {
        self.forget_client();
    }
}

impl Talk {
    fn count(&self, stage: Stage, action: &WireAction) {
        self.metrics().events.with_label_values(&[stage.as_str(), action.as_str()]).inc();
    }
}

/// Our words in the protocol's.
fn verdict(answer: Answer) -> Verdict {
    let field = |name: Bytes, value: String| Field { name, value: value.into() };
    let edits = answer.edits.into_iter().map(|edit| match edit {
        Edit::Prepend { name, value } => WireEdit::InsHeader { index: 0, field: field(name.into(), value) },
        Edit::Remove { name, occurrence } => {
            WireEdit::ChgHeader { index: occurrence, field: field(name.into(), String::new()) }
        }
        Edit::AddRecipient(path) => WireEdit::AddRcpt(Path::new(path)),
        Edit::Quarantine(reason) => WireEdit::Quarantine(reason.into()),
    });
    let reply = |code, status, text: &str, otherwise| {
        ReplyText::new(code, Some(status), text).map_or(otherwise, WireAction::Reply)
    };
    let action = match answer.action {
        Action::Continue => WireAction::Continue,
        Action::Tempfail(why) => reply(451, (4, 3, 0), why, WireAction::Tempfail),
        // RFC 7372 §3.3: multiple authentication checks failed.
        Action::Reject(why) => reply(550, (5, 7, 26), &why, WireAction::Reject),
    };
    Verdict { action, edits: edits.collect() }
}
