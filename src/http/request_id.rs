//! A request id on every answer and every log line: the caller's `x-request-id` where it is harmless, else a new one.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

use crate::clock::Clock;

/// The header that carries it, both ways.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Room for a UUID, a trace id or a load balancer's id, but not for a story in the log.
const LENGTH_LIMIT: usize = 64;

/// The id of the request that is being answered.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// Gives the request its id and its span, and the answer the same id.
pub(super) async fn attach(State(clock): State<Clock>, mut request: Request, next: Next) -> Response {
    let sent = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = sent.filter(|id| is_harmless(id)).map_or_else(|| clock.new_uuid().to_string(), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", request.id = %id);
    let line = span.clone();
    async move {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let began = tokio::time::Instant::now();
        let mut response = next.run(request).await;
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        tracing::debug!(parent: &line, http.method = %method, http.path = path, http.status = status, duration_ms, "answered");
        response
    }
    .instrument(span)
    .await
}

fn is_harmless(id: &str) -> bool {
    (1..=LENGTH_LIMIT).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_forge_log_lines_are_replaced() {
        for id in ["0199f3c2-7b1e", "a", "trace.1_2"] {
            assert!(is_harmless(id), "{id}");
        }
        for id in ["", "a b", "a\nb", "a\"b", "ä", "{}", &"a".repeat(65)] {
            assert!(!is_harmless(id), "{id}");
        }
    }
}
