//! Who may ask for what: one table, and nothing beside it is answered.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::door::Caller;
use crate::identity::{Identity, Role};

/// A method of a path, and who may use it.
#[derive(Debug)]
pub(crate) struct Right {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) roles: &'static [Role],
    /// What it is for, in a line.
    pub(crate) about: &'static str,
    pub(crate) takes: Takes,
    pub(crate) gives: Gives,
}

/// What is sent with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// A signed message.
    Message,
    /// The plan of a rollout: many signed messages.
    Plan,
    Status,
    File,
    /// What all hosts are asked.
    Question,
    /// What one of them answers.
    Answer,
    /// What hosts said to another hub.
    Words,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// The newest signed message of a kind, now or when there is one.
    Newest,
    /// One of old.
    Message,
    Events,
    Generations,
    /// The number under which a message is kept.
    Number,
    /// Whether a file was here before.
    Presence,
    File,
    Delta,
    Fleet,
    /// Where a rollout stands.
    Rollout,
    /// The fleet as it changes.
    Live,
    /// What hosts answer, as they do.
    Answers,
    /// What is asked of a host.
    Asked,
    /// What hosts said here, for another hub.
    Words,
    /// A part of the page for browsers, of this kind.
    Page(&'static str),
    Nothing,
    /// This description.
    Document,
}

const fn get(path: &'static str, roles: &'static [Role], gives: Gives, about: &'static str) -> Right {
    Right { method: Method::GET, path, roles, about, takes: Takes::Nothing, gives }
}

const fn post(
    path: &'static str,
    roles: &'static [Role],
    takes: Takes,
    gives: Gives,
    about: &'static str,
) -> Right {
    Right { method: Method::POST, path, roles, about, takes, gives }
}

const EVERYONE: &[Role] = &Role::ALL;
/// Who takes files, or brings them. One who only looks sees no recipient lists.
const WITH_FILES: &[Role] = &[Role::Agent, Role::Hub, Role::Push, Role::Admin];
const PUSHERS: &[Role] = &[Role::Push, Role::Admin];
/// A host sees itself, and not the others.
const WATCHERS: &[Role] = &[Role::Hub, Role::Push, Role::Admin, Role::Read];

/// All that is answered.
pub(crate) const RIGHTS: &[Right] = &[
    get("/v1/roots/{environment}", EVERYONE, Gives::Newest, "The root in force: whose keys count."),
    post("/v1/roots/{environment}", &[Role::Admin], Takes::Message, Gives::Number, "Brings the next root."),
    get("/v1/roots/{environment}/{version}", EVERYONE, Gives::Message, "One root of old."),
    get("/v1/heads/{environment}", EVERYONE, Gives::Newest, "The newest generation."),
    get(
        "/v1/generations/{environment}",
        EVERYONE,
        Gives::Generations,
        "Lists generations: at most `limit`, below `before`.",
    ),
    post(
        "/v1/generations/{environment}",
        PUSHERS,
        Takes::Message,
        Gives::Number,
        "Brings a new generation; If-Match names the one it follows.",
    ),
    get("/v1/generations/{environment}/{generation}", EVERYONE, Gives::Message, "One generation of old."),
    get("/v1/releases/{environment}", EVERYONE, Gives::Newest, "The newest release: what is to be in use."),
    post(
        "/v1/releases/{environment}",
        &[Role::Push, Role::Admin, Role::Hub],
        Takes::Message,
        Gives::Number,
        "Brings a new release.",
    ),
    get("/v1/plans/{environment}", WATCHERS, Gives::Newest, "The plan of the last rollout."),
    post(
        "/v1/plans/{environment}",
        PUSHERS,
        Takes::Plan,
        Gives::Number,
        "Brings the plan of a rollout, and begins it.",
    ),
    get("/v1/rollouts/{environment}", WATCHERS, Gives::Rollout, "Where the last rollout stands, and why."),
    get(
        "/v1/events/{environment}",
        EVERYONE,
        Gives::Events,
        "Roots, heads and releases as they come; for hosts also that there is a question.",
    ),
    get("/v1/blobs/{hash}", WITH_FILES, Gives::File, "A file."),
    Right {
        method: Method::PUT,
        path: "/v1/blobs/{hash}",
        // Hubs bring one another the files of a push before it counts.
        roles: &[Role::Push, Role::Admin, Role::Hub],
        about: "Brings a file.",
        takes: Takes::File,
        gives: Gives::Presence,
    },
    get(
        "/v1/deltas/{from}/{to}",
        WITH_FILES,
        Gives::Delta,
        "What changed between two tables; 404 where the whole file is the shorter way.",
    ),
    post("/v1/agents/{host}/status", &[Role::Agent], Takes::Status, Gives::Nothing, "A host says how it is."),
    post(
        "/v1/agents/{host}/answers",
        &[Role::Agent],
        Takes::Answer,
        Gives::Nothing,
        "A host answers a question.",
    ),
    get(
        "/v1/questions/{environment}",
        &[Role::Agent],
        Gives::Asked,
        "What the host that asks has to answer.",
    ),
    post(
        "/v1/questions/{environment}",
        PUSHERS,
        Takes::Question,
        Gives::Answers,
        "Asks all hosts, or those that are named, and tells what they answer.",
    ),
    get("/v1/fleet/{environment}", WATCHERS, Gives::Fleet, "Every host with its last word."),
    get("/v1/fleet/{environment}/live", WATCHERS, Gives::Live, "Hosts as they change, for the page."),
    get(
        "/v1/fleet/{environment}/words",
        &[Role::Hub],
        Gives::Words,
        "What hosts said since `after` words of `run`.",
    ),
    post(
        "/v1/fleet/{environment}/words",
        &[Role::Hub],
        Takes::Words,
        Gives::Nothing,
        "What hosts said to a hub that follows.",
    ),
    get("/", WATCHERS, Gives::Page("text/html"), "The page of the fleet."),
    get("/page.css", WATCHERS, Gives::Page("text/css"), "Its style."),
    get("/page.js", WATCHERS, Gives::Page("text/javascript"), "Its script."),
    get("/v1/openapi.json", EVERYONE, Gives::Document, "This document."),
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
    mut request: Request,
    next: Next,
) -> Response {
    let answered = match allowed(&shared, &path, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    let class = format!("{}xx", answered.status().as_u16() / 100);
    shared.metrics.requests.with_label_values(&[path.as_str(), class.as_str()]).inc();
    answered
}

/// Who asks, if they may.
fn allowed(shared: &Shared, path: &MatchedPath, request: &Request) -> Result<Identity, Problem> {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Err(Problem::forbidden("nobody knows who asks"));
    };
    let callers = caller.as_ref().as_ref().map_err(|error| Problem::forbidden(error.to_string()))?;
    let caller = chosen(shared, callers, asked_for(path.as_str(), request.uri().path()));
    let caller = caller.ok_or_else(|| Problem::forbidden("nobody knows who asks"))?;
    // Files and what they are made of name no environment; still only who belongs to one of ours gets them.
    if !shared.boards.contains_key(&caller.environment.to_string()) {
        let why = format!("`{}` is not served here", caller.environment);
        return Err(Problem::forbidden(why));
    }
    let right = right(request.method(), path.as_str());
    match right {
        Some(right) if right.roles.contains(&caller.role) => Ok(caller.clone()),
        // RFC 9110 §15.5.4: a route that nobody has a right to is forbidden to everybody.
        _ => {
            let (method, path) = (request.method(), path.as_str());
            tracing::warn!(%caller, %method, path, "refused: not for this role");
            let why = format!("the role `{}` has no right to {method} {path}", caller.role);
            Err(Problem::forbidden(why))
        }
    }
}

/// The environment in a path.
fn asked_for<'p>(route: &str, path: &'p str) -> Option<&'p str> {
    let place = route.split('/').position(|part| part == "{environment}")?;
    path.split('/').nth(place)
}

/// As whom one who has several identities asks: that of the environment that is asked for, or any that is served here.
fn chosen<'c>(shared: &Shared, callers: &'c [Identity], environment: Option<&str>) -> Option<&'c Identity> {
    let is_asked =
        |caller: &&Identity| environment.is_some_and(|asked| caller.environment.to_string() == asked);
    let is_served = |caller: &&Identity| shared.boards.contains_key(&caller.environment.to_string());
    let mut all = callers.iter();
    callers.iter().find(is_asked).or_else(|| all.find(is_served)).or_else(|| callers.first())
}
