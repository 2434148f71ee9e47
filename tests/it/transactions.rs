//! However a transaction ends, the connection that it leaves behind is in none: what is acknowledged later is stored.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secondline::{
    domain::{actor::Actor, ticket::parse_key},
    store::{Database, StoreError},
};
use serde_json::json;

use crate::support::{Engine, TestApp, each_database};

/// Transactions that are cut off, each a moment later than the one before.
const CUT_OFF: u32 = 200;
const MOMENT: Duration = Duration::from_micros(20);

/// How a transaction ends without a commit.
const ENDINGS: [&str; 6] = [
    "dropped",
    "rolled back",
    "commit refused",
    "statement refused, then rolled back",
    "panicked",
    "ended by the database",
];

async fn insert(db: &impl ConnectionTrait, number: i32) -> Result<(), sea_orm::DbErr> {
    db.execute_unprepared(&format!("INSERT INTO probe (number, parent) VALUES ({number}, 1)")).await.map(drop)
}

/// The tables of these tests: one that refuses at the commit what has no parent.
async fn create_tables(db: &Database) {
    for sql in [
        "CREATE TABLE parent (number integer PRIMARY KEY)",
        "CREATE TABLE probe (number integer PRIMARY KEY, \
         parent integer NOT NULL REFERENCES parent (number) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO parent (number) VALUES (1)",
    ] {
        db.execute_unprepared(sql).await.unwrap();
    }
}

/// The numbers that another server reads.
async fn stored(app: &TestApp) -> Vec<i32> {
    let other = secondline::store::connection::open(&app.database.url, 2).await.unwrap();
    let sql = Statement::from_string(other.get_database_backend(), "SELECT number FROM probe ORDER BY number");
    let rows = other.query_all_raw(sql).await.unwrap();
    other.close().await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Ends a transaction that has inserted `number` in one of the ways.
async fn end(db: &Database, ending: &str, number: i32) {
    let tx = db.begin().await.unwrap();
    insert(&tx, number).await.unwrap();
    match ending {
        "dropped" => drop(tx),
        "rolled back" => tx.rollback().await.unwrap(),
        "commit refused" => {
            let orphan = format!("INSERT INTO probe (number, parent) VALUES ({}, 2)", -number);
            tx.execute_unprepared(&orphan).await.unwrap();
            tx.commit().await.unwrap_err();
        }
        "statement refused, then rolled back" => {
            insert(&tx, number).await.unwrap_err();
            tx.rollback().await.unwrap();
        }
        "panicked" => {
            let panics = AssertUnwindSafe(async move {
                let _tx = tx;
                panic!("on purpose")
            });
            panics.catch_unwind().await.unwrap_err();
        }
        _ if db.get_database_backend() == DbBackend::Postgres => {
            let _ = tx.execute_unprepared("SELECT pg_terminate_backend(pg_backend_pid())").await;
            tx.commit().await.unwrap_err();
        }
        // What SQLite does by itself where its disk is full, after which the driver's own rollback is refused.
        _ => {
            tx.execute_unprepared("ROLLBACK").await.unwrap();
            tx.rollback().await.unwrap_err();
        }
    }
}

each_database! {
    async fn what_is_acknowledged_is_stored_whatever_ended_before_it(app) {
        create_tables(&app.db).await;
        let mut expected = Vec::new();
        let mut number = 0;
        for ending in ENDINGS.into_iter().cycle().take(3 * ENDINGS.len()) {
            number += 1;
            end(&app.db, ending, number).await;
            // In a transaction, and by itself.
            number += 1;
            let tx = app.db.begin().await.unwrap();
            insert(&tx, number).await.unwrap();
            tx.commit().await.unwrap();
            number += 1;
            insert(&app.db, number).await.unwrap();
            expected.extend([number - 1, number]);
            assert_eq!(stored(app).await, expected, "after a transaction that was {ending}");
        }
    }

    async fn a_transaction_that_is_cut_off_anywhere_leaves_nothing_behind(app) {
        create_tables(&app.db).await;
        let mut acknowledged = Vec::new();
        for number in 0..CUT_OFF {
            let number_in_table = i32::try_from(number).unwrap();
            let db = app.db.clone();
            let work = async move {
                let tx = db.begin().await?;
                insert(&tx, number_in_table).await?;
                tx.commit().await
            };
            if let Ok(done) = tokio::time::timeout(MOMENT * number, work).await {
                done.unwrap();
                acknowledged.push(number_in_table);
            }
        }
        // Enough to meet every connection of the pool.
        for number in 1000..1010 {
            insert(&app.db, number).await.unwrap();
            acknowledged.push(number);
        }
        let stored = stored(app).await;
        let lost: Vec<_> = acknowledged.iter().filter(|number| !stored.contains(number)).collect();
        assert!(lost.is_empty(), "acknowledged and not stored: {lost:?}");
    }

    async fn a_reader_is_not_kept_waiting_by_writers_who_wait(app) {
        let first = app.db.begin().await.unwrap();
        let writers: Vec<_> = (0..20)
            .map(|_| {
                let db = app.db.clone();
                tokio::spawn(async move { db.begin().await.unwrap().rollback().await.unwrap() })
            })
            .collect();
        tokio::task::yield_now().await;
        let many = (0..4).map(|_| app.ask(&app.cast.operations, "{ tickets { totalCount } }", json!({})));
        // Were a connection held by each of those who wait, none would be left for them.
        futures_util::future::join_all(many).await;
        first.rollback().await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
    }
}

/// A statement that does not end by itself.
fn endless(db: &Database) -> &'static str {
    match db.get_database_backend() {
        DbBackend::Postgres => "SELECT pg_sleep(600)",
        _ => "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n",
    }
}

each_database! {
    async fn a_statement_that_does_not_end_is_ended_and_harms_nobody(app) {
        let many = (0..8).map(|_| app.db.execute_unprepared(endless(&app.db)));
        let reserved = app.db.reserved();
        let (ended, served) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(40), futures_util::future::join_all(many)),
            // Jobs and sign-in have connections of their own.
            reserved.execute_unprepared("SELECT 1"),
        );
        served.unwrap();
        for ended in ended.expect("within seconds") {
            let error = StoreError::from(ended.unwrap_err());
            assert!(error.is_unavailable(), "{error:?}");
        }
        app.ask(&app.cast.operations, "{ tickets { totalCount } }", json!({})).await;
    }
}

/// A description that needs a page or two of its own.
fn long_text() -> String {
    "The export stops. ".repeat(400)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
    let Some(app) = TestApp::start(Engine::Sqlite).await else { return };
    let mut facts = app.first_facts().await;
    facts["description"] = json!(long_text());
    let input = json!({ "companyId": app.cast.acme.id.to_string(), "contactId": app.cast.client.id, "facts": facts });
    let query = "mutation($input: CreateTicketInput!) { createTicket(input: $input) { ticket { key } } }";
    let file = async || app.graphql(Some(&app.cast.operations.token), query, json!({ "input": input })).await;

    // Of the one connection that is open, as statement follows statement.
    let pages = Statement::from_string(DbBackend::Sqlite, "PRAGMA page_count");
    let pages: i32 = app.db.query_one_raw(pages).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    app.db.execute_unprepared(&format!("PRAGMA max_page_count = {}", pages + 20)).await.unwrap();
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = file().await;
        match answer["data"]["createTicket"]["ticket"]["key"].as_str() {
            Some(key) => acknowledged.push(key.to_owned()),
            None => break answer,
        }
        assert!(acknowledged.len() < 100, "the disk is never full");
    };
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused:#}");
    assert!(app.service.write_failure().await.is_some(), "what cannot be written is told");

    // There is room again: of the connections that come after the one that failed, none is limited.
    for _ in 0..5 {
        let answer = file().await;
        acknowledged.push(answer["data"]["createTicket"]["ticket"]["key"].as_str().unwrap().to_owned());
    }
    assert_eq!(app.service.write_failure().await, None);
    let replica = app.replica().await;
    for key in acknowledged {
        let found = replica.ticket_by_number(&Actor::System, parse_key(&key).unwrap()).await.unwrap();
        assert!(found.is_some(), "{key} was acknowledged and is not stored");
    }
}
