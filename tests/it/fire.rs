//! Subscriptions under fire: writers, some of whom commit late and out of order or not at all; three real servers on one
//! PostgreSQL, of which one is killed every few seconds; subscribers who leave and come back at any moment, to any server. Each
//! of them hears each event of its filter exactly once, in order.

mod subscribers;
mod writers;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use entity::{
    id::TicketId,
    ticket, ticket_event,
    vocab::{AlertLevel, EventKind},
};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, Statement};
use secondline::{domain::event, store};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::subscribers::{Record, Wish};
use crate::support::{
    Engine, TestApp,
    server::{self, Server},
};

/// How long it burns, in seconds, unless the environment says otherwise.
const SECONDS: &str = "SECONDLINE_FIRE_SECONDS";
const USUAL_SECONDS: u64 = 15;
const SERVERS: usize = 3;
const WRITERS: usize = 8;
/// Those who write past the servers, hold their transactions open for a while, and roll some back.
const DAWDLERS: usize = 2;
const SUBSCRIBERS: usize = 16;
const KILL_EVERY: Duration = Duration::from_secs(3);
/// Every so many kills the connections on which servers hear each other are cut, too.
const CUT_LISTENERS_EVERY: usize = 2;
/// Whatever takes longer once the fire is out has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers that look random, and are the same in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: usize) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ (seed as u64 + 1).wrapping_mul(0xD134_2543_DE82_EF95))
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// The servers that are there at the moment.
#[derive(Default)]
pub struct Fleet(Mutex<[Option<SocketAddr>; SERVERS]>);

impl Fleet {
    /// Any of them; none while none is there.
    pub fn any(&self, dice: &mut Dice) -> Option<SocketAddr> {
        let there: Vec<_> = self.0.lock().unwrap().iter().flatten().copied().collect();
        (!there.is_empty()).then(|| there[usize::try_from(dice.below(there.len() as u64)).unwrap()])
    }

    fn set(&self, number: usize, addr: Option<SocketAddr>) {
        self.0.lock().unwrap()[number] = addr;
    }
}

async fn start_server(url: String) -> Server {
    let options =
        [("--sla-scan-schedule", "*/1 * * * * *"), ("--database-connections", "8"), ("--cost-per-minute", "100000000")];
    tokio::task::spawn_blocking(move || Server::start(&url, &options)).await.unwrap()
}

/// Lets the clocks of new tickets run out within seconds.
async fn hurry(app: &TestApp, addr: SocketAddr) {
    let client = server::http_client();
    let ask = async |query: &str, variables: Value| {
        let token = &app.cast.administrator.token;
        let answer = server::graphql(addr, &client, token, query, variables).await.unwrap();
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"].clone()
    };
    let calendars = ask("{ calendars { id name } }", json!({})).await["calendars"].take();
    let round_the_clock = calendars.as_array().unwrap().iter().find(|calendar| calendar["name"] == "24x7").unwrap();
    let policy = "mutation($calendar: ID!) { updateSlaPolicy(input: { stage: VALIDATING, budget: \"PT2S\", calendarId: $calendar }) \
                  { userErrors { code } } }";
    let changed = ask(policy, json!({ "calendar": round_the_clock["id"] })).await;
    assert_eq!(changed["updateSlaPolicy"]["userErrors"], json!([]));
}

/// Kills one server after the other, and starts another in its place, until told to stop; how often.
async fn kill(app: &TestApp, fleet: &Fleet, servers: &mut [Option<Server>], until: Instant) -> usize {
    let mut dice = Dice::new(1_000);
    let mut killed = 0;
    while Instant::now() + KILL_EVERY < until {
        sleep(KILL_EVERY / 2 + Duration::from_millis(dice.below(u64::try_from(KILL_EVERY.as_millis()).unwrap()))).await;
        let number = killed % SERVERS;
        // Clients still try it until they find out.
        servers[number].take().unwrap().kill();
        killed += 1;
        if killed % CUT_LISTENERS_EVERY == 0 {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE 'LISTEN %'";
            app.db.query_all_raw(Statement::from_string(DbBackend::Postgres, cut)).await.unwrap();
        }
        sleep(Duration::from_millis(dice.below(500))).await;
        fleet.set(number, None);
        let server = start_server(app.database.url.clone()).await;
        fleet.set(number, Some(server.addr));
        servers[number] = Some(server);
    }
    killed
}

/// Waits until nothing is written any more, and answers everything that was written after a place.
async fn written_after(app: &TestApp, begin: i64) -> Vec<ticket_event::Model> {
    let mut highest = (store::event_log::highest(&app.db).await.unwrap(), Instant::now());
    while highest.1.elapsed() < Duration::from_secs(4) {
        sleep(Duration::from_millis(200)).await;
        let now = store::event_log::highest(&app.db).await.unwrap();
        if now != highest.0 {
            highest = (now, Instant::now());
        }
    }
    let events = ticket_event::Entity::find().filter(ticket_event::COLUMN.id.gt(begin));
    events.order_by_asc(ticket_event::Column::Id).all(&app.db).await.unwrap()
}

/// What a subscriber must have heard.
fn expected(wish: &Wish, events: &[ticket_event::Model], tickets: &[ticket::Model]) -> Vec<i64> {
    let company_of = |id: TicketId| tickets.iter().find(|ticket| ticket.id == id).unwrap().company_id;
    let wanted = events.iter().filter(|event| {
        let data = store::events::data(event).unwrap();
        wish.kinds.is_none_or(|kinds| kinds.contains(&event.kind))
            && wish.ticket.is_none_or(|ticket| ticket == event.ticket_id)
            && wish.level.is_none_or(|level| data.alert_level == Some(level))
            && wish.company.is_none_or(|company| {
                company == company_of(event.ticket_id) && event::for_client(event.kind, &data).is_some()
            })
    });
    wanted.map(|event| event.id).collect()
}

/// What the subscribers want: by turns everything, some kinds, one ticket, alerts, breaches, and what a contact sees.
fn wishes(app: &TestApp, tickets: &[TicketId]) -> Vec<Wish> {
    const ALERTS: &[EventKind] = &[EventKind::SlaAlertRaised];
    const SOME: &[EventKind] = &[EventKind::TicketCreated, EventKind::CommentAdded];
    let cast = &app.cast;
    let everything = Wish::of(&cast.qa);
    (0..SUBSCRIBERS)
        .map(|number| {
            let wish = match number % 8 {
                0 | 1 => everything.clone(),
                2 => Wish { kinds: Some(SOME), ..everything.clone() },
                3 => Wish { ticket: Some(tickets[number % tickets.len()]), ..everything.clone() },
                4 | 5 => Wish { kinds: Some(ALERTS), ..Wish::of(&cast.operations_manager) },
                6 => {
                    Wish { kinds: Some(ALERTS), level: Some(AlertLevel::Breach), ..Wish::of(&cast.operations_manager) }
                }
                _ => Wish { company: Some(cast.acme.id), ..Wish::of(&cast.client) },
            };
            Wish { by_events: number % 3 == 0, ..wish }
        })
        .collect()
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_subscriber_hears_each_event_of_its_filter_once_and_in_order_whoever_dies() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let seconds = std::env::var(SECONDS).map_or(USUAL_SECONDS, |seconds| seconds.parse().unwrap());
    let app = Arc::new(app);
    let fleet = Arc::new(Fleet::default());
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        let server = start_server(app.database.url.clone()).await;
        fleet.set(number, Some(server.addr));
        servers.push(Some(server));
    }
    let addr = servers[0].as_ref().unwrap().addr;
    hurry(&app, addr).await;
    let tickets = writers::first_tickets(&app, &fleet).await;
    let begin = store::event_log::highest(&app.db).await.unwrap();
    let cursor = subscribers::cursor(addr, &app.cast.qa.token, begin).await;

    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let finish = CancellationToken::new();
    let wishes = wishes(&app, &tickets);
    let records: Vec<_> = wishes.iter().map(|_| Arc::<Mutex<Record>>::default()).collect();
    let subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|number| {
            let hearing = subscribers::hear(
                wishes[number].clone(),
                cursor.clone(),
                Arc::clone(&fleet),
                Arc::clone(&records[number]),
                Dice::new(number),
            );
            let finish = finish.clone();
            tokio::spawn(async move { finish.run_until_cancelled(hearing).await })
        })
        .collect();
    let writing: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(writers::write(Arc::clone(&app), Arc::clone(&fleet), number, until)))
        .collect();
    let dawdling: Vec<_> = (0..DAWDLERS)
        .map(|number| tokio::spawn(writers::dawdle(Arc::clone(&app), tickets[number], number, until)))
        .collect();
    let killed = kill(&app, &fleet, &mut servers, until).await;
    let (mut acknowledged, mut rolled_back) = (0, 0);
    for writer in writing {
        acknowledged += writer.await.unwrap();
    }
    for dawdler in dawdling {
        rolled_back += dawdler.await.unwrap();
    }

    let events = written_after(&app, begin).await;
    let tickets = ticket::Entity::find().all(&app.db).await.unwrap();
    let expected: Vec<_> = wishes.iter().map(|wish| expected(wish, &events, &tickets)).collect();
    let out = Instant::now();
    let has_all =
        |(record, expected): (&Arc<Mutex<Record>>, &Vec<i64>)| record.lock().unwrap().places.last() >= expected.last();
    while !records.iter().zip(&expected).all(has_all) && out.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50)).await;
    }
    // Something that is told twice may still come.
    sleep(Duration::from_secs(1)).await;
    finish.cancel();
    for subscriber in subscribers {
        subscriber.await.unwrap();
    }
    let written = format!(
        "{} events in {seconds} s, {acknowledged} changes acknowledged, {rolled_back} transactions rolled back, \
         {killed} servers killed",
        events.len()
    );
    println!("{written}\n{}", subscribers::summary(&records));
    for ((wish, record), expected) in wishes.iter().zip(&records).zip(&expected) {
        let record = record.lock().unwrap();
        assert!(!expected.is_empty(), "{wish:?} hears nothing at all");
        assert!(record.connections > 2, "{wish:?} never left");
        let differs = expected.iter().zip(&record.places).position(|(expected, heard)| expected != heard);
        assert_eq!(differs.map(|at| (expected[at], record.places[at])), None, "{wish:?}, after {record:?}");
        assert_eq!(record.places.len(), expected.len(), "{wish:?}");
    }
    assert!(killed > 0 && rolled_back > 0 && acknowledged > 100, "there was no fire: {written}");
}
