//! GraphiQL at `/graphiql`: a page to try the API by hand, served from the binary, so that a browser asks no other
//! host.
//!
//! May import axum and `sha2` only; knows nothing of the API but the paths that `graphiql/page.js` asks for, `/graphql`
//! and `/graphql/ws`. Where the files come from is told in `graphiql/README.md`. An example path: `GET /graphiql`
//! answers the page, which asks for `GET /graphiql/page.js`; the second visit gets a 304 for it.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// What the page may load: its own files and this server's API, and nothing else. GraphiQL's dialogs write `<style>`
/// elements, and its stylesheets embed their images.
const CONTENT_SECURITY_POLICY_OF_PAGE: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Browsers keep the files but ask each time whether they changed: a new binary shows at once, and asking costs a 304.
const REVALIDATE: &str = "no-cache";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const GRAPHQL: &str = "application/graphql; charset=utf-8";

const PAGE: File = File { name: "index.html", content_type: HTML, body: include_str!("graphiql/index.html") };

const ASSETS: [File; 7] = [
    File { name: "page.css", content_type: CSS, body: include_str!("graphiql/page.css") },
    File { name: "page.js", content_type: JAVASCRIPT, body: include_str!("graphiql/page.js") },
    File { name: "starter.graphql", content_type: GRAPHQL, body: include_str!("graphiql/starter.graphql") },
    File { name: "graphiql.min.css", content_type: CSS, body: include_str!("graphiql/graphiql.min.css") },
    File { name: "graphiql.min.js", content_type: JAVASCRIPT, body: include_str!("graphiql/graphiql.min.js") },
    File {
        name: "react.production.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("graphiql/react.production.min.js"),
    },
    File {
        name: "react-dom.production.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("graphiql/react-dom.production.min.js"),
    },
];

/// The assets with their entity tags, hashed when the first browser asks.
static TAGGED_ASSETS: LazyLock<Vec<(File, String)>> =
    LazyLock::new(|| ASSETS.iter().map(|file| (*file, entity_tag(file.body))).collect());

/// A file compiled into the binary.
#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
}

/// Serves the page at `/graphiql` and its files below it; asks for no state and no authentication.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/graphiql", get(page)).route("/graphiql/{asset}", get(asset))
}

/// Answers the page, with the policy that keeps it on this origin.
async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, PAGE.content_type),
        (CACHE_CONTROL, REVALIDATE),
        (CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_OF_PAGE),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, PAGE.body).into_response()
}

/// Answers one of the page's files, or 304 when the browser has it already.
async fn asset(Path(name): Path<String>, request: HeaderMap) -> Response {
    let Some((file, tag)) = TAGGED_ASSETS.iter().find(|(file, _)| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, file.content_type),
        (CACHE_CONTROL, REVALIDATE),
        (ETAG, tag.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if has_current(&request, tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.body).into_response()
}

/// Makes a strong entity tag, the same on every replica of one build: the first half of the body's SHA-256.
fn entity_tag(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Tells whether `If-None-Match` names this tag, by weak comparison as for every GET.
fn has_current(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|candidate| candidate.trim().trim_start_matches("W/"))
        .any(|candidate| candidate == "*" || candidate == tag)
}
