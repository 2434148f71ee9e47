//! `/graphql` as the GraphQL-over-HTTP specification has it, with its limits.

use axum::{
    body::Body,
    http::{Request, Response},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::support::{TestApp, each_database};

const RESPONSE: &str = "application/graphql-response+json";

async fn send(app: &TestApp, request: Request<Body>) -> Response<Body> {
    app.router.clone().oneshot(request).await.unwrap()
}

async fn post(app: &TestApp, accept: &str, body: &Value) -> (u16, Value) {
    let request = Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
    let request = request.header("authorization", format!("Bearer {}", app.cast.administrator.token));
    answer(send(app, request.body(Body::from(body.to_string())).unwrap()).await).await
}

async fn answer(response: Response<Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&body))))
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

each_database! {
    async fn the_status_says_what_became_of_a_request_to_callers_of_the_newer_type(app) {
        for (query, newer, older, expected) in [
            ("{ process { name } }", 200, 200, ""),
            ("{ nonsense }", 400, 200, "GRAPHQL_VALIDATION_FAILED"),
            ("{", 400, 200, "GRAPHQL_PARSE_FAILED"),
            ("query a { process { name } } query b { process { name } }", 400, 200, "OPERATION_RESOLUTION_FAILURE"),
            ("query($n: Int!) { tickets(first: $n) { totalCount } }", 400, 200, "GRAPHQL_VALIDATION_FAILED"),
            ("{ ticket(key: \"L2-1\") { id } node(id: \"x\") { id } }", 200, 200, ""),
            ("subscription { ticketEvents { kind } }", 400, 400, "BAD_REQUEST"),
        ] {
            for (accept, status) in [(RESPONSE, newer), ("application/json", older), ("*/*", older)] {
                let (found, answer) = post(app, accept, &json!({ "query": query })).await;
                assert_eq!(found, status, "{query} {accept}: {answer}");
                assert!(expected.is_empty() || code(&answer) == expected, "{query}: {answer}");
                assert_eq!(answer.get("data").is_some(), status == 200 && answer.get("errors").is_none(), "{answer}");
            }
        }
    }

    async fn get_reads_and_never_writes(app) {
        let ask = |query: &str| {
            let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let request = Request::get(format!("/graphql?query={query}&variables=%7B%7D"));
            send(app, request.header("authorization", format!("Bearer {}", app.cast.administrator.token)).body(Body::empty()).unwrap())
        };
        let (status, found) = answer(ask("{ viewer { person { name } } }").await).await;
        assert_eq!((status, &found["data"]["viewer"]["person"]["name"]), (200, &json!("Ada Admin")));
        let refused = ask("mutation { createCompany(input: { name: \"Initech\" }) { company { id } } }").await;
        assert_eq!(refused.headers()["allow"], "GET, POST");
        assert_eq!(refused.status(), 405);
        let companies = app.ask(&app.cast.administrator, "{ companies { totalCount } }", json!({})).await;
        assert_eq!(companies["companies"]["totalCount"], 2);
    }

    async fn only_json_is_read(app) {
        let query = json!({ "query": "{ process { name } }" }).to_string();
        for (content_type, encoding, method, expected) in [
            ("application/json", "identity", "POST", 200),
            ("application/json", "gzip", "POST", 415),
            ("text/plain", "identity", "POST", 415),
            ("application/x-www-form-urlencoded", "identity", "POST", 415),
            ("multipart/form-data; boundary=x", "identity", "POST", 415),
            ("application/graphql", "identity", "POST", 415),
            ("application/json", "identity", "PUT", 405),
            ("application/json", "identity", "DELETE", 405),
        ] {
            let request = Request::builder().uri("/graphql").method(method);
            let request = request.header("content-type", content_type).header("content-encoding", encoding);
            let (status, found) = answer(send(app, request.body(Body::from(query.clone())).unwrap()).await).await;
            assert_eq!(status, expected, "{method} {content_type} {encoding}: {found}");
        }
        for body in ["[]".to_owned(), format!("[{query}]"), "{".to_owned(), "{}".to_owned()] {
            let request = Request::post("/graphql").header("content-type", "application/json");
            assert_eq!(send(app, request.body(Body::from(body)).unwrap()).await.status(), 400);
        }
        let long = json!({ "query": "{ process { name } }", "variables": { "x": " ".repeat(256 * 1024) } });
        assert_eq!(post(app, RESPONSE, &long).await.0, 413);
    }

    async fn what_a_request_costs_is_told_and_taken(app) {
        let query = "{ rateLimit { cost limit remaining resetAt } process { name } }";
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", app.cast.tech.token));
        let response = send(app, request.body(Body::from(json!({ "query": query }).to_string())).unwrap()).await;
        let headers = response.headers().clone();
        let told = answer(response).await.1["data"]["rateLimit"].take();
        for (header, field, expected) in [
            ("x-ratelimit-cost", "cost", 7), ("x-ratelimit-limit", "limit", 500_000), ("x-ratelimit-remaining", "remaining", 499_993),
        ] {
            assert_eq!((&headers[header], &told[field]), (&expected.to_string().parse().unwrap(), &json!(expected)));
        }
        let large = "{ tickets(first: 100) { nodes { history { changes { field } } } } }";
        let mut refused = Value::Null;
        for _ in 0..30 {
            let (status, answer) = post(app, "*/*", &json!({ "query": large })).await;
            if status == 429 {
                refused = answer;
                break;
            }
        }
        assert_eq!(code(&refused), "RATE_LIMITED");
        // Nobody else pays for it, and it is over in a minute.
        app.ask(&app.cast.tech, large, json!({})).await;
        app.advance(chrono::TimeDelta::minutes(1));
        assert_eq!(post(app, "*/*", &json!({ "query": large })).await.0, 200);
    }

    async fn what_is_too_large_is_refused_before_anything_walks_it(app) {
        let everything = "nodes { id company { id name } history { id kind changes { field from to } } }";
        let aliases = (0..40).map(|n| format!("a{n}: process {{ name }} ")).collect::<String>();
        let fragments = (1..30).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n - 1)).collect::<String>();
        for query in [
            format!("{{ tickets(first: 100) {{ {everything} }} more: tickets(first: 100) {{ {everything} }} }}"),
            format!("{{ {aliases} }}"),
            format!("{{ ...f29 }} fragment f0 on Query {{ process {{ name }} }} {fragments}"),
            format!("{{ process {} {{ name }} }}", "@skip(if: false) ".repeat(200)),
            "{ process ".repeat(1000),
        ] {
            let (status, answer) = post(app, "application/json", &json!({ "query": query })).await;
            assert_eq!((status, code(&answer)), (400, "LIMIT_EXCEEDED"), "{answer}");
        }
    }

    async fn a_document_is_registered_with_its_first_use(app) {
        let query = "{ process { name } }";
        let hash: String = Sha256::digest(query).iter().map(|byte| format!("{byte:02x}")).collect();
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let by_hash = json!({ "extensions": extensions });
        let (status, answer) = post(app, "*/*", &by_hash).await;
        assert_eq!((status, code(&answer)), (200, "PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(answer["errors"][0]["message"], "PersistedQueryNotFound");
        assert_eq!(post(app, "*/*", &json!({ "query": query, "extensions": extensions })).await.0, 200);
        let (_, answer) = post(app, "*/*", &by_hash).await;
        assert_eq!(answer["data"]["process"]["name"], json!("Level 2 Support"), "{answer}");
        let (_, answer) = post(app, "*/*", &json!({ "documentId": format!("sha256:{hash}") })).await;
        assert_eq!(code(&answer), "DOCUMENT_NOT_FOUND", "registered is not trusted");
    }

    async fn every_answer_tells_browsers_to_keep_their_hands_off(app) {
        let request = Request::get("/graphql?query=%7B__typename%7D").header("origin", "https://evil.example.net");
        let response = send(app, request.body(Body::empty()).unwrap()).await;
        for (header, value) in [
            ("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"), ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(response.headers()[header], value);
        }
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }

    async fn names_of_fields_are_not_suggested(app) {
        for query in ["{ proces { name } }", "{ process { nam } }", "{ process(naem: 1) { name } }", "{ tickets(frist: 1) { totalCount } }"] {
            let (_, answer) = post(app, "*/*", &json!({ "query": query })).await;
            assert!(!answer.to_string().contains("Did you mean"), "{answer}");
        }
    }

    async fn a_field_that_failed_leaves_null_and_the_rest_in_order(app) {
        let query = "{ process { name } board { count } ticket(key: \"L2-1\") { id } }";
        let body = json!({ "query": query }).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", app.cast.client.token));
        let (_, found) = answer(send(app, request.body(Body::from(body)).unwrap()).await).await;
        assert_eq!((&found["data"], code(&found)), (&Value::Null, "FORBIDDEN"), "`board` may not be null: {found}");
        let query = "{ b: process { name } a: process { name } }";
        let request = Request::post("/graphql").header("content-type", "application/json");
        let response = send(app, request.body(Body::from(json!({ "query": query }).to_string())).unwrap()).await;
        let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.find("\"b\"") < text.find("\"a\""), "{text}");
    }

    async fn an_event_stream_answers_and_ends(app) {
        for (method, query, expected) in [
            ("POST", "{ process { name } }", "event: next\ndata: {\"data\":{\"process\":{\"name\":\"Level 2 Support\"}}}\n\nevent: complete\ndata:\n\n"),
            ("GET", "{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
            ("GET", "{", "GRAPHQL_PARSE_FAILED"),
        ] {
            let request = Request::builder().method(method).header("accept", "text/event-stream");
            let request = if method == "GET" {
                let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
                request.uri(format!("/graphql?query={query}")).body(Body::empty())
            } else {
                let body = json!({ "query": query }).to_string();
                request.uri("/graphql").header("content-type", "application/json").body(Body::from(body))
            };
            let response = send(app, request.unwrap()).await;
            assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
            let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(text.contains(expected), "{text}");
            assert!(text.ends_with("event: complete\ndata:\n\n"), "{text}");
        }
    }
}
