//! A router asked about its queue: answers in lines, which end with one that says so.

use std::ops::ControlFlow;

use switchyard_router::control::{End, Line, RowsAsked};
use switchyard_router::queue::order::{Request, Tally};
use switchyard_router::queue::row::Row;

use crate::control::{Control, ControlError};
use crate::output::Exit;

/// Why a router's queue could not be asked, or did not do all that was ordered.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It gave no answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It said why it could not go on.
    #[error("{0}")]
    Fault(String),
    /// The answer has no end.
    #[error("the answer was cut: {0}")]
    Cut(&'static str),
}

impl AskError {
    /// How a verb ends with it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Control(error) => error.exit(),
            Self::Cut(ORDER_GOES_ON) => Exit::GoesOn,
            Self::Fault(_) | Self::Cut(_) => Exit::Misuse,
        }
    }
}

/// What a cut answer to an order means.
const ORDER_GOES_ON: &str = "the router goes on with the order as long as it runs";

/// Hears of the messages that are meant, until `each` says that it has heard enough.
pub(super) fn rows(
    control: &Control,
    question: &RowsAsked,
    mut each: impl FnMut(&Row) -> bool,
) -> Result<(), AskError> {
    let (mut end, mut enough) = (None, false);
    control.post_for_lines("/queue/rows", question, |line| match line {
        Line::Row(row) if !each(&row) => {
            enough = true;
            ControlFlow::Break(())
        }
        Line::End(told) => {
            end = Some(told);
            ControlFlow::Break(())
        }
        Line::Row(_) | Line::Tally(_) => ControlFlow::Continue(()),
    })?;
    if enough { Ok(()) } else { finished(end, "more mail may be in the queue") }
}

/// Gives an order; `progress` hears how far it has come.
pub(super) fn order(
    control: &Control,
    request: &Request,
    mut progress: impl FnMut(&Tally),
) -> Result<Tally, AskError> {
    let (mut last, mut end) = (Tally::default(), None);
    control.order_for_lines("/queue/order", request, |line| match line {
        Line::Tally(tally) => {
            progress(&tally);
            last = tally;
            ControlFlow::Continue(())
        }
        Line::End(told) => {
            end = Some(told);
            ControlFlow::Break(())
        }
        Line::Row(_) => ControlFlow::Continue(()),
    })?;
    finished(end, ORDER_GOES_ON).map(|()| last)
}

fn finished(end: Option<End>, cut: &'static str) -> Result<(), AskError> {
    match end {
        None => Err(AskError::Cut(cut)),
        Some(End { fault: Some(why) }) => Err(AskError::Fault(why)),
        Some(End { fault: None }) => Ok(()),
    }
}
