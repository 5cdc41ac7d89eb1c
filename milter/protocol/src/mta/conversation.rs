//! The talk itself: what can be told when, and what an answer means for what follows.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};

use super::awaited::Awaited;
use super::{Answer, EditLimits, HearError, Heard, Told};
use crate::command::Command;
use crate::event::{Event, Field};
use crate::frame::Frame;
use crate::macros::{Known, usual};
use crate::negotiate::{Agreed, Steps};
use crate::response::{Action, Response};
use crate::stage::Stage;
use crate::turn::{OutOfTurn, Turn};

/// Answers that may be owed at once: so few that a filter never waits for us to read them.
pub(super) const MOST_AHEAD: usize = 64;

/// How much of what comes the filter still wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interest {
    All,
    NotThisMessage,
    NotThisSession,
}

/// The talk with one filter over one connection.
#[derive(Debug)]
pub struct Conversation {
    pub(super) agreed: Agreed,
    pub(super) limits: EditLimits,
    turn: Turn,
    interest: Interest,
    /// Stages that the filter wants no more of in this message.
    skips: Vec<Stage>,
    /// Answers that are owed, in this order.
    awaited: VecDeque<Awaited>,
    /// The latest thing said was "continue" at the end of a message.
    rests: bool,
}

impl Conversation {
    /// Nothing has been told yet.
    pub(super) fn new(agreed: Agreed, limits: EditLimits) -> Self {
        Self {
            agreed,
            limits,
            turn: Turn::default(),
            interest: Interest::All,
            skips: Vec::new(),
            awaited: VecDeque::new(),
            rests: false,
        }
    }

    /// What was agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Whether an event of this stage would be sent now.
    #[must_use]
    pub fn wants(&self, stage: Stage) -> bool {
        self.interest == Interest::All && self.agreed.tells(stage) && !self.skips.contains(&stage)
    }

    /// Whether an event of this stage can be told before the answers that are still owed. The content of a message can:
    /// all of it is here when its first field is told, so that its parts share a write, and their answers a wait. A chunk
    /// of the body waits for the answer to the one before it, which may be that the filter wants no more of them.
    #[must_use]
    pub fn takes(&self, stage: Stage) -> bool {
        self.awaited.back().is_none_or(|latest| {
            let latest = latest.stage();
            let follows = stage > latest || stage == latest && stage == Stage::Header;
            latest.is_content() && stage.is_content() && follows && self.awaited.len() < MOST_AHEAD
        })
    }

    /// The event to which the next answer is owed.
    #[must_use]
    pub fn owed(&self) -> Option<Stage> {
        self.awaited.front().map(Awaited::stage)
    }

    /// Whether an answer is owed. After a word in the middle of a row those behind it stay so: there are filters that
    /// give them and filters that do not. Until they have come, no other message can be told over the connection.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owed().is_some()
    }

    /// Whether recipients that we refuse ourselves are told as well.
    #[must_use]
    pub fn wants_rejected_recipients(&self) -> bool {
        self.agreed.steps.contains(Steps::REJECTED_RCPT) && self.wants(Stage::EnvRcpt)
    }

    /// Writes an event. A field's value is given with the space behind its colon, whatever was agreed, and comes
    /// with it in an edit.
    ///
    /// # Errors
    /// When it cannot come now: a fault of ours.
    pub fn tell(&mut self, event: Event, known: &Known, output: &mut BytesMut) -> Result<Told, OutOfTurn> {
        let stage = event.stage();
        if !self.wants(stage) {
            return Ok(Told::Passed);
        }
        if !self.takes(stage) {
            return Err(OutOfTurn { stage });
        }
        self.turn.admit(stage, &self.agreed)?;
        self.rests = false;
        match self.agreed.wanted_macros(stage) {
            Some(wanted) => known.tell(stage, wanted.iter().map(|name| &name[..]), output),
            None => known.tell(stage, usual(stage).iter().map(|name| name.as_bytes()), output),
        }
        Command::Event(self.fitted(event)).encode(output);
        if !self.agreed.answers(stage) {
            return Ok(Told::NoAnswer);
        }
        self.awaited.push_back(Awaited::new(stage));
        Ok(Told::Awaits)
    }

    /// A field as this filter takes it. A frame larger than was agreed would make it close the connection, so that
    /// a huge field is told by its beginning.
    fn fitted(&self, event: Event) -> Event {
        let Event::Header(Field { mut name, mut value }) = event else { return event };
        // Sendmail eats one space there, and no tab.
        if !self.agreed.steps.contains(Steps::LEADING_SPACE) && value.first() == Some(&b' ') {
            value.advance(1);
        }
        let most = self.agreed.data_size();
        if name.len() + value.len() + 2 > most {
            name.truncate(most / 2);
            value.truncate(most - name.len() - 2);
        }
        Event::Header(Field { name, value })
    }

    /// Takes the next frame of an answer.
    ///
    /// # Errors
    /// When the filter may not say that. The connection must be closed; nothing of the answer counts.
    pub fn hear(&mut self, frame: Frame) -> Result<Heard, HearError> {
        let response = Response::decode(frame)?;
        let Some(awaited) = self.awaited.front_mut() else { return Err(HearError::Unasked) };
        let stage = awaited.stage();
        match response {
            Response::Edit(_) | Response::Progress if awaited.is_past() => Ok(Heard::More),
            Response::Action(_) if awaited.is_past() => {
                self.awaited.pop_front();
                Ok(Heard::More)
            }
            Response::Negotiate(_) => Err(HearError::Unfit { response: "optneg", stage }),
            Response::Progress => Ok(Heard::Progress),
            Response::Edit(edit) if stage != Stage::Eom => {
                Err(HearError::Unfit { response: edit.as_str(), stage })
            }
            Response::Edit(edit) => {
                awaited.take(edit, &self.agreed, self.limits)?;
                Ok(Heard::More)
            }
            Response::Action(action) => {
                let understood = action != Action::Skip || self.agreed.steps.contains(Steps::SKIP);
                if !understood || !action.is_legal(stage) {
                    return Err(HearError::Unfit { response: action.as_str(), stage });
                }
                let edits = self.awaited.pop_front().map(Awaited::into_edits).unwrap_or_default();
                self.conclude(stage, &action);
                let goes_on = matches!(action, Action::Continue | Action::Accept);
                Ok(Heard::Answer(Answer { action, edits: if goes_on { edits } else { Vec::new() } }))
            }
        }
    }

    /// What an action means for the events that follow.
    fn conclude(&mut self, stage: Stage, action: &Action) {
        let of_message = stage.is_of_message();
        self.interest = match action {
            Action::ConnFail | Action::Shutdown => Interest::NotThisSession,
            Action::Skip => {
                self.skips.push(stage);
                self.interest
            }
            Action::Continue => self.interest,
            Action::Accept | Action::Discard if of_message => Interest::NotThisMessage,
            Action::Accept | Action::Discard => Interest::NotThisSession,
            // One recipient less, one command refused: the message and the session go on.
            Action::Reject | Action::Tempfail | Action::Reply(_)
                if matches!(stage, Stage::EnvRcpt | Stage::Unknown) =>
            {
                self.interest
            }
            Action::Reject | Action::Tempfail | Action::Reply(_) if of_message => Interest::NotThisMessage,
            Action::Reject | Action::Tempfail | Action::Reply(_) => Interest::NotThisSession,
        };
        if stage == Stage::Eom {
            self.end_message();
            self.rests = *action == Action::Continue;
        }
    }

    fn end_message(&mut self) {
        self.turn.end_message();
        self.skips.clear();
        if self.interest == Interest::NotThisMessage {
            self.interest = Interest::All;
        }
    }

    /// Drops the message at hand: RSET, a refusal by somebody else, or a refusal by this filter. An answer that is
    /// still awaited is awaited on: nothing can be told before it. It counts for nothing, and no edit of it comes out.
    pub fn abort(&mut self, output: &mut BytesMut) {
        self.awaited.iter_mut().for_each(Awaited::pass);
        if self.turn.in_message() {
            Command::Abort.encode(output);
            self.rests = false;
        }
        self.end_message();
    }

    /// The client is gone, and the connection is kept for another. `false` when that cannot be: then only
    /// [`Conversation::quit`] is left. An answer that nobody waited for would be the next client's.
    ///
    /// libmilter passes over the command, and over the next connection with it, unless it stands right behind the end
    /// of a message that it answered with "continue".
    #[must_use]
    pub fn next_session(&mut self, output: &mut BytesMut) -> bool {
        if self.agreed.version < 6 || !self.rests || self.owes() {
            return false;
        }
        Command::QuitNewConnection.encode(output);
        self.rests = false;
        self.turn = Turn::default();
        self.interest = Interest::All;
        true
    }

    /// Says goodbye.
    pub fn quit(mut self, output: &mut BytesMut) {
        if !self.owes() {
            self.abort(output);
        }
        Command::Quit.encode(output);
    }
}
