//! The life of the process beside its database: one that starts later, ends, or goes silent, so that bytes are taken and nothing is answered. What waits for it is given up, and once it can be
//! reached again everything goes on without a restart.

use std::time::Duration;

use chrono::TimeDelta;
use secondline::{service::Service, store::connection};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::{
    Engine, TestApp, database, mail_route,
    proxy::{Proxy, at},
    server::{self, Server, graphql},
    smtp::SmtpSink,
};

/// What a request waits for a connection that is free, for a new one, and for a statement; less than the 30 s of an answer.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(25);
/// The same, of a job, whose statements may take longer.
const JOB_GIVEN_UP_WITHIN: Duration = Duration::from_secs(40);
/// What an orchestrator allows.
const STOPPED_WITHIN: Duration = Duration::from_secs(27);

const FILE: &str = "mutation($input: CreateTicketInput!) { createTicket(input: $input) { ticket { key } } }";

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn requests_and_jobs_give_a_silent_database_up_and_go_on_afterwards() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let (proxy, url) = Proxy::before(&app.database.url).await;
    // Mails are sent by this test, not by the server.
    let server = Server::start(&url, &[("--deliver-schedule", "0 0 3 1 1 *")]);
    let client = server::http_client();
    let (token, addr) = (app.cast.operations.token.clone(), server.addr);
    let input = json!({
        "companyId": app.cast.acme.id.to_string(), "contactId": app.cast.client.id, "facts": app.first_facts().await,
    });
    let file = async || graphql(addr, &client, &token, FILE, json!({ "input": input })).await.unwrap();
    let is_filed = |answer: &serde_json::Value| answer["data"]["createTicket"]["ticket"]["key"].is_string();
    assert!(is_filed(&file().await));

    let smtp = SmtpSink::start().await;
    let db = connection::open(&url, 4).await.unwrap();
    let jobs = Service::new(db, app.clock.clone(), Vec::new()).reserved();
    app.file_ticket().await;
    app.advance(TimeDelta::days(7));
    jobs.sla_scan().await.unwrap();

    proxy.go_silent();
    let route = mail_route(&smtp.url());
    let (answers, scan, delivery) = tokio::join!(
        timeout(GIVEN_UP_WITHIN, futures_util::future::join_all((0..30).map(|_| file()))),
        timeout(JOB_GIVEN_UP_WITHIN, jobs.sla_scan()),
        timeout(JOB_GIVEN_UP_WITHIN, jobs.deliver(&route)),
    );
    for answer in answers.expect("requests hang") {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer:#}");
    }
    assert!(scan.expect("the scan hangs").unwrap_err().is_unavailable());
    assert!(delivery.expect("the delivery hangs").unwrap_err().is_unavailable());

    proxy.speak();
    let began = Instant::now();
    while !is_filed(&file().await) {
        assert!(began.elapsed() < GIVEN_UP_WITHIN, "the server does not recover");
    }
    while jobs.sla_scan().await.is_err() {
        assert!(began.elapsed() < JOB_GIVEN_UP_WITHIN, "the jobs do not recover");
    }
    assert!(jobs.deliver(&route).await.unwrap().sent > 0);
}

/// The address of nobody.
fn nowhere() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_a_database_that_starts_later() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let addr = nowhere();
    let url = at(&app.database.url, addr);
    let starting = tokio::task::spawn_blocking(move || Server::start(&url, &[("--wait-for-database", "15")]));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!starting.is_finished(), "it waits");
    Proxy::listen(addr, &app.database.url).await;
    let server = starting.await.unwrap();
    let answer = server.graphql(&server::http_client(), &app.cast.operations.token, "{ __typename }", json!({})).await;
    assert_eq!(answer.unwrap()["data"]["__typename"], "Query");
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[test]
fn a_database_that_does_not_start_is_told_with_the_reason() {
    let Some(url) = database::postgres_url() else { return };
    let mut no_database = url::Url::parse(&url).unwrap();
    no_database.set_path("secondline_no_such_database");
    for (url, wait, reason) in
        [(at(&url, nowhere()), "1", "Connection refused"), (no_database.to_string(), "60", "does not exist")]
    {
        let began = Instant::now();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_secondline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--wait-for-database", wait])
            .env("DATABASE_URL", url)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(reason), "{said}");
        assert!(began.elapsed() < Duration::from_secs(20), "waiting cannot help: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_says_so_and_still_answers() {
    let Some(app) = TestApp::start(Engine::Sqlite).await else { return };
    let server = Server::start(&app.database.url, &[("--drain", "3")]);
    let (addr, client) = (server.addr, server::http_client());
    let ready =
        async || client.get(format!("http://{addr}/readyz")).send().await.map(|answer| answer.status().as_u16());
    assert_eq!(ready().await.unwrap(), 200);
    let stopped = tokio::task::spawn_blocking(move || server.terminate());
    while ready().await.unwrap() == 200 {}
    let answer = graphql(addr, &client, &app.cast.operations.token, "{ __typename }", json!({})).await.unwrap();
    assert_eq!(answer["data"]["__typename"], "Query");
    assert_eq!(stopped.await.unwrap().code(), Some(0));
    assert!(ready().await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_when_its_jobs_ran() {
    let Some(app) = TestApp::start(Engine::Sqlite).await else { return };
    let server = Server::start(&app.database.url, &[]);
    let client = server::http_client();
    let began = Instant::now();
    loop {
        let answer = client.get(format!("http://{}/readyz", server.addr)).send().await.unwrap();
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["status"], "ok", "{body}");
        assert_eq!(body["jobs"]["sla_scan"]["everySeconds"], 15);
        if body["jobs"]["deliver"]["lastRun"]["succeeded"] == true {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_in_time_while_its_database_is_silent() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let (proxy, url) = Proxy::before(&app.database.url).await;
    let server = Server::start(&url, &[]);
    let client = server::http_client();
    let ask = || graphql(server.addr, &client, &app.cast.operations.token, "{ tickets { totalCount } }", json!({}));
    assert!(ask().await.unwrap()["data"].is_object());
    proxy.go_silent();
    let (token, addr) = (app.cast.operations.token.clone(), server.addr);
    tokio::spawn(async move {
        graphql(addr, &server::http_client(), &token, "{ tickets { totalCount } }", json!({})).await
    });
    // The jobs of every five seconds hang now, too.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let began = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(began.elapsed() < STOPPED_WITHIN, "{:?}", began.elapsed());
}
