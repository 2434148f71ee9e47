//! Which pages of other origins may use the API, and what every answer tells browsers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Whether a page of this origin may open a WebSocket: browsers let any page try, so the server must look. Programs send no
/// origin.
pub(super) fn is_welcome(headers: &HeaderMap, allowed: &[HeaderValue]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    allowed.contains(origin) || is_own(origin, headers.get(header::HOST))
}

/// Whether the origin is the host that was asked.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// What browsers are told when pages of other origins ask: nothing, unless they are allowed.
pub(super) fn cors(allowed: &[HeaderValue]) -> CorsLayer {
    let exposed = [
        "retry-after",
        "x-request-id",
        "x-ratelimit-cost",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("x-request-id")])
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(std::time::Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_and_allowed_pages_are_welcome() {
        let allowed = [HeaderValue::from_static("https://support.example.org")];
        for (origin, welcome) in [
            (None, true),
            (Some("https://support.example.org"), true),
            (Some("https://api.example.org"), true),
            (Some("http://API.example.org"), true),
            (Some("https://api.example.org:8443"), false),
            (Some("https://evil.example.net"), false),
            (Some("https://support.example.org.evil.example.net"), false),
            (Some("null"), false),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("api.example.org"))]);
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(is_welcome(&headers, &allowed), welcome, "{origin:?}");
        }
    }
}
