//! What callers pay for what they ask, and what they may have at once.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use chrono::TimeDelta;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value as DbValue};
use secondline::{
    graphql::admission::Policy,
    http::{HttpState, Settings},
    service::Service,
    store::connection,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Member, TestApp, each_database, following::serve, socket::Socket};

/// The attack: thirty searches with their totals.
fn searches() -> String {
    let searches: String = (0..30).map(|n| format!("s{n}: tickets(search: \"e\") {{ totalCount }} ")).collect();
    format!("{{ {searches} }}")
}

/// A router whose callers have so many points a minute.
fn router(service: &Service, per_minute: u32) -> Router {
    let cost_limit = u64::from(per_minute).min(50_000);
    let policy = Policy { cost_limit, cost_per_minute: per_minute.try_into().unwrap(), ..Policy::default() };
    secondline::http::router(HttpState::new(service.clone(), policy, Settings::default()))
}

/// What is answered to somebody at an address: the status, the points that are left, and the body.
async fn answer(router: &Router, address: &str, request: Request<Body>) -> (u16, Option<u64>, String) {
    let mut request = request;
    let address: SocketAddr = format!("{address}:1").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    let response = router.clone().oneshot(request).await.unwrap();
    let left = response.headers().get("x-ratelimit-remaining").map(|left| left.to_str().unwrap().parse().unwrap());
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, left, String::from_utf8_lossy(&body).into_owned())
}

fn post(token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn query(text: &str) -> String {
    json!({ "query": text }).to_string()
}

const CHEAP: &str = "{ process { name } }";

async fn file(app: &TestApp, client: &Member, subject: &str) {
    let mut facts = app.first_facts().await;
    facts["subject"] = json!(subject);
    app.change(client, "createTicket", json!({ "facts": facts })).await;
}

/// What a search asks of the index, as the store asks it, on another connection to the same database.
async fn asked(app: &TestApp, text: &str) -> Statement {
    let db = connection::open(&app.database.url, 4).await.unwrap();
    let kept: Arc<Mutex<Vec<Statement>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    db.set_metric_callback(move |info| keeps.lock().unwrap().push(info.statement.clone()));
    let service = Service::new(db, app.clock.clone(), Vec::new());
    let body = json!({
        "query": "query($text: String) { tickets(search: $text) { nodes { key } } }", "variables": { "text": text },
    });
    let (status, _, answer) =
        answer(&router(&service, 500_000), "203.0.113.7", post(Some(&app.cast.client.token), &body.to_string())).await;
    assert!(status == 200 && !answer.contains("errors"), "{answer}");
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    kept.into_iter().find(|statement| statement.sql.contains("ticket_search")).unwrap()
}

/// How much of the index a search goes through, and whatever else tells it from another one.
async fn visited(app: &TestApp, text: &str) -> Vec<i64> {
    let statement = asked(app, text).await;
    if app.db.get_database_backend() == DbBackend::Postgres {
        return visited_on_postgres(app, statement).await;
    }
    let words = statement.values.iter().flat_map(|values| &values.0).find_map(|value| match value {
        DbValue::String(Some(words)) if words.contains('"') => Some(words.clone()),
        _ => None,
    });
    let words = words.unwrap();
    assert!(statement.sql.contains("ticket_search_client"), "{}", statement.sql);
    app.db.execute_unprepared("DROP TABLE IF EXISTS index_terms").await.unwrap();
    let terms = "CREATE VIRTUAL TABLE index_terms USING fts5vocab('ticket_search_client', 'row')";
    app.db.execute_unprepared(terms).await.unwrap();
    let mut found = Vec::new();
    for word in words.split(" AND ") {
        let (word, is_prefix) = (word.trim_matches(['"', '*']), word.ends_with('*'));
        let end = if is_prefix { format!("{word}\u{10ffff}") } else { word.to_owned() };
        let sql = "SELECT coalesce(sum(doc), 0) FROM index_terms WHERE term >= ? AND term <= ?";
        let documents = Statement::from_sql_and_values(DbBackend::Sqlite, sql, [word.into(), end.into()]);
        let row = app.db.query_one_raw(documents).await.unwrap().unwrap();
        found.push(row.try_get_by_index(0).unwrap());
    }
    found
}

async fn visited_on_postgres(app: &TestApp, statement: Statement) -> Vec<i64> {
    let tx = app.db.begin().await.unwrap();
    tx.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}", statement.sql);
    let mut plan = Value::Null;
    // What is read for the first time is read from elsewhere.
    for _ in 0..2 {
        let explain = Statement { sql: sql.clone(), ..statement.clone() };
        plan = tx.query_one_raw(explain).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    }
    tx.rollback().await.unwrap();
    let mut rows = 0;
    add_rows(&plan[0]["Plan"], &mut rows);
    let blocks = |key: &str| plan[0]["Plan"][key].as_i64().unwrap();
    vec![rows, blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")]
}

/// Rows that any step of the plan looked at.
fn add_rows(step: &Value, rows: &mut i64) {
    let loops = step["Actual Loops"].as_f64().unwrap_or(1.0);
    for key in ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter"]
    {
        #[expect(clippy::cast_possible_truncation, reason = "a test has few rows")]
        let found = (step[key].as_f64().unwrap_or(0.0) * loops) as i64;
        *rows += found;
    }
    for below in step["Plans"].as_array().into_iter().flatten() {
        add_rows(below, rows);
    }
}

each_database! {
    async fn staff_is_served_while_one_contact_searches(app) {
        for _ in 0..20 {
            file(app, &app.cast.client, "Every element is extremely empty").await;
        }
        let done = Arc::new(AtomicUsize::new(0));
        let attack: Vec<_> = (0..8).map(|_| {
            let (router, done) = (app.router.clone(), Arc::clone(&done));
            let request = post(Some(&app.cast.client.token), &query(&searches()));
            tokio::spawn(async move {
                let (status, _, answer) = answer(&router, "203.0.113.7", request).await;
                done.fetch_add(1, Ordering::SeqCst);
                (status, answer.contains("\"s29\":{\"totalCount\":20}"))
            })
        }).collect();
        tokio::task::yield_now().await;
        for _ in 0..5 {
            app.ask(&app.cast.qa, "{ tickets(first: 1) { nodes { key } } }", json!({})).await;
        }
        assert!(done.load(Ordering::SeqCst) < 8, "staff waited for all that a contact asked");
        for attacker in join_all(attack).await {
            assert_eq!(attacker.unwrap(), (200, true), "it is answered, in its turn");
        }
    }

    async fn too_many_requests_of_one_caller_are_refused_and_of_others_are_not(app) {
        let attack = (0..200).map(|_| {
            let (router, token) = (app.router.clone(), app.cast.client.token.clone());
            tokio::spawn(async move {
                answer(&router, "203.0.113.7", post(Some(&token), &query("{ tickets { totalCount } }"))).await
            })
        });
        let attack: Vec<_> = attack.collect();
        app.ask(&app.cast.qa, "{ tickets { totalCount } }", json!({})).await;
        for answered in join_all(attack).await {
            let (status, _, answer) = answered.unwrap();
            assert!(status == 200 || status == 429 && answer.contains("too many of your requests"), "{status} {answer}");
        }
    }

    async fn a_search_of_a_contact_goes_through_nothing_of_others(app) {
        for _ in 0..30 {
            file(app, &app.cast.other_client, "Zeppelin secretly acquired").await;
        }
        for _ in 0..3 {
            file(app, &app.cast.client, "Bicycle broken").await;
        }
        if app.db.get_database_backend() == DbBackend::Postgres {
            for table in ["ticket_search", "ticket"] {
                app.db.execute_unprepared(&format!("VACUUM ANALYZE {table}")).await.unwrap();
            }
        }
        for (of_others, unknown) in [("zeppelin", "zeppeline"), ("z", "q"), ("secretly zep", "secretive zep")] {
            assert_eq!(visited(app, of_others).await, visited(app, unknown).await, "{of_others}");
        }
        assert_ne!(visited(app, "bicycle").await, visited(app, "tricycle").await, "what is theirs is found");
    }

    async fn work_is_paid_for(app) {
        let cost = async |text: &str| {
            let text = format!("{{ rateLimit {{ cost }} {text} }}");
            app.ask(&app.cast.operations_manager, &text, json!({})).await["rateLimit"]["cost"].as_u64().unwrap()
        };
        let page = cost("tickets(first: 1) { nodes { key } }").await;
        let searched = cost("tickets(first: 1, search: \"e\") { nodes { key } }").await;
        let looked = cost("tickets(first: 1, filter: { subject: { contains: \"e\" } }) { nodes { key } }").await;
        let counted = cost("tickets(first: 1, search: \"e\") { totalCount nodes { key } }").await;
        let twice = cost("a: tickets(search: \"e\") { totalCount } b: tickets(search: \"e\") { totalCount }").await;
        let once = cost("a: tickets(search: \"e\") { totalCount }").await;
        let report = cost("slaReport(from: \"2026-06-01T00:00:00Z\", to: \"2026-06-02T00:00:00Z\") { total { visits } }").await;
        assert!(page < 10 && searched > 100 * page && looked == searched && counted > 2 * searched, "{page} {searched} {counted}");
        // Two points for the price itself are paid once.
        assert_eq!(twice - 2, 2 * (once - 2));
        assert!(report >= 2_000, "{report}");
    }

    async fn reports_as_csv_are_paid_for(app) {
        let router = router(&app.service, 5_000);
        let token = &app.cast.operations_manager.token;
        for file in ["sla.csv?from=2026-06-01T00:00:00Z&to=2026-06-02T00:00:00Z", "forecast.csv?days=1"] {
            app.advance(TimeDelta::minutes(1));
            let ask = || Request::get(format!("/reports/{file}")).header("authorization", format!("Bearer {token}")).body(Body::empty());
            let mut statuses = Vec::new();
            for _ in 0..3 {
                statuses.push(answer(&router, "203.0.113.7", ask().unwrap()).await.0);
            }
            assert_eq!(statuses, [200, 200, 429], "{file}");
        }
    }

    async fn the_schema_is_paid_for_by_its_size(app) {
        let whole = "types { name fields { name args { name type { name } } type { name ofType { name } } } }";
        let cost = |answer: (u16, Option<u64>, String)| 500_000 - answer.1.unwrap();
        let one = router(&app.service, 500_000);
        let one = cost(answer(&one, "203.0.113.7", post(None, &query(&format!("{{ __schema {{ {whole} }} }}")))).await);
        let aliases: String = (0..29).map(|n| format!("a{n}: __schema {{ {whole} }} ")).collect();
        let many = router(&app.service, 500_000);
        let (status, left, body) = answer(&many, "203.0.113.7", post(None, &query(&format!("{{ {aliases} }}")))).await;
        let is_refused = status == 400 || body.contains("LIMIT_EXCEEDED");
        assert!(one > 500 && (is_refused || left == Some(500_000 - 29 * one)), "{one} {left:?}");
    }

    async fn at_most_twenty_errors_of_a_document_are_told(app) {
        let fields: String = (0..500).map(|n| format!("nonsense{n} ")).collect();
        let answer = app.graphql(None, &format!("{{ {fields} }}"), json!({})).await;
        let limited = answer["errors"].as_array().unwrap().len();
        assert!((1..=20).contains(&limited), "{limited}");
        let fields: String = (0..500).map(|n| format!("nonsense{n} ")).collect();
        let answer = app.graphql(None, &format!("{{ process {{ {fields} }} }}"), json!({})).await;
        assert_eq!(answer["errors"].as_array().unwrap().len(), 20, "{answer}");
    }

    async fn what_is_refused_is_paid_for_by_its_address(app) {
        let long = " ".repeat(60_000);
        let not_json = format!("{{{long}");
        let no_graphql = query(&format!("{{ {long}"));
        let unknown = query(&format!("{{ nonsense {long} }}"));
        for (what, request) in [
            ("a token", post(Some("secondline_nonsense"), &query(CHEAP))),
            ("a body", post(None, &not_json)),
            ("a document", post(None, &no_graphql)),
            ("a document that is not valid", post(None, &unknown)),
        ] {
            let router = router(&app.service, 1_000);
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let again = || Request::from_parts(parts.clone(), Body::from(body.clone()));
            let mut asked = 0;
            while answer(&router, "[2001:db8:1:2::1]", again()).await.0 != 429 {
                asked += 1;
                assert!(asked < 40, "{what} is free");
            }
            // So is whatever else comes from its network, but nobody who shows a valid token, and nobody elsewhere.
            let cheap = |token| post(token, &query(CHEAP));
            assert_eq!(answer(&router, "[2001:db8:1:2:3::4]", cheap(None)).await.0, 429, "{what}");
            assert_eq!(answer(&router, "[2001:db8:1:2::1]", cheap(Some(&app.cast.qa.token))).await.0, 200, "{what}");
            assert_eq!(answer(&router, "[2001:db8:1:3::1]", cheap(None)).await.0, 200, "{what}");
            app.advance(TimeDelta::minutes(1));
            assert_eq!(answer(&router, "[2001:db8:1:2::1]", cheap(None)).await.0, 200, "{what}");
        }
    }

    async fn health_checks_share_a_look_at_the_database(app) {
        let ready = async || answer(&app.router, "203.0.113.7", Request::get("/readyz").body(Body::empty()).unwrap()).await.0;
        let (first, one) = app.statements(ready()).await;
        let (others, fifty) = app.statements(join_all((0..50).map(|_| ready()))).await;
        assert!(first == 200 && others.iter().all(|status| *status == 200));
        assert!(one > 0 && fifty <= one, "{fifty} statements for fifty checks within a second, {one} for one");
    }

    async fn events_that_happen_are_paid_for_like_those_that_happened(app) {
        let router = router(&app.service, 300);
        let server = serve(&app.service, router).await;
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        // Thirty points for each event, and subscriptions that would be free otherwise.
        let fields: String = (0..29).map(|n| format!("f{n}: kind ")).collect();
        socket.subscribe("1", &format!("subscription {{ ticketEvents {{ {fields} }} }}")).await;
        for _ in 0..20 {
            app.file_ticket().await;
        }
        let mut heard = 0;
        while tokio::time::timeout(Duration::from_millis(500), socket.receive()).await.is_ok_and(|said| said.is_ok()) {
            heard += 1;
        }
        assert!((1..=11).contains(&heard), "{heard} events for 300 points");
        app.advance(TimeDelta::minutes(1));
        socket.next("1").await;
    }

    async fn idle_sockets_cost_the_same_however_many_there_are(app) {
        let every = Duration::from_millis(100);
        let service = app.service.clone().checking_sessions_every(every);
        let router = secondline::http::router(HttpState::new(service, Policy::default(), Settings::default()));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let cast = &app.cast;
        let members = [&cast.qa, &cast.tech, &cast.client, &cast.administrator, &cast.other_client];
        let mut sockets = Vec::new();
        let mut of = Vec::new();
        for count in [5, 40] {
            while sockets.len() < count {
                sockets.push(Socket::open(addr, &members[sockets.len() % members.len()].token).await);
            }
            let ((), statements) = app.statements(tokio::time::sleep(every * 10)).await;
            of.push(statements);
        }
        assert!(of[0] >= 10, "they are looked up: {of:?}");
        assert!(of[1] < of[0] * 2, "statements in ten rounds: {of:?}");
        // Each is still ended in time.
        let input = json!({ "personId": cast.qa.id, "isActive": false });
        app.make(&cast.administrator, "updatePerson", "person", input, "id").await;
        assert_eq!(sockets[0].receive().await.unwrap_err().0, 4403);
        assert_eq!(sockets[35].receive().await.unwrap_err().0, 4403);
        sockets[1].subscribe("1", "subscription { ticketEvents { kind } }").await;
    }

    async fn a_clock_that_is_set_and_set_back_locks_nobody_out(app) {
        let router = router(&app.service, 100);
        let token = Some(app.cast.qa.token.as_str());
        let begin = app.clock.now();
        for set_to in [begin + TimeDelta::hours(2), begin, begin - TimeDelta::hours(1), begin] {
            app.clock.set(set_to);
            for _ in 0..20 {
                assert_eq!(answer(&router, "203.0.113.7", post(token, &query(CHEAP))).await.0, 200, "{set_to}");
            }
            let text = "{ viewer { person { name email teams isActive isAdministrator } } process { name } }";
            while answer(&router, "203.0.113.7", post(token, &query(text))).await.0 == 200 {}
            app.advance(TimeDelta::minutes(1));
        }
    }
}
