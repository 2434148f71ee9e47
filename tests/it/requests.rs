//! Requests that are wrong as such: tokens, cursors, limits, unknown fields.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use secondline::service::tokens::TokenOwner;
use serde_json::{Value, json};

use crate::support::{START, TestApp, checks::each, each_database};

async fn list_error(app: &TestApp, arguments: &str) -> String {
    let query = format!("{{ tickets({arguments}) {{ totalCount nodes {{ id }} }} }}");
    let answer = app.graphql(Some(&app.cast.qa.token), &query, json!({})).await;
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{arguments}: {answer:#}")).to_owned()
}

/// What a token gets, with the status of the answer.
async fn answer_to_token(app: &TestApp, authorization: &str) -> (u16, Value) {
    use tower::ServiceExt;
    let request = axum::http::Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", authorization)
        .body(axum::body::Body::from(json!({ "query": "{ process { name } }" }).to_string()))
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn assert_refused(app: &TestApp, authorization: &str) {
    let (status, answer) = answer_to_token(app, authorization).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")), "{answer}");
    assert!(answer.get("data").is_none(), "{answer}");
}

each_database! {
    async fn a_page_has_1_to_100_rows(app) {
        for first in ["0", "-1", "101", "2147483647"] {
            assert_eq!(list_error(app, &format!("first: {first}")).await, "BAD_INPUT");
            assert_eq!(list_error(app, &format!("last: {first}")).await, "BAD_INPUT");
            let query = format!("{{ board {{ tickets(first: {first}) {{ totalCount }} }} }}");
            let board = app.graphql(Some(&app.cast.qa.token), &query, json!({})).await;
            let codes = each(&board["errors"], "extensions");
            assert!(codes.iter().all(|extensions| extensions["code"] == "BAD_INPUT"), "{board}");
        }
        app.ask(&app.cast.qa, "{ a: tickets(first: 1) { totalCount } b: tickets(first: 100) { totalCount } }", json!({})).await;
    }

    async fn a_cursor_is_one_of_the_same_list_in_the_same_order(app) {
        for _ in 0..2 {
            app.file_ticket().await;
        }
        let query = "{ tickets(first: 1) { pageInfo { endCursor } } companies(first: 1) { pageInfo { endCursor } } }";
        let answer = app.ask(&app.cast.qa, query, json!({})).await;
        let cursor = answer["tickets"]["pageInfo"]["endCursor"].as_str().unwrap();
        let of_companies = answer["companies"]["pageInfo"]["endCursor"].as_str().unwrap();
        let forged = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let id = "00000000-0000-0000-0000-000000000001";
        for bad in [
            String::new(), "nonsense".to_owned(), "äöü".to_owned(), of_companies.to_owned(), cursor[1..].to_owned(),
            forged(json!(["1", "-number", { "keys": [{ "n": 5 }], "id": id }])),
            forged(json!(["2", "-number", { "keys": [{ "t": "five" }], "id": id }])),
            forged(json!(["2", "-number", { "keys": [{ "i": "2026-06-01T09:00:00Z" }], "id": id }])),
            forged(json!(["2", "-number", { "keys": [{ "n": 5 }], "id": "x" }])),
            forged(json!(["2", "-number", { "keys": [null], "id": id }])),
            forged(json!(["2", "-number", { "keys": [], "id": id }])),
            forged(json!(["2", "-number", { "keys": [{ "n": 5 }, { "n": 5 }], "id": id }])),
            forged(json!(["2", "-number", { "keys": [{ "n": 5 }] }])),
            forged(json!(["2", "-number"])),
            forged(json!({})),
        ] {
            assert_eq!(list_error(app, &format!("after: {}", json!(bad))).await, "BAD_INPUT", "{bad}");
            assert_eq!(list_error(app, &format!("last: 2, before: {}", json!(bad))).await, "BAD_INPUT", "{bad}");
        }
        for order in [
            "{ field: NUMBER, direction: ASC }", "{ field: UPDATED_AT, direction: DESC }",
            "[{ field: NUMBER, direction: DESC }, { field: STAGE, direction: ASC }]",
        ] {
            let arguments = format!("orderBy: {order}, after: {}", json!(cursor));
            assert_eq!(list_error(app, &arguments).await, "BAD_INPUT", "{order}");
        }
        let next = format!("{{ tickets(after: {}) {{ nodes {{ key }} }} }}", json!(cursor));
        assert_eq!(app.ask(&app.cast.qa, &next, json!({})).await["tickets"]["nodes"], json!([{ "key": "L2-1" }]));
    }

    async fn names_in_cursors_are_taken_as_names(app) {
        let cast = &app.cast;
        for name in ["2026-06-01T09:00:00Z", "17", "O'Neill \"& Söhne\" %_"] {
            app.make(&cast.administrator, "createCompany", "company", json!({ "name": name }), "id").await;
        }
        let mut names = Vec::new();
        let mut after = Value::Null;
        for _ in 0..5 {
            let query = "query($after: String) { companies(first: 1, after: $after) { nodes { name } pageInfo { endCursor } } }";
            let page = app.ask(&cast.qa, query, json!({ "after": after })).await["companies"].take();
            names.push(page["nodes"][0]["name"].as_str().unwrap().to_owned());
            after = page["pageInfo"]["endCursor"].clone();
        }
        names.sort();
        assert_eq!(names, ["17", "2026-06-01T09:00:00Z", "Acme", "Globex", "O'Neill \"& Söhne\" %_"]);
    }

    async fn filters_are_limited_in_depth_and_size(app) {
        let nested = |depth: usize| {
            (0..depth).fold("{ isOpen: true }".to_owned(), |inner, level| {
                let word = if level % 2 == 0 { "and" } else { "or" };
                format!("{{ {word}: [{inner}] }}")
            })
        };
        let fine = format!("{{ tickets(filter: {}) {{ totalCount }} }}", nested(5));
        app.ask(&app.cast.qa, &fine, json!({})).await;
        assert_eq!(list_error(app, &format!("filter: {}", nested(6))).await, "BAD_INPUT");
        let many = vec!["1"; 101].join(", ");
        assert_eq!(list_error(app, &format!("filter: {{ number: {{ in: [{many}] }} }}")).await, "BAD_INPUT");
        let many = vec!["{ isOpen: true }"; 101].join(", ");
        assert_eq!(list_error(app, &format!("filter: {{ or: [{many}] }}")).await, "BAD_INPUT");
    }

    async fn a_filter_with_more_values_than_a_statement_takes_is_refused(app) {
        let values = vec![1; 100];
        let members = vec![json!({ "number": { "in": values } }); 10];
        let or = json!({ "or": members });
        let filter = json!({ "or": members, "and": [or, or, or] });
        let query = "query($filter: TicketFilter) { tickets(filter: $filter) { totalCount } }";
        let token = Some(app.cast.qa.token.as_str());
        assert_eq!(app.error(token, query, json!({ "filter": filter })).await, "BAD_INPUT");
    }

    async fn texts_that_no_database_stores_are_no_fault_of_ours(app) {
        for filter in [json!({ "subject": { "eq": "a\u{0}b" } }), json!({ "subject": { "contains": "\u{0}" } })] {
            let query = "query($filter: TicketFilter) { tickets(filter: $filter) { totalCount } }";
            let answer = app.graphql(Some(&app.cast.qa.token), query, json!({ "filter": filter })).await;
            let found = &answer["data"]["tickets"]["totalCount"];
            let code = &answer["errors"][0]["extensions"]["code"];
            assert!(*found == 0 || *code == "BAD_INPUT", "{answer}");
        }
    }

    async fn what_the_schema_does_not_have_is_refused_before_anything_runs(app) {
        let key = app.file_ticket().await;
        let before = app.footprint(&key).await;
        let token = Some(app.cast.operations.token.as_str());
        for query in [
            "{ ticket(key: \"L2-1\") { id secret } }".to_owned(),
            "mutation { nonsense }".to_owned(),
            format!("mutation {{ updateTicket(input: {{ ticketId: \"{key}\", facts: {{ nonsense: 1 }} }}) {{ userErrors {{ code }} }} }}"),
            format!("mutation {{ moveTicket(input: {{ ticketId: \"{key}\", to: NOWHERE }}) {{ userErrors {{ code }} }} }}"),
            format!("mutation {{ moveTicket(input: {{ ticketId: \"{key}\" }}) {{ userErrors {{ code }} }} }}"),
            format!(
                "mutation {{ updateTicket(input: {{ ticketId: \"{key}\", facts: {{ browser: \"x\" }} }}) {{ ticket {{ id }} }} \
                 moveTicket(input: {{ ticketId: \"{key}\", to: NOWHERE }}) {{ userErrors {{ code }} }} }}"
            ),
            "{ ticket(key: 5) { id } }".to_owned(),
            "{ ticket(key: \"L2-1\") { ".to_owned(),
        ] {
            let answer = app.graphql(token, &query, json!({})).await;
            assert!(answer["errors"].is_array() && answer.get("data").is_none(), "{query}: {answer}");
        }
        assert_eq!(app.footprint(&key).await, before);
    }

    async fn a_ticket_is_asked_by_id_or_key(app) {
        for arguments in ["", "(id: \"L2-1\", key: \"L2-1\")"] {
            let query = format!("{{ ticket{arguments} {{ id }} }}");
            assert_eq!(app.error(Some(&app.cast.qa.token), &query, json!({})).await, "BAD_INPUT");
        }
    }

    async fn without_a_token_there_is_the_process_and_nothing_else(app) {
        let key = app.file_ticket().await;
        let before = app.footprint(&key).await;
        let answer = app.graphql(None, "{ process { name stages { stage } moves { kind } otherPipelines } }", json!({})).await;
        assert_eq!(answer["data"]["process"]["stages"].as_array().unwrap().len(), 7, "{answer}");
        for query in [
            "viewer { person { id } }", "ticket(key: \"L2-1\") { id }", "tickets { totalCount }", "board { count }",
            "companies { totalCount }", "contacts { totalCount }", "people { totalCount }", "ticketSubtypes { id }",
            "slaPolicies { id }", "calendars { id }", "slaAlerts { totalCount }", "notices { totalCount }",
            "node(id: \"company_00000000000000000000000000000001\") { id }",
        ] {
            assert_eq!(app.error(None, &format!("{{ {query} }}"), json!({})).await, "UNAUTHENTICATED", "{query}");
        }
        let definition = json!({ "timeZone": "nowhere", "hoursPerDay": 8.0, "week": [] });
        let nobody = "person_00000000000000000000000000000001";
        for (mutation, input) in [
            ("createTicket", app.filing().await),
            ("updateTicket", json!({ "ticketId": key, "facts": { "browser": "x" } })),
            ("moveTicket", json!({ "ticketId": before["id"], "to": "REPLICATING" })),
            ("askClient", json!({ "ticketId": key, "question": "Who?" })),
            ("createCompany", json!({ "name": "Initech" })),
            ("createPerson", json!({ "name": "Eve", "email": "eve@example.com", "isAdministrator": true })),
            ("updatePerson", json!({ "personId": nobody, "isAdministrator": true })),
            ("createCalendar", json!({ "name": "New", "definition": definition })),
            ("updateSlaPolicy", json!({ "stage": "VALIDATING", "budget": "PT1S" })),
            ("retryNotice", json!({ "noticeId": "notice_00000000000000000000000000000001" })),
        ] {
            assert_eq!(app.mutation_error(None, mutation, input).await, "UNAUTHENTICATED", "{mutation}");
        }
        assert_eq!(app.footprint(&key).await, before);
    }

    async fn a_token_that_is_not_valid_is_401_even_where_none_is_needed(app) {
        let qa = app.cast.qa.token.clone();
        for bad in [
            "Bearer secondline_nonsense".to_owned(), format!("Bearer {qa}x"), format!("Bearer {}", &qa[1..]),
            "Bearer x".to_owned(), "Bearer ".to_owned(), format!("Basic {qa}"), qa.clone(),
        ] {
            assert_refused(app, &bad).await;
        }
        assert_eq!(answer_to_token(app, &format!("bearer {qa}")).await.0, 200);
    }

    async fn an_expired_token_is_401(app) {
        let id: entity::id::PersonId = app.cast.qa.id.parse().unwrap();
        let expires_at = *START + TimeDelta::hours(1);
        let token = app.service.create_token(TokenOwner::Person(id), "short", Some(expires_at)).await.unwrap();
        let authorization = format!("Bearer {}", token.secret);
        app.advance(TimeDelta::minutes(59));
        assert_eq!(answer_to_token(app, &authorization).await.0, 200);
        app.advance(TimeDelta::minutes(1));
        assert_refused(app, &authorization).await;
    }

    async fn a_revoked_token_is_401(app) {
        let id: entity::id::ContactId = app.cast.client.id.parse().unwrap();
        let token = app.service.create_token(TokenOwner::Contact(id), "lost", None).await.unwrap();
        let authorization = format!("Bearer {}", token.secret);
        assert_eq!(answer_to_token(app, &authorization).await.0, 200);
        assert!(app.service.revoke_token(token.row.id).await.unwrap());
        assert_refused(app, &authorization).await;
        assert_eq!(answer_to_token(app, &format!("Bearer {}", app.cast.client.token)).await.0, 200);
    }
}
