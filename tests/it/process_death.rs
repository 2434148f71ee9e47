//! The real server, killed in the middle of its work, and left by its clients in the middle of theirs: what was acknowledged is
//! stored, and nothing is stored by halves.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use entity::{
    id::TicketId,
    notice, stage_visit, ticket, ticket_event,
    vocab::{EventKind, NoticeKind, NoticeState, Stage},
};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, Statement};
use secondline::{
    clock::Clock,
    domain::process,
    store::{self, Database},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, time::Instant};

use crate::support::{
    Cast, Engine, TestApp, closing_facts, each_database, replicating_facts,
    server::{self, Server, graphql},
};

/// Tickets that are walked through the whole process, in 7 moves each.
const TICKETS: usize = 36;
/// Clients that do it at once.
const CLIENTS: usize = 6;
/// After so many acknowledged moves the server is killed.
const KILLED_AFTER: [usize; 2] = [90, 180];
/// Clients that send a move and go away before the answer: so many at once, and so often.
const VANISHING_AT_ONCE: usize = 20;
const WAVES: usize = 16;
/// Somewhat longer than such a request takes when so many are under way.
const LONGEST_STAY: Duration = Duration::from_millis(150);
/// Moves by clients that stay, while the others vanish and once they have.
const STAYING: usize = 60;
/// Less than the limit after which PostgreSQL itself ends a transaction that lies idle.
const PATIENCE: Duration = Duration::from_secs(10);

const FILE: &str =
    "mutation($input: CreateTicketInput!) { done: createTicket(input: $input) { ticket { key } userErrors { code } } }";
const MOVE: &str = "mutation($input: MoveTicketInput!) { done: moveTicket(input: $input) { ticket { key } userErrors { code field } } }";

/// How many moves of each ticket were acknowledged.
type Acknowledged = Arc<Mutex<BTreeMap<String, usize>>>;

/// The moves of a ticket from Validating to its end, with a rejected fix on the way: whose token, and the input.
fn walk(cast: &Cast) -> Vec<(String, Value)> {
    let date = (Clock::System.now() + TimeDelta::days(10)).date_naive().to_string();
    let steps = [
        (&cast.operations, json!({ "to": "REPLICATING", "facts": replicating_facts() })),
        (&cast.qa, json!({ "to": "ESTIMATING", "facts": { "affectsOtherClients": false } })),
        (
            &cast.project_manager,
            json!({ "to": "FIXING", "facts": { "estimatedDeliveryDate": date, "priority": "HIGH" } }),
        ),
        (&cast.tech, json!({ "to": "VERIFYING", "facts": { "pullRequest": "https://git.example.com/7" } })),
        (&cast.qa, json!({ "to": "FIXING", "reason": "Row 2000 is missing" })),
        (&cast.tech, json!({ "to": "VERIFYING" })),
        (&cast.qa, json!({ "to": "CLOSED_RESOLVED", "facts": closing_facts() })),
    ];
    steps.into_iter().map(|(member, input)| (member.token.clone(), input)).collect()
}

/// Files tickets; their keys.
async fn file(app: &TestApp, addr: SocketAddr, count: usize) -> Vec<String> {
    let client = server::http_client();
    let facts = app.first_facts().await;
    let cast = &app.cast;
    let input = json!({ "companyId": cast.acme.id.to_string(), "contactId": cast.client.id, "facts": facts });
    let mut keys = Vec::new();
    for _ in 0..count {
        let answer = graphql(addr, &client, &cast.operations.token, FILE, json!({ "input": input })).await.unwrap();
        keys.push(answer["data"]["done"]["ticket"]["key"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
    }
    keys
}

/// One move; an error when no answer arrived. What is answered must be a success.
async fn make(
    addr: SocketAddr,
    client: &reqwest::Client,
    token: &str,
    key: &str,
    input: &Value,
) -> reqwest::Result<()> {
    let mut input = input.clone();
    input["ticketId"] = json!(key);
    let answer = graphql(addr, client, token, MOVE, json!({ "input": input })).await?;
    assert_eq!(answer["data"]["done"]["ticket"]["key"], json!(key), "{answer}");
    Ok(())
}

/// Walks tickets to their end, one after the other; when the server dies, waits for the next one and looks how far it came.
async fn walk_all(
    keys: Vec<String>,
    steps: Arc<Vec<(String, Value)>>,
    acknowledged: Acknowledged,
    mut server: watch::Receiver<SocketAddr>,
) {
    let client = server::http_client();
    for key in keys {
        let mut done = 0;
        while let Some((token, input)) = steps.get(done) {
            let addr = *server.borrow_and_update();
            if make(addr, &client, token, &key, input).await.is_ok() {
                done += 1;
                acknowledged.lock().unwrap().insert(key.clone(), done);
                continue;
            }
            loop {
                server.changed().await.unwrap();
                let addr = *server.borrow_and_update();
                if let Ok(known) = moves_of(addr, &client, token, &key).await {
                    done = known;
                    break;
                }
            }
        }
    }
}

/// How many moves the server knows of a ticket.
async fn moves_of(addr: SocketAddr, client: &reqwest::Client, token: &str, key: &str) -> reqwest::Result<usize> {
    let query = "query($key: String) { ticket(key: $key) { history { kind } } }";
    let answer = graphql(addr, client, token, query, json!({ "key": key })).await?;
    let history = answer["data"]["ticket"]["history"].as_array().unwrap();
    Ok(history.iter().filter(|event| event["kind"] == "TICKET_MOVED").count())
}

/// Reads the database as it is at one moment and checks that every ticket, its visits, its history and its notices agree,
/// and that every acknowledged move is among them.
async fn assert_whole(db: &Database, acknowledged: &BTreeMap<String, usize>) {
    let moment = db.begin_snapshot().await.unwrap();
    let tickets = ticket::Entity::find().all(&moment).await.unwrap();
    let open_visits =
        stage_visit::Entity::find().filter(stage_visit::COLUMN.left_at.is_null()).all(&moment).await.unwrap();
    let events = ticket_event::Entity::find().order_by_asc(ticket_event::Column::Id).all(&moment).await.unwrap();
    let notices = notice::Entity::find().all(&moment).await.unwrap();
    moment.rollback().await.unwrap();

    let mut moves: HashMap<TicketId, Vec<Stage>> = HashMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::TicketMoved) {
        moves.entry(event.ticket_id).or_default().push(store::events::data(event).unwrap().to_stage.unwrap());
    }
    for ticket in &tickets {
        let key = format!("L2-{}", ticket.number);
        let moves = moves.remove(&ticket.id).unwrap_or_default();
        let visits: Vec<_> =
            open_visits.iter().filter(|visit| visit.ticket_id == ticket.id).map(|visit| visit.stage).collect();
        let expected: &[Stage] = if process::is_open(ticket.stage) { &[ticket.stage] } else { &[] };
        assert_eq!(visits, expected, "{key}: open visits");
        assert_eq!(moves.last().copied().unwrap_or(Stage::Validating), ticket.stage, "{key}: the last move");
        assert_eq!(usize::try_from(ticket.version).unwrap(), moves.len() + 1, "{key}: a version for each move");
        let told =
            |kind| notices.iter().filter(|notice| notice.ticket_id == Some(ticket.id) && notice.kind == kind).count();
        let came_to = |stage| usize::from(moves.contains(&stage));
        assert_eq!(told(NoticeKind::DeliveryDateSet), came_to(Stage::Fixing), "{key}: the delivery date is told once");
        assert_eq!(told(NoticeKind::Delivered), came_to(Stage::ClosedResolved), "{key}: the delivery is told once");
        let acknowledged = acknowledged.get(&key).copied().unwrap_or(0);
        assert!(moves.len() >= acknowledged, "{key}: {acknowledged} moves were acknowledged, {moves:?} are stored");
    }
    let broken =
        |notice: &&notice::Model| !matches!(notice.state, NoticeState::Held | NoticeState::Queued | NoticeState::Sent);
    assert_eq!(notices.iter().find(broken), None);
}

each_database! {
    async fn a_server_that_is_killed_loses_no_acknowledged_move_and_halves_none(app) {
        let url = &app.database.url;
        let mut server = Server::start(url, &[]);
        let keys = file(app, server.addr, TICKETS).await;
        let (tell, told) = watch::channel(server.addr);
        let acknowledged = Acknowledged::default();
        let steps = Arc::new(walk(&app.cast));
        let clients: Vec<_> = keys
            .chunks(TICKETS.div_ceil(CLIENTS))
            .map(|keys| tokio::spawn(walk_all(keys.to_vec(), Arc::clone(&steps), Arc::clone(&acknowledged), told.clone())))
            .collect();
        for limit in KILLED_AFTER {
            let began = Instant::now();
            while acknowledged.lock().unwrap().values().sum::<usize>() < limit {
                assert!(began.elapsed() < 2 * PATIENCE, "the clients are stuck");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.kill();
            let so_far = acknowledged.lock().unwrap().clone();
            assert_whole(&app.db, &so_far).await;
            server = Server::start(url, &[]);
            tell.send(server.addr).unwrap();
        }
        for client in clients {
            client.await.unwrap();
        }
        let all = acknowledged.lock().unwrap().clone();
        assert_whole(&app.db, &all).await;
        let tickets = ticket::Entity::find().all(&app.db).await.unwrap();
        assert_eq!(tickets.len(), TICKETS);
        assert!(tickets.iter().all(|ticket| ticket.stage == Stage::ClosedResolved));
        server.kill();
    }
}

/// Moves a ticket to Replicating and back, again and again; every move must be acknowledged.
async fn to_and_fro(addr: SocketAddr, token: &str, key: &str, times: usize, acknowledged: &Acknowledged) {
    let client = server::http_client();
    let began = acknowledged.lock().unwrap().get(key).copied().unwrap_or(0);
    for done in began..began + times {
        make(addr, &client, token, key, &there_or_back(done)).await.unwrap();
        acknowledged.lock().unwrap().insert(key.to_owned(), done + 1);
    }
}

fn there_or_back(turn: usize) -> Value {
    match turn % 2 {
        0 => json!({ "to": "REPLICATING", "facts": replicating_facts() }),
        _ => json!({ "to": "VALIDATING", "deEscalationReasons": ["MORE_INFORMATION_NEEDED"] }),
    }
}

/// Sends a move and goes away after a moment, at another point of the server's work each time.
async fn vanish(addr: SocketAddr, token: &str, key: &str, turn: usize, number: usize) {
    let mut input = there_or_back(turn);
    input["ticketId"] = json!(key);
    let body = json!({ "query": MOVE, "variables": { "input": input } }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let moment = (turn * 7 + number) % VANISHING_AT_ONCE;
    tokio::time::sleep(LONGEST_STAY * u32::try_from(moment).unwrap() / u32::try_from(VANISHING_AT_ONCE).unwrap()).await;
}

/// Waits until no connection of the server is inside a transaction any more.
async fn all_transactions_end(db: &Database) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'secondline' AND pid <> pg_backend_pid() AND state <> 'idle'";
    let began = Instant::now();
    loop {
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        let open: i64 = row.unwrap().try_get_by_index(0).unwrap();
        if open == 0 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{open} connections were left inside a transaction");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_vanish_leave_no_transaction_open_and_harm_nobody() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let server = Server::start(&app.database.url, &[]);
    let (addr, token) = (server.addr, &app.cast.operations_manager.token);
    let keys = file(&app, addr, CLIENTS + VANISHING_AT_ONCE).await;
    let (staying, vanishing) = keys.split_at(CLIENTS);
    let acknowledged = Acknowledged::default();
    let stay = || join_all(staying.iter().map(|key| to_and_fro(addr, token, key, STAYING / CLIENTS, &acknowledged)));
    let leave = |wave: usize| {
        let numbered = vanishing.iter().enumerate();
        join_all(numbered.map(move |(number, key)| vanish(addr, token, key, wave, number)))
    };
    for wave in 0..WAVES - 1 {
        leave(wave).await;
        // Before anybody else begins a transaction, for the end of that one would end the open one, too.
        all_transactions_end(&app.db).await;
    }
    tokio::join!(stay(), leave(WAVES - 1));
    stay().await;
    all_transactions_end(&app.db).await;

    let all = acknowledged.lock().unwrap().clone();
    assert_eq!(all.values().sum::<usize>(), 2 * STAYING);
    assert_whole(&app.db, &all).await;
    let carried_out = ticket_event::Entity::find().filter(ticket_event::COLUMN.kind.eq(EventKind::TicketMoved));
    let carried_out = carried_out.all(&app.db).await.unwrap().len() - 2 * STAYING;
    assert!(carried_out > VANISHING_AT_ONCE, "the requests of those who vanished were under way: {carried_out}");
}

/// Allows the server's files so many bytes, as a disk that is full, or has room again.
fn allow_file_size(server: &Server, bytes: &str) {
    let done = std::process::Command::new("prlimit")
        .args(["--pid", &server.process_id().to_string(), &format!("--fsize={bytes}:unlimited")])
        .status()
        .unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_was_full_goes_on_once_there_is_room() {
    let Some(app) = TestApp::start(Engine::Sqlite).await else { return };
    // A signal would end the process where the limit is met; a disk sends none.
    let server = Server::start_after("trap '' XFSZ", &app.database.url, &[]);
    let client = server::http_client();
    let mut facts = app.first_facts().await;
    facts["description"] = json!("The export stops. ".repeat(400));
    let input = json!({ "companyId": app.cast.acme.id.to_string(), "contactId": app.cast.client.id, "facts": facts });
    let file = async || {
        let answer =
            server.graphql(&client, &app.cast.operations.token, FILE, json!({ "input": input })).await.unwrap();
        (answer["data"]["done"]["ticket"]["key"].as_str().map(str::to_owned), answer)
    };
    let ready = async || {
        let answer = client.get(format!("http://{}/readyz", server.addr)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let mut acknowledged = BTreeMap::new();
    acknowledged.insert(file().await.0.unwrap(), 0);
    assert_eq!(ready().await.0, 200);

    for _ in 0..2 {
        let path = app.database.url.strip_prefix("sqlite:").unwrap();
        let sizes = ["", "-wal"].map(|suffix| std::fs::metadata(format!("{path}{suffix}")).unwrap().len());
        allow_file_size(&server, &(sizes.into_iter().max().unwrap() + 50_000).to_string());
        let refused = loop {
            match file().await {
                (Some(key), _) => acknowledged.insert(key, 0),
                (None, answer) => break answer,
            };
            assert!(acknowledged.len() < 200, "the disk is never full");
        };
        assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused:#}");
        // Which may be what was found a second ago.
        let is_told = async |expected: u16, words: &str| {
            let began = Instant::now();
            loop {
                let (status, body) = ready().await;
                if status == expected && body.contains(words) {
                    return;
                }
                assert!(began.elapsed() < PATIENCE, "{body}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        is_told(503, "cannot be written").await;

        allow_file_size(&server, "unlimited");
        for _ in 0..10 {
            acknowledged.insert(file().await.0.unwrap(), 0);
        }
        is_told(200, "ok").await;
    }
    server.kill();
    assert_whole(&app.db, &acknowledged).await;
    let stored = ticket::Entity::find().all(&app.db).await.unwrap();
    let lost: Vec<_> = acknowledged
        .keys()
        .filter(|key| !stored.iter().any(|ticket| format!("L2-{}", ticket.number) == **key))
        .collect();
    assert!(lost.is_empty(), "acknowledged and not stored: {lost:?}");
}
