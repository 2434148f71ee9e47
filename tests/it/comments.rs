//! What people say about a ticket: who reads it, who hears of it, and what it answers.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    Member, TestApp,
    checks::{each, pairs},
    client, each_database,
};

const COMMENT: &str = "comment { id body visibility authorName authorKind isAnswer deletedAt deletedByName editedAt }";

async fn say(app: &TestApp, member: &Member, key: &str, visibility: &str, body: &str) -> Value {
    let input = json!({ "ticketId": key, "body": body, "visibility": visibility });
    let mut payload = app.mutate(member, "addComment", input, COMMENT).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    payload["comment"].take()
}

/// Code and field of what a refused mutation of a comment answers.
async fn refused(app: &TestApp, member: &Member, mutation: &str, input: Value) -> Vec<(String, String)> {
    let payload = app.mutate(member, mutation, input, "comment { id }").await;
    assert_eq!(payload["comment"], Value::Null, "{payload:#}");
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let problems = payload["userErrors"].as_array().unwrap();
    problems.iter().map(|problem| (text(&problem["code"]), text(&problem["field"]))).collect()
}

/// Kind and recipient of the ticket's notices.
async fn told(app: &TestApp, key: &str) -> Vec<(String, String)> {
    let ticket = app.ticket(&app.cast.qa, key, "notices { kind person { name } contact { name } }").await;
    let name = |notice: &Value| {
        let name = if notice["person"].is_null() { &notice["contact"]["name"] } else { &notice["person"]["name"] };
        name.as_str().unwrap().to_owned()
    };
    let notices = ticket["notices"].as_array().unwrap();
    let mut told: Vec<_> =
        notices.iter().map(|notice| (notice["kind"].as_str().unwrap().to_owned(), name(notice))).collect();
    told.sort();
    told
}

each_database! {
    async fn contacts_read_what_is_visible_to_the_client_and_names_only(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        say(app, &cast.operations, &key, "INTERNAL", "They pay late.").await;
        say(app, &cast.operations, &key, "CLIENT", "Which browser is it?").await;
        let own = app.mutate(&cast.client, "addComment", json!({ "ticketId": key, "body": " Firefox " }), COMMENT).await;
        assert_eq!((&own["comment"]["visibility"], &own["comment"]["body"]), (&json!("CLIENT"), &json!("Firefox")));
        let select = "comments { totalCount nodes { body authorName authorKind person { name } contact { name email } } } \
            history { kind comment { body } }";
        let ticket = app.ticket(&cast.client, &key, select).await;
        assert_eq!(ticket["comments"], json!({ "totalCount": 2, "nodes": [
            { "body": "Which browser is it?", "authorName": "Olga Operations", "authorKind": "PERSON", "person": null,
              "contact": null },
            { "body": "Firefox", "authorName": "Carla Client", "authorKind": "CONTACT", "person": null,
              "contact": { "name": "Carla Client", "email": "carla.client@example.com" } },
        ] }));
        assert_eq!(ticket["history"].as_array().unwrap()[1..], [
            json!({ "kind": "COMMENT_ADDED", "comment": { "body": "Which browser is it?" } }),
            json!({ "kind": "COMMENT_ADDED", "comment": { "body": "Firefox" } }),
        ]);
        let ticket = app.ticket(&cast.qa, &key, select).await;
        assert_eq!(ticket["comments"]["totalCount"], 3);
        assert_eq!(ticket["comments"]["nodes"][0]["person"]["name"], "Olga Operations");
        assert_eq!(ticket["history"].as_array().unwrap().len(), 4);
    }

    async fn a_contact_cannot_write_to_staff_only(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "body": "Hush", "visibility": "INTERNAL" });
        assert_eq!(refused(app, &app.cast.client, "addComment", input).await, pairs(&[("NOT_ALLOWED", "visibility")]));
        let ticket = app.ticket(&app.cast.qa, &key, "comments { totalCount } history { kind } notices { kind }").await;
        assert_eq!(ticket["comments"]["totalCount"], 0);
        assert_eq!(ticket["history"].as_array().unwrap().len(), 1);
    }

    async fn another_companys_contact_finds_nothing(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let id = say(app, &cast.operations, &key, "CLIENT", "Hello").await["id"].clone();
        let token = Some(cast.other_client.token.as_str());
        for (mutation, input) in [
            ("addComment", json!({ "ticketId": key, "body": "Ours!" })),
            ("editComment", json!({ "commentId": id, "body": "Ours!" })),
            ("deleteComment", json!({ "commentId": id })),
            ("watchTicket", json!({ "ticketId": key })),
        ] {
            assert_eq!(app.mutation_error(token, mutation, input).await, "NOT_FOUND", "{mutation}");
        }
        let node = "query($id: ID!) { node(id: $id) { id } }";
        assert_eq!(app.ask(&cast.other_client, node, json!({ "id": id })).await["node"], Value::Null);
        assert_eq!(app.ask(&cast.client, node, json!({ "id": id })).await["node"]["id"], id);
        let internal = say(app, &cast.operations, &key, "INTERNAL", "Hush").await["id"].clone();
        assert_eq!(app.ask(&cast.client, node, json!({ "id": internal })).await["node"], Value::Null);
        let edit = json!({ "commentId": internal, "body": "Ours!" });
        assert_eq!(app.mutation_error(Some(&cast.client.token), "editComment", edit).await, "NOT_FOUND");
    }

    async fn a_retry_is_the_same_comment(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let input = json!({ "id": "0199f300-0000-7000-8000-000000000001", "ticketId": key, "body": "Once" });
        let first = app.mutate(&cast.client, "addComment", input.clone(), COMMENT).await;
        assert_eq!(app.mutate(&cast.client, "addComment", input.clone(), COMMENT).await, first);
        assert_eq!(refused(app, &cast.qa, "addComment", input).await, pairs(&[("ALREADY_EXISTS", "id")]));
        let ticket = app.ticket(&cast.qa, &key, "comments { totalCount } notices { kind }").await;
        assert_eq!(ticket["comments"]["totalCount"], 1);
        assert_eq!(ticket["notices"].as_array().unwrap().len(), 1);
    }

    async fn comments_say_something_of_bounded_length(app) {
        let key = app.file_ticket().await;
        for (body, code) in [(" \n ".to_owned(), "BLANK"), ("x".repeat(100_000), "TOO_LONG"), ("a\0b".to_owned(), "INVALID")] {
            let input = json!({ "ticketId": key, "body": body });
            assert_eq!(refused(app, &app.cast.qa, "addComment", input).await, pairs(&[(code, "body")]));
        }
    }

    async fn authors_and_administrators_edit_and_delete(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let id = say(app, &cast.operations, &key, "CLIENT", "Wich browser?").await["id"].clone();
        let edit = json!({ "commentId": id, "body": "Which browser?" });
        for other in [&cast.qa, &cast.operations_manager, &cast.client] {
            assert_eq!(refused(app, other, "editComment", edit.clone()).await, pairs(&[("NOT_ALLOWED", "")]));
            assert_eq!(refused(app, other, "deleteComment", json!({ "commentId": id })).await, pairs(&[("NOT_ALLOWED", "")]));
        }
        app.advance(TimeDelta::minutes(1));
        let edited = app.mutate(&cast.operations, "editComment", edit, COMMENT).await;
        assert_eq!(edited["comment"]["body"], "Which browser?");
        assert_eq!(edited["comment"]["editedAt"], "2026-06-01T09:01:00+00:00");
        let deleted = app.mutate(&cast.administrator, "deleteComment", json!({ "commentId": id }), COMMENT).await;
        assert_eq!(deleted["comment"]["body"], Value::Null);
        let tombstone = "comments { nodes { body deletedAt deletedByName authorName } } history { kind }";
        for member in [&cast.client, &cast.qa] {
            let ticket = app.ticket(member, &key, tombstone).await;
            assert_eq!(ticket["comments"]["nodes"], json!([{
                "body": null, "deletedAt": "2026-06-01T09:01:00+00:00", "deletedByName": "Ada Admin",
                "authorName": "Olga Operations",
            }]));
            assert_eq!(each(&ticket["history"], "kind")[1..], ["COMMENT_ADDED", "COMMENT_EDITED", "COMMENT_DELETED"]);
        }
        let again = json!({ "commentId": id, "body": "Back" });
        assert_eq!(refused(app, &cast.operations, "editComment", again).await, pairs(&[("INVALID", "commentId")]));
        let again = app.mutate(&cast.operations, "deleteComment", json!({ "commentId": id }), COMMENT).await;
        assert_eq!(again["comment"]["deletedByName"], "Ada Admin");
    }

    async fn a_contacts_comment_answers_the_open_question(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        app.change(&cast.operations, "assignTicket", json!({ "ticketId": key, "assigneeId": cast.tech.id })).await;
        app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.advance(TimeDelta::hours(3));
        say(app, &cast.operations, &key, "INTERNAL", "Let us wait.").await;
        say(app, &cast.operations, &key, "CLIENT", "Take your time.").await;
        let waiting = app.ticket(&cast.qa, &key, "sla { status } clarifications { answer }").await;
        assert_eq!(waiting, json!({ "sla": { "status": "PAUSED" }, "clarifications": [{ "answer": null }] }));
        let token = Some(cast.other_client.token.as_str());
        let ours = json!({ "ticketId": key, "body": "Ours!" });
        assert_eq!(app.mutation_error(token, "addComment", ours).await, "NOT_FOUND");
        let colleague = client(&app.service, &cast.acme, "Cora Colleague").await;
        let answer = say(app, &colleague, &key, "CLIENT", "Firefox").await;
        assert_eq!(answer["isAnswer"], true);
        let ticket = app.ticket(&cast.qa, &key, "sla { status elapsed } clarifications { answer answeredAt } \
            visits { pauses { startedAt endedAt } } history { kind contact { name } }").await;
        assert_eq!(ticket["sla"], json!({ "status": "ON_TRACK", "elapsed": "PT0S" }));
        let [asked_at, answered_at] = ["2026-06-01T09:00:00+00:00", "2026-06-01T12:00:00+00:00"];
        assert_eq!(ticket["clarifications"], json!([{ "answer": "Firefox", "answeredAt": answered_at }]));
        assert_eq!(ticket["visits"], json!([{ "pauses": [{ "startedAt": asked_at, "endedAt": answered_at }] }]));
        assert_eq!(ticket["history"].as_array().unwrap()[5..], [
            json!({ "kind": "COMMENT_ADDED", "contact": { "name": "Cora Colleague" } }),
            json!({ "kind": "CLARIFICATION_ANSWERED", "contact": { "name": "Cora Colleague" } }),
        ]);
        assert_eq!(told(app, &key).await, pairs(&[
            ("ASSIGNED", "Tariq Tech"),
            ("CLARIFICATION_ANSWERED", "Tariq Tech"),
            ("CLARIFICATION_REQUESTED", "Carla Client"),
            ("COMMENT_ADDED", "Carla Client"),
            ("COMMENT_ADDED", "Olga Operations"),
        ]));
        for (mutation, input) in [
            ("editComment", json!({ "commentId": answer["id"], "body": "Chrome" })),
            ("deleteComment", json!({ "commentId": answer["id"] })),
        ] {
            assert_eq!(refused(app, &colleague, mutation, input).await, pairs(&[("NOT_ALLOWED", "commentId")]));
        }
        assert_eq!(say(app, &colleague, &key, "CLIENT", "And Linux").await["isAnswer"], false);
    }

    async fn pages_go_forward_and_backward(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        for number in 1..=5 {
            app.advance(TimeDelta::seconds(1));
            say(app, &cast.qa, &key, if number == 3 { "INTERNAL" } else { "CLIENT" }, &number.to_string()).await;
        }
        let query = "query($key: String, $first: Int, $after: String, $last: Int, $before: String) { ticket(key: $key) {
            comments(first: $first, after: $after, last: $last, before: $before) {
            totalCount nodes { body } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
        let page = async |member: &Member, mut arguments: Value| {
            arguments["key"] = json!(key);
            app.ask(member, query, arguments).await["ticket"]["comments"].take()
        };
        let bodies = |page: &Value| each(&page["nodes"], "body").iter().map(|body| body.as_str().unwrap()).collect::<String>();
        let first = page(&cast.client, json!({ "first": 2 })).await;
        assert_eq!((bodies(&first).as_str(), &first["totalCount"]), ("12", &json!(4)));
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let next = page(&cast.client, json!({ "first": 2, "after": first["pageInfo"]["endCursor"] })).await;
        assert_eq!((bodies(&next).as_str(), &next["pageInfo"]["hasNextPage"]), ("45", &json!(false)));
        let last = page(&cast.qa, json!({ "last": 2 })).await;
        assert_eq!((bodies(&last).as_str(), &last["pageInfo"]["hasPreviousPage"]), ("45", &json!(true)));
        let before = page(&cast.qa, json!({ "last": 9, "before": last["pageInfo"]["startCursor"] })).await;
        assert_eq!((bodies(&before).as_str(), &before["pageInfo"]["hasPreviousPage"]), ("123", &json!(false)));
        let alone = page(&cast.qa, json!({ "before": last["pageInfo"]["startCursor"] })).await;
        assert_eq!((bodies(&alone).as_str(), &alone["pageInfo"]["hasNextPage"]), ("123", &json!(true)));
        let bounded = page(&cast.qa, json!({ "first": 1, "before": before["pageInfo"]["startCursor"] })).await;
        assert_eq!((bodies(&bounded).as_str(), &bounded["pageInfo"]["hasNextPage"]), ("", &json!(true)));
        let end = page(&cast.client, json!({ "first": 1, "after": next["pageInfo"]["endCursor"] })).await;
        assert_eq!((bodies(&end).as_str(), &end["pageInfo"]["hasPreviousPage"]), ("", &json!(true)));
        for arguments in [json!({ "first": 0 }), json!({ "first": 101 }), json!({ "first": 1, "last": 1 }),
            json!({ "after": "x" }), json!({ "last": -1 })] {
            let mut arguments = arguments;
            arguments["key"] = json!(key);
            assert_eq!(app.error(Some(&cast.qa.token), query, arguments).await, "BAD_INPUT");
        }
    }

    async fn a_page_of_tickets_with_comments_costs_the_same_however_long_it_is(app) {
        for _ in 0..12 {
            let key = app.file_ticket().await;
            say(app, &app.cast.qa, &key, "CLIENT", "Hello").await;
            say(app, &app.cast.client, &key, "CLIENT", "Hello too").await;
            app.mutate(&app.cast.qa, "watchTicket", json!({ "ticketId": key }), "ticket { id }").await;
        }
        let query = "query($first: Int) { tickets(first: $first) { nodes { key viewerIsWatching
            watchers { person { name } } comments(first: 5) { totalCount nodes { body authorName person { name } } } } } }";
        app.ask(&app.cast.qa, query, json!({ "first": 1 })).await;
        let (_, few) = app.statements(app.ask(&app.cast.qa, query, json!({ "first": 2 }))).await;
        let (_, many) = app.statements(app.ask(&app.cast.qa, query, json!({ "first": 12 }))).await;
        assert_eq!(few, many);
        println!("a page of tickets with comments and watchers: {many} statements");
    }
}
