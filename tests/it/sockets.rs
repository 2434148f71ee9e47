//! `graphql-transport-ws`: its messages, and the codes with which it ends connections.

use std::net::SocketAddr;

use entity::id::PersonId;
use secondline::{
    domain::actor::Actor,
    service::{contacts::ContactInput, tokens::TokenOwner},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    TestApp, each_database,
    socket::{Message, Socket},
};

async fn listen(app: &TestApp) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = app.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    addr
}

/// The code with which the server ends a connection that says these.
async fn ended(addr: SocketAddr, token: &str, messages: Vec<Message>) -> u16 {
    let mut socket = Socket::open(addr, token).await;
    for message in messages {
        socket.send_raw(message).await;
    }
    loop {
        if let Err((code, _)) = socket.receive().await {
            return code;
        }
    }
}

fn text(message: Value) -> Message {
    Message::text(message.to_string())
}

each_database! {
    async fn what_the_protocol_does_not_allow_ends_the_connection(app) {
        let addr = listen(app).await;
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { ticketEvents { kind } }" } });
        for (messages, expected) in [
            (vec![Message::text("x")], 4400),
            (vec![Message::binary(b"x".to_vec())], 4400),
            (vec![text(json!({ "type": "start", "id": "1" }))], 4400),
            (vec![text(json!({ "type": "subscribe", "payload": { "query": "{ a }" } }))], 4400),
            (vec![text(json!({ "type": "subscribe", "id": "1", "payload": {} }))], 4400),
            (vec![text(json!({ "type": "connection_init" }))], 4429),
            (vec![text(subscribe.clone()), text(subscribe.clone())], 4409),
            (vec![text(json!({ "type": "ping", "payload": { "x": " ".repeat(256 * 1024) } }))], 1009),
        ] {
            let said = format!("{messages:?}");
            let said = said.chars().take(200).collect::<String>();
            assert_eq!(ended(addr, &app.cast.qa.token, messages).await, expected, "{said}");
        }
    }

    async fn queries_and_mutations_are_answered_once(app) {
        let addr = listen(app).await;
        let mut socket = Socket::open(addr, &app.cast.administrator.token).await;
        for query in [
            "{ viewer { person { name } } }",
            "mutation { createCompany(input: { name: \"Initech\" }) { company { name } } }",
        ] {
            socket.request("1", query).await;
            let answer = socket.next("1").await.to_string();
            assert!(answer.contains("Ada Admin") || answer.contains("Initech"), "{answer}");
            assert_eq!(socket.receive().await, Ok(json!({ "type": "complete", "id": "1" })));
        }
    }

    async fn a_document_that_is_not_valid_is_an_error_of_its_operation(app) {
        let addr = listen(app).await;
        let mut socket = Socket::open(addr, &app.cast.qa.token).await;
        let deep = "{ process ".repeat(100);
        for (query, code) in [("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"), ("{", "GRAPHQL_PARSE_FAILED"), (&deep, "LIMIT_EXCEEDED")] {
            socket.request("1", query).await;
            let answer = socket.receive().await.unwrap();
            assert_eq!((&answer["type"], &answer["payload"][0]["extensions"]["code"]), (&json!("error"), &json!(code)), "{answer}");
        }
        socket.request("1", "{ process { name } }").await;
        assert_eq!(socket.next("1").await, json!({ "process": { "name": "Level 2 Support" } }));
    }

    async fn pings_are_answered_with_what_came_with_them(app) {
        let addr = listen(app).await;
        let mut socket = Socket::open(addr, &app.cast.qa.token).await;
        socket.send(json!({ "type": "pong" })).await;
        socket.send(json!({ "type": "ping", "payload": { "n": 1 } })).await;
        assert_eq!(socket.receive().await, Ok(json!({ "type": "pong", "payload": { "n": 1 } })));
    }

    async fn an_operation_that_is_complete_makes_room_for_another(app) {
        let addr = listen(app).await;
        let mut socket = Socket::open(addr, &app.cast.qa.token).await;
        let subscription = "subscription { ticketEvents { kind } }";
        for n in 0..101 {
            socket.request(&n.to_string(), subscription).await;
        }
        let refused = socket.receive().await.unwrap();
        assert_eq!((&refused["id"], &refused["payload"][0]["extensions"]["code"]), (&json!("100"), &json!("RATE_LIMITED")));
        socket.send(json!({ "type": "complete", "id": "0" })).await;
        socket.subscribe("0", subscription).await;
    }

    async fn pages_of_other_origins_and_other_protocols_are_refused(app) {
        let addr = listen(app).await;
        let ours = ("sec-websocket-protocol", "graphql-transport-ws");
        let own = format!("http://{addr}");
        for (headers, expected) in [
            (vec![ours], Ok(())),
            (vec![ours, ("origin", own.as_str())], Ok(())),
            (vec![ours, ("origin", "https://evil.example.net")], Err(403)),
            (vec![("sec-websocket-protocol", "graphql-ws")], Err(400)),
            (vec![], Err(400)),
            (vec![ours, ("authorization", "Bearer secondline_wrong")], Err(401)),
        ] {
            assert_eq!(Socket::try_connect(addr, &headers).await, expected, "{headers:?}");
        }
    }

    async fn a_revoked_token_ends_its_connections(app) {
        let addr = listen(app).await;
        let id: PersonId = app.cast.qa.id.parse().unwrap();
        let token = app.service.create_token(TokenOwner::Person(id), "lost", None).await.unwrap();
        let mut socket = Socket::open(addr, &token.secret).await;
        socket.subscribe("1", "subscription { ticketEvents { kind } }").await;
        let mut other = Socket::open(addr, &app.cast.qa.token).await;
        assert!(app.service.revoke_token(token.row.id).await.unwrap());
        assert_eq!(socket.receive().await.unwrap_err().0, 4403);
        other.subscribe("1", "subscription { ticketEvents { kind } }").await;
    }

    async fn rights_that_change_end_the_connections_of_their_owner(app) {
        let addr = listen(app).await;
        let mut socket = Socket::open(addr, &app.cast.qa.token).await;
        socket.subscribe("1", "subscription { slaAlerts { level } }").await;
        let input = json!({ "personId": app.cast.qa.id, "isActive": false });
        app.make(&app.cast.administrator, "updatePerson", "person", input, "id").await;
        assert_eq!(socket.receive().await.unwrap_err().0, 4403);
    }

    async fn a_contact_who_left_hears_no_more_on_any_replica(app) {
        let addr = listen(app).await;
        let subscription = "subscription { ticketEvents { kind } }";
        let mut socket = Socket::open(addr, &app.cast.client.token).await;
        socket.subscribe("1", subscription).await;
        let mut other = Socket::open(addr, &app.cast.other_client.token).await;
        other.subscribe("1", subscription).await;
        // Another process writes it, as the command line does.
        let input = ContactInput { active: Some(false), ..ContactInput::default() };
        let id = app.cast.client.id.parse().unwrap();
        app.replica().await.update_contact(&Actor::System, id, input, None).await.unwrap();
        assert_eq!(socket.receive().await.unwrap_err().0, 4403);
        other.subscribe("2", subscription).await;
        assert_eq!(Socket::try_connect(addr, &[
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("authorization", &format!("Bearer {}", app.cast.client.token)),
        ]).await, Err(401));
    }
}
