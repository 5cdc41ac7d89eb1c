//! What the operator's tool asks of the queue, as routes of the control socket.
//!
//! | | |
//! |---|---|
//! | `POST /queue/rows` | messages: a [`Row`] a line, then an [`End`] |
//! | `POST /queue/groups` | counts ([`Groups`](crate::queue::row::Groups)) |
//! | `GET /queue/suspensions` | suspensions in force ([`Suspension`](crate::queue::suspend::Suspension)) |
//! | `POST /queue/resume` | ends suspensions ([`ResumeAsked`]): those that ended |
//! | `POST /queue/order` | an order ([`Request`]): a [`Tally`] a line while it is carried out, then an [`End`] |
//!
//! Answers that may be long are lines of JSON, written while they are made: an answer without its end was cut.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use switchyard_daemon::control::{Asked, answer, refuse};
use tokio::sync::mpsc;

use crate::queue::QueueHandle;
use crate::queue::order::{Request, Tally};
use crate::queue::row::{GroupBy, Row};
use crate::queue::select::Selector;

/// Which messages to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsAsked {
    /// These.
    #[serde(default)]
    pub select: Selector,
    /// With every recipient, those too that have their mail.
    #[serde(default)]
    pub all_recipients: bool,
}

/// What to count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupsAsked {
    /// These messages.
    #[serde(default)]
    pub select: Selector,
    /// By what.
    pub by: GroupBy,
    /// The largest so many groups.
    pub top: usize,
}

/// Which suspensions to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeAsked {
    /// Those of these numbers; all where none are given.
    pub numbers: Option<Vec<u32>>,
}

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A message.
    Row(Box<Row>),
    /// How far an order has come.
    Tally(Tally),
    /// The last line.
    End(End),
}

/// How an answer ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// What went wrong, if anything did.
    pub fault: Option<String>,
}

/// The routes, for this queue.
pub fn routes(queue: &QueueHandle) -> Router {
    let (listed, counted, ordered) = (queue.clone(), queue.clone(), queue.clone());
    let (suspended, resumed) = (queue.clone(), queue.clone());
    Router::new()
        .route("/queue/suspensions", get(async move || answer(&suspended.suspensions())))
        .route(
            "/queue/resume",
            post(async move |Asked(asked): Asked<ResumeAsked>| match resumed.resume(asked.numbers).await {
                Ok(ended) => answer(&ended),
                Err(why) => refuse(StatusCode::BAD_REQUEST, &why.to_string()),
            }),
        )
        .route("/queue/rows", post(async move |Asked(asked): Asked<RowsAsked>| rows(&listed, asked)))
        .route(
            "/queue/groups",
            post(async move |Asked(asked): Asked<GroupsAsked>| {
                match counted.groups(asked.select, asked.by, asked.top).await {
                    Ok(groups) => answer(&groups),
                    Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
                }
            }),
        )
        .route("/queue/order", post(async move |Asked(request): Asked<Request>| order(&ordered, request)))
}

fn rows(queue: &QueueHandle, asked: RowsAsked) -> Response {
    let mut rows = match queue.rows(asked.select, asked.all_recipients) {
        Ok(rows) => rows,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let (lines, answer) = streamed();
    tokio::spawn(async move {
        while let Some(page) = rows.next().await {
            let page = page.into_iter().map(|row| Line::Row(Box::new(row)));
            // Whoever asked reads no more.
            if lines.send(written(page)).await.is_err() {
                return;
            }
        }
        let _nobody_reads = lines.send(written([Line::End(End::default())])).await;
    });
    answer
}

/// An order goes on when nobody waits for its end any more: half of it is nothing that anybody wants.
fn order(queue: &QueueHandle, request: Request) -> Response {
    let taken = match queue.take(request) {
        Ok(taken) => taken,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why.to_string()),
    };
    let (lines, answer) = streamed();
    tokio::spawn(async move {
        let told = taken.carry_out(|tally| {
            // A reader who is slow misses how far it has come.
            let _missed = lines.try_send(written([Line::Tally(*tally)]));
        });
        let last = match told.await {
            Ok(tally) => written([Line::Tally(tally), Line::End(End::default())]),
            Err(why) => written([Line::End(End { fault: Some(why.to_string()) })]),
        };
        let _nobody_reads = lines.send(last).await;
    });
    answer
}

/// A sender of lines, and the answer that they make.
fn streamed() -> (mpsc::Sender<Bytes>, Response) {
    let (lines, receiver) = mpsc::channel::<Bytes>(LINES_AHEAD);
    let lines_of = stream::unfold(receiver, async |mut receiver| {
        let line = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let body = Body::from_stream(lines_of);
    (lines, ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Pieces of an answer that wait for their reader.
const LINES_AHEAD: usize = 16;

fn written(lines: impl IntoIterator<Item = Line>) -> Bytes {
    let mut octets = Vec::new();
    for line in lines {
        match serde_json::to_vec(&line) {
            Ok(line) => octets.extend(line),
            Err(error) => tracing::error!(%error, "a line of an answer cannot be written"),
        }
        octets.push(b'\n');
    }
    octets.into()
}
