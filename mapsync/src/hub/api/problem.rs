//! Every "no" in one form: RFC 9457, `application/problem+json`.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use switchyard_mapsync_protocol::rollout::BadPlan;
use switchyard_mapsync_protocol::trust::Refused;

use crate::hub::board::NotKept;
use crate::hub::order::Fault;
use crate::hub::store::blobs::BlobError;

/// A "no".
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The last word of its type, which programs go by.
    kind: &'static str,
    detail: String,
    more: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), more: Map::new(), headers: HeaderMap::new() }
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", what)
    }

    pub(crate) fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", why)
    }

    pub(crate) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", why)
    }

    /// What the disk did not do; the reason is the operator's, in the log.
    pub(crate) fn store(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "the store");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store", "the hub's store failed; its log says why")
    }

    /// Try again in so many seconds.
    pub(crate) fn busy(why: impl Into<String>) -> Self {
        Self::later("busy", why)
    }

    fn later(kind: &'static str, why: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, why);
        problem.headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        problem
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, kind, detail, more, headers } = self;
        let mut body = json!({
            "type": format!("urn:switchyard:problem:{kind}"),
            "title": status.canonical_reason().unwrap_or("refused"),
            "status": status.as_u16(),
            "detail": detail,
        });
        if let Value::Object(body) = &mut body {
            body.extend(more);
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, headers, kind, body.to_string()).into_response()
    }
}

impl From<NotKept> for Problem {
    fn from(error: NotKept) -> Self {
        let detail = error.to_string();
        match error {
            NotKept::Refused(Refused::Malformed(_)) => {
                Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
            }
            NotKept::Refused(Refused::TooFewSignatures { .. }) => {
                Self::new(StatusCode::FORBIDDEN, "too-few-signatures", detail)
            }
            NotKept::Refused(Refused::State(_)) => Self::store(detail),
            NotKept::Refused(_) => Self::new(StatusCode::CONFLICT, "refused", detail),
            NotKept::Plan(BadPlan::Malformed(_)) => Self::new(StatusCode::BAD_REQUEST, "malformed", detail),
            NotKept::Plan(BadPlan::TooFewSignatures { .. }) => {
                Self::new(StatusCode::FORBIDDEN, "too-few-signatures", detail)
            }
            NotKept::Plan(BadPlan::Rule(_)) | NotKept::OldPlan { .. } | NotKept::OtherPlan => {
                Self::new(StatusCode::CONFLICT, "refused", detail)
            }
            NotKept::Lost { current, .. } => Self::new(StatusCode::PRECONDITION_FAILED, "lost-race", detail)
                .with("current", json!(current)),
            NotKept::Gap { next, .. } => {
                Self::new(StatusCode::CONFLICT, "gap", detail).with("next", json!(next))
            }
            NotKept::Missing(hashes) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "missing-files", detail)
                .with("missing", json!(hashes)),
            NotKept::Follows(_) => Self::new(StatusCode::CONFLICT, "follows", detail),
            NotKept::Ledger(error) => match error.fault {
                Fault::TooLong => Self::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too-long",
                    format!(
                        "{error}: begin etcd's members with a larger --max-request-bytes, or push fewer files"
                    ),
                ),
                Fault::Full => Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "full",
                    format!("{error}: etcd is full, and must be emptied"),
                ),
                Fault::Passing | Fault::Final => Self::later("no-agreement", detail),
            },
            NotKept::Crowded => Self::busy(detail),
            NotKept::Copies { .. } => Self::later("copies", detail),
            NotKept::Copying => Self::later("copying", detail),
            NotKept::Store(error) => Self::store(error),
            NotKept::Files(error) => Self::store(error),
            NotKept::Task(error) => Self::store(error),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        let detail = error.to_string();
        match error {
            BlobError::TooLong(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail),
            BlobError::Full(_) => Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", detail),
            BlobError::Hash { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-hash", detail),
            BlobError::Io(error) => Self::store(error),
        }
    }
}
