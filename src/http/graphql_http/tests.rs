use axum::http::HeaderValue;

use super::*;

fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

#[test]
fn only_json_in_utf_8_is_read() {
    for sent in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert!(check_content_type(&headers(header::CONTENT_TYPE, sent)).is_ok(), "{sent}");
    }
    for sent in ["text/plain", "application/graphql", "multipart/form-data", "application/json; charset=latin1", ""] {
        assert!(check_content_type(&headers(header::CONTENT_TYPE, sent)).is_err(), "{sent}");
    }
    assert!(check_content_type(&HeaderMap::new()).is_err());
}

#[test]
fn the_newer_media_type_is_used_when_it_is_accepted() {
    for (accept, media) in [
        ("application/graphql-response+json", Media::GraphqlResponse),
        ("application/json;q=0.9, application/graphql-response+json", Media::GraphqlResponse),
        ("application/graphql-response+json;q=0, application/json", Media::Json),
        ("application/json", Media::Json),
        ("*/*", Media::Json),
    ] {
        assert_eq!(accepted(&headers(header::ACCEPT, accept)), media, "{accept}");
    }
    assert_eq!(accepted(&HeaderMap::new()), Media::Json);
}

#[test]
fn a_request_is_an_object_with_a_query() {
    let request = parse(br#"{"query":"{a}","operationName":null,"variables":{"x":1},"extensions":{},"id":7}"#).unwrap();
    assert_eq!((request.query.as_str(), request.variables.len()), ("{a}", 1));
    for body in [
        "",
        "{",
        "[]",
        "[{\"query\":\"{a}\"}]",
        "\"{a}\"",
        "{}",
        r#"{"query":1}"#,
        r#"{"query":"{a}","operationName":1}"#,
        r#"{"query":"{a}","variables":[]}"#,
        r#"{"query":"{a}","variables":"{}"}"#,
        r#"{"query":"{a}","extensions":[]}"#,
    ] {
        assert_eq!(parse(body.as_bytes()).unwrap_err().code(), Code::BadRequest, "{body}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    assert_eq!(read(Body::from(vec![b' '; BODY_LIMIT])).await.unwrap().len(), BODY_LIMIT);
    assert_eq!(read(Body::from(vec![b' '; BODY_LIMIT + 1])).await.unwrap_err().code(), Code::TooLarge);
}
