//! Two real servers on one PostgreSQL: what a clock reaches is told once, to everybody it concerns, wherever they listen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use entity::{
    notice, sla_alert,
    vocab::{AlertLevel, AlertOutcome, NoticeState},
};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::support::{
    Engine, TestApp,
    server::{self, Server},
    smtp::SmtpSink,
    socket::Socket,
};

const EVERY_SECOND: &str = "*/1 * * * * *";
/// Two scans, which come every second, and what a busy machine adds to them.
const TWO_SCANS: Duration = Duration::from_secs(4);
/// Between warning and breach lies half a second, and where no scan falls into it the breach is told in the warning's place.
/// Of tickets that are filed at different moments of a second some are warned of.
const TICKETS: usize = 6;
const STAGGER: Duration = Duration::from_millis(200);
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_tell_each_warning_and_each_breach_once() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let cast = &app.cast;
    let smtp = SmtpSink::start().await;
    let url = smtp.url();
    let options = [("--sla-scan-schedule", EVERY_SECOND), ("--deliver-schedule", EVERY_SECOND), ("--smtp-url", &url)];
    let servers = [Server::start(&app.database.url, &options), Server::start(&app.database.url, &options)];
    let mut subscribers = Vec::new();
    for server in &servers {
        let mut socket = Socket::open(server.addr, &cast.operations_manager.token).await;
        socket.subscribe("alerts", "subscription { slaAlerts { id level ticket { key } } }").await;
        subscribers.push(socket);
    }

    let client = server::http_client();
    let ask = async |number: usize, token: &str, query: &str, variables: Value| {
        let answer = servers[number].graphql(&client, token, query, variables).await.unwrap();
        assert_eq!(answer["errors"], Value::Null, "{answer:#}");
        answer["data"].clone()
    };
    let calendars = ask(0, &cast.administrator.token, "{ calendars { id name } }", json!({})).await;
    let calendars = calendars["calendars"].as_array().unwrap();
    let round_the_clock = calendars.iter().find(|calendar| calendar["name"] == "24x7").unwrap();
    let policy = "mutation($calendar: ID!) { updateSlaPolicy(input: { stage: VALIDATING, budget: \"PT2S\", calendarId: $calendar }) \
                  { userErrors { code } } }";
    let changed = ask(0, &cast.administrator.token, policy, json!({ "calendar": round_the_clock["id"] })).await;
    assert_eq!(changed["updateSlaPolicy"]["userErrors"], json!([]));
    let create =
        "mutation($input: CreateTicketInput!) { createTicket(input: $input) { ticket { key } userErrors { code } } }";
    let facts = app.first_facts().await;
    let input = json!({ "companyId": cast.acme.id.to_string(), "contactId": cast.client.id, "facts": facts });
    for number in 0..TICKETS {
        let filed = ask(number % 2, &cast.operations.token, create, json!({ "input": input })).await;
        assert_eq!(filed["createTicket"]["userErrors"], json!([]));
        tokio::time::sleep(STAGGER).await;
    }

    let alerts = all_alerts(&app).await;
    let raised: Vec<_> = alerts.iter().filter(|alert| alert.outcome == AlertOutcome::Raised).collect();
    let of = |level| raised.iter().filter(|alert| alert.level == level).count();
    assert_eq!(of(AlertLevel::Breach), TICKETS);
    assert!(of(AlertLevel::Warning) > 0, "{alerts:#?}");
    let late = raised.iter().map(|alert| alert.detected_at - alert.reached_at).max().unwrap();
    assert!(late.to_std().unwrap() < TWO_SCANS, "found {late} after it was reached");

    let mut heard = Vec::new();
    for socket in &mut subscribers {
        let mut ids = Vec::new();
        for _ in &raised {
            ids.push(socket.next("alerts").await["slaAlerts"]["id"].as_str().unwrap().to_owned());
        }
        heard.push(ids);
    }
    assert_eq!(heard[0], heard[1]);
    let once: BTreeSet<_> = heard[0].iter().cloned().collect();
    assert_eq!(once, raised.iter().map(|alert| alert.id.to_string()).collect());

    // Warnings go to Operations, breaches to its manager, too; where a run has more than a few for one of them, in a digest.
    let notices = all_settled(&app).await;
    let expected = BTreeMap::from([
        (cast.operations.email.clone(), raised.len()),
        (cast.operations_manager.email.clone(), TICKETS),
    ]);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for notice in notices.iter().filter(|notice| notice.alert_id.is_some()) {
        *told.entry(notice.to_address.clone()).or_default() += 1;
    }
    assert_eq!(told, expected);
    // Both servers scan and deliver on, and find nothing more to do.
    tokio::time::sleep(TWO_SCANS / 2).await;
    assert_eq!(all_alerts(&app).await, alerts);
    assert_eq!(all_settled(&app).await, notices);
    let sent: Vec<_> = notices.iter().filter(|notice| notice.state == NoticeState::Sent).collect();
    assert!(sent.iter().all(|notice| notice.attempts == 1), "{sent:#?}");
    assert_eq!(smtp.log().received.len(), sent.len());
}

/// The notices, once all of them were sent, or told in a digest that was.
async fn all_settled(app: &TestApp) -> Vec<notice::Model> {
    let began = tokio::time::Instant::now();
    loop {
        let notices = notice::Entity::find().order_by_asc(notice::Column::Id).all(&app.db).await.unwrap();
        if notices.iter().all(|notice| matches!(notice.state, NoticeState::Sent | NoticeState::Digested)) {
            return notices;
        }
        assert!(began.elapsed() < PATIENCE, "{notices:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The alerts, once every ticket has its warning and its breach.
async fn all_alerts(app: &TestApp) -> Vec<sla_alert::Model> {
    let began = tokio::time::Instant::now();
    loop {
        let alerts = sla_alert::Entity::find().order_by_asc(sla_alert::Column::Id).all(&app.db).await.unwrap();
        if alerts.len() >= 2 * TICKETS {
            return alerts;
        }
        assert!(began.elapsed() < PATIENCE, "{alerts:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
