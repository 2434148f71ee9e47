use axum::http::HeaderValue;

use super::*;
use crate::{
    graphql::admission::Principal,
    http::in_flight::{self, ByteLimiter},
};

fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

#[test]
fn only_json_in_utf_8_is_read() {
    for sent in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert!(check_content(&headers(header::CONTENT_TYPE, sent)).is_ok(), "{sent}");
    }
    for sent in ["text/plain", "application/graphql", "multipart/form-data", "application/json; charset=latin1", ""] {
        assert!(check_content(&headers(header::CONTENT_TYPE, sent)).is_err(), "{sent}");
    }
    assert!(check_content(&HeaderMap::new()).is_err());
    for (encoding, fine) in [("identity", true), ("gzip", false), ("br", false), ("gzip, identity", false)] {
        let mut sent = headers(header::CONTENT_TYPE, "application/json");
        sent.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        assert_eq!(check_content(&sent).is_ok(), fine, "{encoding}");
    }
}

#[test]
fn the_answer_is_of_a_type_that_the_caller_accepts() {
    for (accept, media, events, only_events) in [
        ("application/graphql-response+json", Media::GraphqlResponse, false, false),
        ("application/json;q=0.9, application/graphql-response+json", Media::GraphqlResponse, false, false),
        ("application/graphql-response+json;q=0, application/json", Media::Json, false, false),
        ("application/json", Media::Json, false, false),
        ("*/*", Media::Json, false, false),
        ("text/event-stream", Media::Json, true, true),
        ("application/json, text/event-stream", Media::Json, true, false),
        ("text/event-stream, */*", Media::Json, true, false),
    ] {
        let expected = Accepted { media, events, only_events };
        assert_eq!(Accepted::of(&headers(header::ACCEPT, accept)), expected, "{accept}");
    }
    let expected = Accepted { media: Media::Json, events: false, only_events: false };
    assert_eq!(Accepted::of(&HeaderMap::new()), expected);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let limiter = ByteLimiter::new(in_flight::BODIES);
    let read = |length| read(Body::from(vec![b' '; length]), limiter.permit(Principal::Unknown(None)));
    assert_eq!(read(BODY_LIMIT).await.unwrap().len(), BODY_LIMIT);
    assert_eq!(read(BODY_LIMIT + 1).await.unwrap_err().code(), Code::TooLarge);
}

#[test]
fn a_length_that_is_announced_is_believed() {
    for (length, fine) in [("0", true), ("262144", true), ("262145", false), ("10737418240", false)] {
        assert_eq!(check_length(&headers(header::CONTENT_LENGTH, length)).is_ok(), fine, "{length}");
    }
    assert!(check_length(&HeaderMap::new()).is_ok());
}
