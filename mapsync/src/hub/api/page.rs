//! The page of the fleet, for a browser: one document, one style, one script, all of them in the program. Who looks
//! needs a certificate, like everybody; the environment is the certificate's own.

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::Asks;

const DOCUMENT: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Nothing is loaded from elsewhere, nothing that stands in the page runs, and nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document.
pub(crate) async fn document(Asks(caller): Asks) -> Response {
    // An environment is small letters, digits and `-`: nothing that a document could take for its own.
    let text = DOCUMENT.replace("{environment}", &caller.environment.to_string());
    sent("text/html; charset=utf-8", text)
}

/// The style.
pub(crate) async fn style() -> Response {
    sent("text/css; charset=utf-8", STYLE)
}

/// The script.
pub(crate) async fn script() -> Response {
    sent("text/javascript; charset=utf-8", SCRIPT)
}

fn sent(kind: &'static str, text: impl IntoResponse) -> Response {
    let heading = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // With the program comes a new page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let heading: [(HeaderName, &'static str); 5] = heading;
    (heading, text).into_response()
}
