//! Two real servers on one PostgreSQL: what a clock reaches is told once, to everybody it concerns, wherever they listen.

use std::{collections::BTreeMap, time::Duration};

use entity::{notice, sla_alert, vocab::NoticeState};
use sea_orm::EntityTrait;
use secondline::clock::Clock;
use serde_json::{Value, json};

use crate::support::{Engine, TestApp, server::Server, smtp::SmtpSink, socket::Socket};

const EVERY_SECOND: &str = "*/1 * * * * *";
/// Two scans, which come every second, and what a busy machine adds to them.
const TWO_SCANS: Duration = Duration::from_secs(4);
/// Warning: Operations. Breach: Operations and its manager.
const MAILS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_warn_once_and_find_one_breach() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let cast = &app.cast;
    let smtp = SmtpSink::start().await;
    let url = smtp.url();
    let options = [("--sla-scan-schedule", EVERY_SECOND), ("--deliver-schedule", EVERY_SECOND), ("--smtp-url", &url)];
    let servers = [Server::start(&app.database.url, &options), Server::start(&app.database.url, &options)];
    let mut subscribers = Vec::new();
    for server in &servers {
        let mut socket = Socket::open(server.addr, &cast.operations_manager.token).await;
        socket.subscribe("alerts", "subscription { slaAlerts { level reachedAt dueAt ticket { key } } }").await;
        subscribers.push(socket);
    }

    let client = reqwest::Client::new();
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
    let input =
        json!({ "companyId": cast.acme.id.to_string(), "contactId": cast.client.id, "facts": app.first_facts().await });
    let filed = ask(1, &cast.operations.token, create, json!({ "input": input })).await;
    let key = filed["createTicket"]["ticket"]["key"].clone();

    let mut heard = Vec::new();
    for socket in &mut subscribers {
        let mut levels = Vec::new();
        for _ in 0..2 {
            let alert = socket.next("alerts").await["slaAlerts"].take();
            assert_eq!(alert["ticket"]["key"], key);
            let reached: chrono::DateTime<chrono::Utc> = alert["reachedAt"].as_str().unwrap().parse().unwrap();
            let late = (Clock::System.now() - reached).to_std().unwrap();
            assert!(late < TWO_SCANS, "heard {late:?} after it was reached");
            levels.push(alert["level"].as_str().unwrap().to_owned());
        }
        heard.push(levels);
    }
    assert_eq!(heard[0], ["WARNING", "BREACH"]);
    assert_eq!(heard[1], heard[0]);
    smtp.wait_for(MAILS).await;

    // Both scan and deliver on, and find nothing more to do.
    tokio::time::sleep(TWO_SCANS / 2).await;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for mail in smtp.log().received {
        *told.entry(mail.to.join(", ")).or_default() += 1;
    }
    let expected = [(cast.operations.email.clone(), 2), (cast.operations_manager.email.clone(), 1)];
    assert_eq!(told, BTreeMap::from(expected));
    assert_eq!(sla_alert::Entity::find().all(&app.db).await.unwrap().len(), 2);
    let notices = notice::Entity::find().all(&app.db).await.unwrap();
    assert!(notices.iter().all(|notice| notice.state == NoticeState::Sent && notice.attempts == 1), "{notices:#?}");
    assert_eq!(notices.len(), MAILS);
}
