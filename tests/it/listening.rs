//! How servers on one PostgreSQL hear of each other's events, and what becomes of events while they do not.

use std::time::Duration;

use entity::{id::TicketId, vocab::EventKind};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secondline::store::Transaction;
use secondline::{
    domain::{
        actor::Actor,
        event::{Event, EventData},
    },
    service::{Service, feed::Subscriber},
    store::{self, event_log::LogFilter},
};
use tokio::time::Instant;

use crate::support::{
    Engine, TestApp,
    following::{begin_to_follow, follow, until},
};

/// Events that are heard one after the other.
const EVENTS: u32 = 30;
/// Two thirds of what it takes on average to find that many by looking twice a second.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// The connections on which servers listen for each other.
const LISTENERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";

async fn subscribe(app: &TestApp, service: &Service, after: Option<i64>) -> Subscriber {
    let session = service.authenticate(&app.cast.qa.token).await.unwrap().unwrap();
    service.subscribe(session, after.or(service.log_position()), LogFilter::default()).await.unwrap()
}

async fn next(subscriber: &mut Subscriber) -> i64 {
    tokio::time::timeout(PATIENCE, subscriber.next()).await.expect("nothing is heard").unwrap().id()
}

async fn count(app: &TestApp, sql: &str) -> i64 {
    let row = app.db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql.to_owned())).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn listeners(app: &TestApp) -> i64 {
    count(app, &format!("SELECT count(*) {LISTENERS}")).await
}

/// Writes an event in a transaction that goes on; its place in the log.
async fn begin_writing(app: &TestApp, ticket: TicketId) -> (Transaction, i64) {
    let transaction = app.db.begin().await.unwrap();
    let event = [Event { kind: EventKind::FactsChanged, data: EventData::default() }];
    store::events::append(&transaction, ticket, &Actor::System, app.clock.now(), &event).await.unwrap();
    let place = store::event_log::highest(&transaction).await.unwrap();
    (transaction, place)
}

async fn ticket(app: &TestApp) -> TicketId {
    let key = app.file_ticket().await;
    app.ticket(&app.cast.qa, &key, "id").await["id"].as_str().unwrap().parse().unwrap()
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn other_servers_are_told_at_once() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let other = app.replica().await;
    let _followers = (follow(&app.service).await, follow(&other).await);
    until("both listen", async || listeners(&app).await == 2).await;
    let mut elsewhere = subscribe(&app, &other, None).await;
    let mut waited = Duration::ZERO;
    for _ in 0..EVENTS {
        app.file_ticket().await;
        let began = Instant::now();
        next(&mut elsewhere).await;
        waited += began.elapsed();
    }
    println!("another server's event is heard after {:?}", waited / EVENTS);
    assert!(waited < TOLD_WITHIN, "{waited:?} for {EVENTS} events");
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_listener_costs_time_and_no_event_and_is_replaced() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let other = app.replica().await;
    let _followers = (follow(&app.service).await, follow(&other).await);
    let mut elsewhere = subscribe(&app, &other, None).await;
    for _ in 0..3 {
        until("both listen", async || listeners(&app).await == 2).await;
        let ended = format!("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {LISTENERS}");
        assert_eq!(count(&app, &ended).await, 2);
        let mut written = Vec::new();
        for _ in 0..3 {
            app.file_ticket().await;
            written.push(store::event_log::highest(&app.db).await.unwrap());
        }
        for place in written {
            assert_eq!(next(&mut elsewhere).await, place);
        }
    }
    until("both listen again", async || listeners(&app).await == 2).await;
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_waits_for_those_who_write() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let ticket = ticket(&app).await;
    let begin = store::event_log::highest(&app.db).await.unwrap();
    let (early, first) = begin_writing(&app, ticket).await;
    app.file_ticket().await;
    let second = store::event_log::highest(&app.db).await.unwrap();

    let _follower = begin_to_follow(&app.service);
    let mut subscriber = subscribe(&app, &app.service, Some(begin)).await;
    let is_early = tokio::time::timeout(Duration::from_millis(300), subscriber.next()).await;
    assert!(is_early.is_err(), "an earlier event can still come, and {is_early:?} was heard");
    early.commit().await.unwrap();
    assert_eq!([next(&mut subscriber).await, next(&mut subscriber).await], [first, second]);
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_and_what_others_do_holds_nobody_up() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let ticket = ticket(&app).await;
    let _follower = follow(&app.service).await;
    let mut subscriber = subscribe(&app, &app.service, None).await;
    // Has a place among the transactions, and no event.
    let bystander = app.db.begin().await.unwrap();
    bystander.execute_unprepared("SELECT pg_current_xact_id()").await.unwrap();
    let (never, missing) = begin_writing(&app, ticket).await;
    let (soon, last) = begin_writing(&app, ticket).await;
    soon.commit().await.unwrap();
    never.rollback().await.unwrap();
    assert_eq!((missing + 1, next(&mut subscriber).await), (last, last));
    bystander.rollback().await.unwrap();
}
