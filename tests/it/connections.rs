//! What strangers may do with connections: hardly anything, and nobody else notices.

use std::time::Duration;

use entity::vocab::{EventKind, TicketField};
use futures_util::future::join_all;
use secondline::{
    domain::{
        actor::Actor,
        event::{Event, EventData, FieldChange},
    },
    store,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    Engine, Member, TestApp, each_database,
    following::until,
    server::{self, Server},
    socket::Socket,
    wire::{Wire, serve},
};

const H2_PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// As long as a client may take for its first head, and a little more on a busy machine.
const FIRST_HEAD: Duration = Duration::from_secs(15);
/// Sooner than that.
const AT_ONCE: Duration = Duration::from_secs(5);

fn post(path: &str, headers: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n")
}

fn ask(member: &Member, query: &str) -> String {
    let body = json!({ "query": query }).to_string();
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {}\r\n", member.token);
    post("/graphql", &headers, body.len()) + &body
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_refused_at_once_and_what_says_nothing_soon() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = serve(&app).await;
    let mut preface = Wire::connect(server.addr).await;
    preface.send(H2_PREFACE).await;
    assert!(preface.is_closed(AT_ONCE).await);

    let mut kept = Wire::connect(server.addr).await;
    let began = Instant::now();
    let silent = ["", "G", "GET /healthz HTTP/1.1\r\nHost: local", &H2_PREFACE[..12]].map(async |text| {
        let mut wire = Wire::connect(server.addr).await;
        wire.send(text).await;
        wire.is_closed(FIRST_HEAD).await
    });
    kept.send(HEALTH).await;
    assert_eq!(kept.answer().await.unwrap().0, 200);
    assert_eq!(join_all(silent).await, [true; 4]);
    assert!(began.elapsed() > AT_ONCE, "a client is given time");
    kept.send(HEALTH).await;
    assert_eq!(kept.answer().await.unwrap().0, 200, "a connection that has been used may rest longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answers_what_has_come_and_waits_for_nothing_else() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let mut server = serve(&app).await;
    let mut wires = Vec::new();
    for text in ["", "GET /healthz HTTP/1.1\r\nHost: local", HEALTH] {
        let mut wire = Wire::connect(server.addr).await;
        wire.send(text).await;
        wires.push(wire);
    }
    assert_eq!(wires[2].answer().await.unwrap().0, 200);
    let body = json!({ "query": "{ process { name } }" }).to_string();
    let mut asking = Wire::connect(server.addr).await;
    asking.send(post("/graphql", "Content-Type: application/json\r\n", body.len())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    let (half, rest) = body.split_at(10);
    asking.send(half).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    asking.send(rest).await;
    assert_eq!(asking.answer().await.unwrap().0, 200);
    for mut wire in wires {
        assert!(wire.is_closed(AT_ONCE).await);
    }
    tokio::time::timeout(AT_ONCE, &mut server.served).await.unwrap().unwrap();
}

/// With so few files there are some sixty connections.
const FILES: u32 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_take_no_places_from_others_and_no_files_from_the_database() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = Server::start_after(&format!("ulimit -n {FILES}"), &app.database.url, &[]);
    let client = server::http_client();
    let mut idle = Vec::new();
    for n in 0..400_usize {
        let source = [127, 0, 0, 2 + u8::try_from(n % 3).unwrap()];
        // The system may have no place for it either.
        idle.extend(Wire::connect_from(source, server.addr).await);
        if n % 100 == 99 {
            let health = client.get(format!("http://{}/readyz", server.addr)).send().await.unwrap();
            assert_eq!(health.status(), 200);
            let answer =
                server.graphql(&client, &app.cast.administrator.token, "{ viewer { person { name } } }", json!({}));
            assert_eq!(answer.await.unwrap()["data"]["viewer"]["person"]["name"], "Ada Admin");
        }
    }
    assert!(server.open_files() < usize::try_from(FILES).unwrap() / 2, "{}", server.open_files());
    let created = "mutation { createCompany(input: { name: \"Initech\" }) { company { name } } }";
    let answer = server.graphql(&client, &app.cast.administrator.token, created, json!({})).await.unwrap();
    assert_eq!(answer["data"]["createCompany"]["company"]["name"], "Initech");
}

/// Bodies that are refused, the head before it, and what must be answered.
fn refusals(length: usize) -> Vec<(&'static str, String, u16)> {
    let of = |method: &str, path: &str, headers: &str| {
        let headers = format!("Host: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
        format!("{method} {path} HTTP/1.1\r\n{headers}")
    };
    let json = "Content-Type: application/json\r\n";
    let file = "/attachments/attachment_00000000000000000000000000000001";
    vec![
        ("multipart", of("POST", "/graphql", "Content-Type: multipart/form-data; boundary=x\r\n"), 415),
        ("compressed", of("POST", "/graphql", &format!("{json}Content-Encoding: gzip\r\n")), 415),
        ("method", of("PUT", "/graphql", json), 405),
        ("method of health", of("POST", "/healthz", json), 405),
        ("path", of("POST", "/nothing", json), 404),
        ("socket", of("POST", "/graphql/ws", json), 400),
        ("no file", of("PUT", file, ""), 404),
        ("no such file", of("PUT", &format!("{file}?expires=1&signature=x"), ""), 403),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_by_who_sends_a_body_to_its_end() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = serve(&app).await;
    let mut clients = Vec::new();
    for length in [1, 1 << 10, 64 << 10, 300 << 10, 1 << 20, 8 << 20] {
        let mut cases = refusals(length);
        if length > 256 << 10 {
            cases.push(("length", post("/graphql", "Content-Type: application/json\r\n", length), 413));
        }
        for (name, head, expected) in cases {
            // Few at once of those that are large, for what is on its way is in memory.
            for _ in 0..(if length > 1 << 20 { 1 } else { 4 }) {
                let (name, head, addr) = (name, head.clone(), server.addr);
                clients.push(tokio::spawn(async move {
                    let mut wire = Wire::connect(addr).await;
                    wire.send(head).await;
                    wire.send(vec![b'x'; length]).await;
                    let heard = wire.status().await;
                    (heard != Some(expected)).then(|| format!("{name}, {length} bytes: {heard:?}, not {expected}"))
                }));
            }
        }
    }
    let deaf: Vec<_> = join_all(clients).await.into_iter().filter_map(Result::unwrap).collect();
    assert!(deaf.is_empty(), "{deaf:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_by_who_sends_what_is_no_request_or_too_much_of_one() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = serve(&app).await;
    let host = "Host: localhost\r\n";
    let chunked =
        format!("POST /graphql HTTP/1.1\r\n{host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(16);
    for (text, expected) in [
        (format!("GET /healthz HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(1 << 20)), 431),
        (format!("GET /healthz HTTP/1.1\r\n{host}{}\r\n", "X: y\r\n".repeat(50_000)), 431),
        (format!("\u{16}\u{3}\u{1}{}", "x".repeat(1 << 20)), 400),
        (chunked + &chunks, 413),
    ] {
        let clients = (0..8).map(async |_| {
            let mut wire = Wire::connect(server.addr).await;
            wire.send(&text).await;
            wire.status().await
        });
        assert_eq!(join_all(clients).await, [Some(expected); 8], "{}", &text[..60]);
    }
}

/// Events of a ticket that make an answer of four million bytes.
async fn long_history(app: &TestApp) -> String {
    let key = app.file_ticket().await;
    let ticket = app.ticket(&app.cast.qa, &key, "id").await["id"].as_str().unwrap().parse().unwrap();
    let text = Some("x".repeat(20_000));
    let change = FieldChange { field: TicketField::Description, before: text.clone(), after: text };
    let data = EventData { changes: vec![change], ..EventData::default() };
    let event = Event { kind: EventKind::FactsChanged, data };
    let events = std::iter::repeat_n((ticket, &event), 100);
    store::events::append_many(&app.db, &Actor::System, app.clock.now(), events).await.unwrap();
    format!("{{ ticket(key: \"{key}\") {{ events(last: 100) {{ nodes {{ changes {{ before after }} }} }} }} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_are_bounded() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = serve(&app).await;
    let query = long_history(&app).await;
    let mut deaf = Vec::new();
    let mut refused = None;
    while refused.is_none() {
        let mut wire = Wire::connect_narrow(server.addr).await;
        wire.send(ask(&app.cast.qa, &query)).await;
        let status = wire.status().await.unwrap();
        if status != 200 {
            refused = Some(status);
        }
        deaf.push(wire);
        assert!(deaf.len() < 20, "{} answers of four million bytes are kept", deaf.len());
    }
    assert_eq!((refused, deaf.len()), (Some(429), 6), "sixteen million bytes are kept, and not more");
    let write = "mutation { createCompany(input: { name: \"Initech\" }) { company { name } } }";
    let mut wire = Wire::connect(server.addr).await;
    wire.send(ask(&app.cast.qa, write)).await;
    let (status, answer) = wire.answer().await.unwrap();
    assert_eq!((status, answer.contains("too many answers")), (429, true), "nothing is carried out either: {answer}");

    let mut other = Wire::connect(server.addr).await;
    other.send(ask(&app.cast.tech, &query)).await;
    let (status, answer) = other.answer().await.unwrap();
    assert!(status == 200 && answer.len() > 4_000_000, "nobody else notices");
    drop(deaf);
    until("the answers are given up", async || {
        let mut wire = Wire::connect(server.addr).await;
        wire.send(ask(&app.cast.qa, "{ process { name } }")).await;
        wire.status().await == Some(200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_come_at_once_from_one_address_are_bounded() {
    let app = TestApp::start(Engine::Sqlite).await.unwrap();
    let server = serve(&app).await;
    let length = 256 << 10;
    let mut slow = Vec::new();
    for _ in 0..30 {
        let mut wire = Wire::connect(server.addr).await;
        wire.send(post("/graphql", "Content-Type: application/json\r\n", length)).await;
        wire.send(vec![b' '; length - 1]).await;
        slow.push(wire);
    }
    let refused = join_all(
        slow.iter_mut()
            .map(async |wire| tokio::time::timeout(AT_ONCE, wire.status()).await.ok().flatten() == Some(429)),
    );
    let refused = refused.await.iter().filter(|is_refused| **is_refused).count();
    assert!((22..30).contains(&refused), "eight fit into two million bytes, and {} are kept", 30 - refused);
    let mut usual = Wire::connect(server.addr).await;
    usual.send(ask(&app.cast.qa, "{ process { name } }")).await;
    assert_eq!(usual.answer().await.unwrap().0, 200, "a request of a usual size is never kept out");
}

each_database! {
    async fn three_hundred_sockets_arrive_at_once_from_one_address(app) {
        let server = serve(app).await;
        let mut arriving = join_all((0..300).map(|_| Socket::connect(server.addr))).await;
        let cast = &app.cast;
        let members = [&cast.operations, &cast.qa, &cast.project_manager, &cast.tech];
        for (n, socket) in arriving.iter_mut().enumerate() {
            socket.init(json!({ "token": members[n % members.len()].token })).await;
        }
        let let_in = join_all(arriving.iter_mut().map(Socket::receive)).await;
        assert!(let_in.iter().all(|answer| *answer == Ok(json!({ "type": "connection_ack" }))), "{let_in:?}");
        // Each is counted for its own caller, and a caller has a hundred.
        let mut more = join_all((0..30).map(|_| Socket::connect(server.addr))).await;
        for socket in &mut more {
            socket.init(json!({ "token": cast.qa.token })).await;
        }
        let ends = join_all(more.iter_mut().map(Socket::receive)).await;
        let refused = ends.iter().filter(|end| matches!(end, Err((1013, _)))).count();
        assert_eq!((refused, ends.iter().filter(|end| end.is_ok()).count()), (5, 25), "{ends:?}");
    }

    async fn who_is_not_known_sends_no_long_message_over_a_socket(app) {
        let server = serve(app).await;
        let long = json!({ "type": "ping", "payload": { "x": " ".repeat(100 * 1024) } });
        let mut known = Socket::open(server.addr, &app.cast.qa.token).await;
        known.send(long.clone()).await;
        assert_eq!(known.receive().await.unwrap()["type"], "pong");
        let mut unknown = Socket::connect(server.addr).await;
        unknown.send(long).await;
        let ended = unknown.receive().await;
        assert!(matches!(ended, Err((1009, _))), "{ended:?}");
        let mut unknown = Socket::connect(server.addr).await;
        unknown.init(Value::Null).await;
        assert_eq!(unknown.receive().await, Ok(json!({ "type": "connection_ack" })));
        for _ in 0..20 {
            unknown.send(json!({ "type": "ping", "payload": { "x": " ".repeat(10 * 1024) } })).await;
            assert_eq!(unknown.receive().await.unwrap()["type"], "pong");
        }
    }
}
