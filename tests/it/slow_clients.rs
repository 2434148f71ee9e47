//! Clients that subscribe and then take nothing: they are dropped in time, told so where they can be told, and lose nothing.

use std::{net::SocketAddr, time::Duration};

use entity::{
    id::TicketId,
    vocab::{EventKind, TicketField},
};
use secondline::{
    domain::{
        actor::Actor,
        event::{Event, EventData, FieldChange},
    },
    store,
};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{
    Engine, TestApp,
    following::{listen, until},
    server,
    socket::Socket,
};

/// Of events of this size, so many do not fit into what the network keeps for a client that does not read.
const TEXT: usize = 20_000;
const EVENTS: usize = 600;
/// Somewhat longer than the server waits for a client.
const ASLEEP: Duration = Duration::from_secs(11);
/// A connection on which nothing comes for so long goes on: the machine is busy, and the client woke up in time.
const SILENCE: Duration = Duration::from_secs(5);
/// How often that may happen.
const ATTEMPTS: usize = 3;

async fn write(app: &TestApp, ticket: TicketId) {
    let text = Some("x".repeat(TEXT));
    let change = FieldChange { field: TicketField::Description, before: text.clone(), after: text };
    let data = EventData { changes: vec![change], ..EventData::default() };
    let event = Event { kind: EventKind::FactsChanged, data };
    for _ in 0..EVENTS / 50 {
        let events = std::iter::repeat_n((ticket, &event), 50);
        store::events::append_many(&app.db, &Actor::System, app.clock.now(), events).await.unwrap();
    }
}

fn subscription(after: &str) -> String {
    format!("subscription {{ ticketEvents(after: \"{after}\") {{ cursor changes {{ before after }} }} }}")
}

/// How many events a socket tells, and how it ends; none where it does not.
async fn sleepy_socket(addr: SocketAddr, token: &str, after: &str) -> Option<(usize, u16, String)> {
    let mut socket = Socket::open(addr, token).await;
    socket.request("1", &subscription(after)).await;
    tokio::time::sleep(ASLEEP).await;
    let mut heard = 0;
    loop {
        match timeout(SILENCE, socket.receive()).await.ok()? {
            Ok(message) => assert_eq!(message["type"], "next"),
            Err((code, reason)) => return Some((heard, code, reason)),
        }
        heard += 1;
    }
}

/// How many events a stream tells, and its last ones; none where it does not end.
async fn sleepy_stream(addr: SocketAddr, token: &str, after: &str) -> Option<(usize, String)> {
    let request = server::http_client().post(format!("http://{addr}/graphql")).bearer_auth(token);
    let request = request.header("accept", "text/event-stream").json(&json!({ "query": subscription(after) }));
    let mut response = request.send().await.unwrap();
    tokio::time::sleep(ASLEEP).await;
    let mut text = Vec::new();
    while let Some(chunk) = timeout(SILENCE, response.chunk()).await.ok()?.unwrap() {
        text.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(text).unwrap();
    let events: Vec<_> = text.split("\n\n").filter(|event| event.starts_with("event:")).collect();
    Some((events.len(), events[events.len() - 2..].join("; ")))
}

/// What becomes of clients that sleep, in one of a few attempts.
async fn dropped<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..ATTEMPTS {
        if let Some(ended) = attempt().await {
            return ended;
        }
    }
    panic!("a client that takes nothing is not dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_dropped_and_told_to_resume_from_its_cursor() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = listen(&app).await;
    let token = &app.cast.qa.token;
    let after = app.ask(&app.cast.qa, "{ eventCursor }", json!({})).await["eventCursor"].as_str().unwrap().to_owned();
    let key = app.file_ticket().await;
    let ticket = app.ticket(&app.cast.qa, &key, "id").await["id"].as_str().unwrap().parse().unwrap();
    write(&app, ticket).await;

    let watched = app.service.clone();
    let last = store::event_log::highest(&app.db).await.unwrap();
    until("the log is told on", async || watched.log_position() >= Some(last)).await;
    let by_socket = dropped(async || sleepy_socket(server.addr, token, &after).await);
    let by_stream = dropped(async || sleepy_stream(server.addr, token, &after).await);
    let ((heard, code, reason), by_stream) = tokio::join!(by_socket, by_stream);
    assert_eq!((code, &reason[..7]), (1013, "LAGGED:"), "{reason}");
    assert!(heard < EVENTS, "all {heard} events fitted into the network");
    let (heard, last) = by_stream;
    assert!(last.contains("\"code\":\"LAGGED\"") && last.ends_with("event: complete\ndata:"), "{last}");
    assert!(heard < EVENTS, "all {heard} events fitted into the network");
}
