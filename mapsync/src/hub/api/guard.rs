//! Who may ask for what: one table, and nothing beside it is answered.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::door::Caller;
use crate::identity::Role;

/// A method of a path, and who may use it.
#[derive(Debug)]
pub(crate) struct Right {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) roles: &'static [Role],
}

const EVERYONE: &[Role] = &Role::ALL;
/// Who takes files, or brings them. One who only looks sees no recipient lists.
const WITH_FILES: &[Role] = &[Role::Agent, Role::Hub, Role::Push, Role::Admin];
const PUSHERS: &[Role] = &[Role::Push, Role::Admin];

/// All that is answered.
pub(crate) const RIGHTS: &[Right] = &[
    Right { method: Method::GET, path: "/v1/roots/{environment}", roles: EVERYONE },
    Right { method: Method::POST, path: "/v1/roots/{environment}", roles: &[Role::Admin] },
    Right { method: Method::GET, path: "/v1/roots/{environment}/{version}", roles: EVERYONE },
    Right { method: Method::GET, path: "/v1/heads/{environment}", roles: EVERYONE },
    Right { method: Method::GET, path: "/v1/generations/{environment}", roles: EVERYONE },
    Right { method: Method::POST, path: "/v1/generations/{environment}", roles: PUSHERS },
    Right { method: Method::GET, path: "/v1/generations/{environment}/{generation}", roles: EVERYONE },
    Right { method: Method::GET, path: "/v1/releases/{environment}", roles: EVERYONE },
    Right {
        method: Method::POST,
        path: "/v1/releases/{environment}",
        roles: &[Role::Push, Role::Admin, Role::Hub],
    },
    Right { method: Method::GET, path: "/v1/blobs/{hash}", roles: WITH_FILES },
    Right { method: Method::PUT, path: "/v1/blobs/{hash}", roles: PUSHERS },
];

/// The right that a request needs; what may be read may be asked about, too.
fn right(method: &Method, path: &str) -> Option<&'static Right> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    RIGHTS.iter().find(|right| right.method == *method && right.path == path)
}

/// Lets those through who may ask this.
pub(crate) async fn guard(
    State(shared): State<Shared>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let answered = match allowed(&path, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let class = format!("{}xx", answered.status().as_u16() / 100);
    shared.metrics.requests.with_label_values(&[path.as_str(), class.as_str()]).inc();
    answered
}

fn allowed(path: &MatchedPath, request: &Request) -> Result<(), Problem> {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Err(Problem::forbidden("nobody knows who asks"));
    };
    let caller = caller.as_ref().as_ref().map_err(|error| Problem::forbidden(error.to_string()))?;
    let right = right(request.method(), path.as_str());
    match right {
        Some(right) if right.roles.contains(&caller.role) => Ok(()),
        // RFC 9110 §15.5.4: a route that nobody has a right to is forbidden to everybody.
        _ => {
            let (method, path) = (request.method(), path.as_str());
            tracing::warn!(%caller, %method, path, "refused: not for this role");
            let why = format!("the role `{}` has no right to {method} {path}", caller.role);
            Err(Problem::forbidden(why))
        }
    }
}
