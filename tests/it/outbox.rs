//! The outbox against a mail server that misbehaves: nothing is lost, nothing is hidden, nothing is told that is over.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use secondline::service::deliver::DeliveryReport;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Cast, Member, TestApp, closing_facts, each_database, mail_route, replicating_facts,
    smtp::{Received, Reply, SmtpSink},
    staff,
};

/// Attempts after which a notice is given up.
const MOST_ATTEMPTS: usize = 17;
/// How long a worker may keep a notice to itself.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// The waits after refusals for good; the third one gives a notice up.
const REFUSAL_WAITS: [TimeDelta; 2] = [TimeDelta::minutes(15), TimeDelta::hours(1)];
/// Tickets whose warnings two workers send at once.
const MANY: usize = 20;

const NOTICES: &str = "notices { id kind state attempts detail nextAttemptAt sentAt toAddress }";

/// A ticket that enters Fixing, so that one notice waits: the client's delivery date.
async fn promised(app: &TestApp) -> String {
    let key = app.file_ticket().await;
    app.walk_to(&key, "FIXING").await;
    key
}

/// The only notice of a ticket.
async fn notice(app: &TestApp, key: &str) -> Value {
    let mut notices = notices(app, key).await;
    assert_eq!(notices.len(), 1, "{notices:#?}");
    notices.remove(0)
}

async fn notices(app: &TestApp, key: &str) -> Vec<Value> {
    app.ticket(&app.cast.qa, key, NOTICES).await["notices"].as_array().unwrap().clone()
}

/// State, attempts and detail.
fn standing(notice: &Value) -> (&str, i64, &str) {
    let [state, detail] = [&notice["state"], &notice["detail"]].map(|value| value.as_str().unwrap_or("-"));
    (state, notice["attempts"].as_i64().unwrap(), detail)
}

fn next_attempt(notice: &Value) -> DateTime<Utc> {
    notice["nextAttemptAt"].as_str().unwrap().parse().unwrap()
}

fn message_id(mail: &Received) -> String {
    mail.parsed().header("Message-ID").unwrap().to_owned()
}

fn report(sent: usize, retried: usize, failed: usize, cancelled: usize) -> DeliveryReport {
    DeliveryReport { sent, retried, failed, cancelled, digested: 0 }
}

/// What `retryNotice` answers: the notice's state, or the code of what is wrong.
async fn retry(app: &TestApp, member: &Member, notice: &Value) -> String {
    let query = "mutation($id: ID!) { retryNotice(input: { noticeId: $id }) { notice { state attempts } userErrors { code } } }";
    let answer = app.graphql(Some(&member.token), query, json!({ "id": notice["id"] })).await;
    let payload = &answer["data"]["retryNotice"];
    let found =
        [&answer["errors"][0]["extensions"]["code"], &payload["userErrors"][0]["code"], &payload["notice"]["state"]];
    found.into_iter().find_map(Value::as_str).unwrap_or_else(|| panic!("{answer:#}")).to_owned()
}

each_database! {
    async fn whoever_left_gets_no_mail_that_still_waits(app) {
        let (client, qa) = (&app.cast.client, &app.cast.qa);
        let key = app.file_ticket().await;
        app.change(&app.cast.operations, "assignTicket", json!({ "ticketId": key, "assigneeId": qa.id })).await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        let admin = &app.cast.administrator;
        app.make(admin, "updateContact", "contact", json!({ "contactId": client.id, "isActive": false }), "id").await;
        app.make(admin, "updatePerson", "person", json!({ "personId": qa.id, "isActive": false }), "id").await;
        let smtp = SmtpSink::start().await;
        let done = app.deliver(&smtp).await;
        // The third tells whoever had the ticket that nothing holds its clock any more.
        assert_eq!((done.cancelled, done.sent), (3, 0), "{done:?}");
        let addresses: Vec<_> = smtp.log().received.iter().flat_map(|mail| mail.to.clone()).collect();
        assert!(!addresses.contains(&client.email) && !addresses.contains(&qa.email), "{addresses:?}");
        let ticket = app.ticket(&app.cast.tech, &key, "notices { kind state detail }").await;
        for kind in ["ASSIGNED", "CLARIFICATION_REQUESTED"] {
            let told = json!({ "kind": kind, "state": "CANCELLED", "detail": "its recipient had left" });
            assert!(ticket["notices"].as_array().unwrap().contains(&told), "{ticket:#}");
        }
    }

    async fn a_mail_that_is_put_off_waits_longer_each_time_and_is_sent_once(app) {
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Refuse(451, "4.7.1 greylisted"), Reply::RefuseAtData(452, "4.3.1 disk full")]);

        for (attempt, detail, about) in [(1, "not delivered yet: 451 4.7.1 greylisted", 60), (2, "not delivered yet: 452 4.3.1 disk full", 120)] {
            assert_eq!(app.deliver(&smtp).await, report(0, 1, 0, 0));
            let waiting = notice(app, &key).await;
            assert_eq!(standing(&waiting), ("QUEUED", attempt, detail));
            let wait = (next_attempt(&waiting) - app.clock.now()).num_seconds();
            assert!((about * 8 / 10..=about * 12 / 10).contains(&wait), "{wait} s");
            assert_eq!(app.deliver(&smtp).await, report(0, 0, 0, 0), "not before its turn");
            app.clock.set(next_attempt(&waiting));
        }
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 0));
        assert_eq!(app.deliver(&smtp).await, report(0, 0, 0, 0));
        let sent = notice(app, &key).await;
        assert_eq!(standing(&sent), ("SENT", 3, "-"));
        assert_eq!(sent["sentAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), app.clock.now());
        assert_eq!(sent["nextAttemptAt"], Value::Null);
        assert_eq!((smtp.log().attempts, smtp.log().received.len()), (3, 1));
    }

    async fn a_mail_that_is_refused_for_good_fails_visibly_and_a_manager_sends_it_again(app) {
        let Cast { qa, operations_manager, client, .. } = &app.cast;
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script(vec![Reply::Refuse(550, "5.1.1 no such user here"); 3]);
        for (attempt, wait) in (1..).zip(REFUSAL_WAITS) {
            assert_eq!(app.deliver(&smtp).await, report(0, 1, 0, 0), "it may be a mistake");
            let waiting = notice(app, &key).await;
            assert_eq!(standing(&waiting), ("QUEUED", attempt, "refused, to be tried again: 550 5.1.1 no such user here"));
            assert_eq!(next_attempt(&waiting) - app.clock.now(), wait);
            app.advance(wait);
        }
        assert_eq!(app.deliver(&smtp).await.failed, 1);

        let failed = notices(app, &key).await.remove(0);
        assert_eq!(standing(&failed), ("FAILED", 3, "refused for good, 3 times: 550 5.1.1 no such user here"));
        let query = "{ notices(filter: { state: { eq: FAILED } }) { totalCount nodes { detail toAddress ticket { key } } } }";
        assert_eq!(app.ask(qa, query, json!({})).await["notices"], json!({ "totalCount": 1, "nodes": [{
            "detail": "refused for good, 3 times: 550 5.1.1 no such user here",
            "toAddress": client.email, "ticket": { "key": key },
        }] }));
        app.advance(TimeDelta::days(3));
        let told = app.deliver(&smtp).await;
        assert_eq!((told.retried, told.failed), (0, 0), "it stays failed");
        assert!(smtp.log().received.iter().all(|mail| mail.to != [client.email.clone()]), "only staff are told");
        let told = smtp.log().received.len();

        assert_eq!(retry(app, qa, &failed).await, "NOT_ALLOWED");
        assert_eq!(retry(app, client, &failed).await, "NOT_ALLOWED");
        assert_eq!(retry(app, operations_manager, &failed).await, "QUEUED");
        assert_eq!(standing(&notices(app, &key).await[0]).1, 0, "counted anew");
        assert_eq!(retry(app, operations_manager, &failed).await, "INVALID", "it waits already");
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 0));
        assert_eq!(standing(&notices(app, &key).await[0]), ("SENT", 1, "-"));
        assert_eq!(retry(app, operations_manager, &failed).await, "INVALID", "it was sent");
        assert_eq!(smtp.log().received.len() - told, 1);
    }

    async fn a_mail_that_never_gets_through_is_given_up_after_two_days(app) {
        let key = promised(app).await;
        let began = app.clock.now();
        let smtp = SmtpSink::start().await;
        // Administrators are told, but by the same server.
        smtp.script(vec![Reply::Refuse(451, "4.3.0 try later"); 10 * MOST_ATTEMPTS]);
        for _ in 1..MOST_ATTEMPTS {
            let done = app.deliver(&smtp).await;
            assert_eq!((done.sent, done.failed), (0, 0));
            app.clock.set(next_attempt(&notice(app, &key).await));
        }
        assert_eq!(app.deliver(&smtp).await.failed, 1);
        let given_up = notices(app, &key).await.remove(0);
        let (state, attempts, detail) = standing(&given_up);
        assert_eq!((state, attempts), ("FAILED", 17));
        assert!(detail.starts_with("given up after 17 attempts: ") && detail.ends_with("451 4.3.0 try later"), "{detail}");
        let days = (app.clock.now() - began).num_hours() / 24;
        assert!((1..=3).contains(&days), "{days} days");
    }

    async fn mail_waits_for_a_server_that_is_down_while_tickets_move(app) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let nobody = mail_route(&format!("smtp+plain://{}", listener.local_addr().unwrap()));
        drop(listener);
        let key = promised(app).await;
        assert_eq!(app.service.deliver(&nobody).await.unwrap(), report(0, 1, 0, 0));
        app.change(&app.cast.tech, "moveTicket", json!({
            "ticketId": key, "to": "VERIFYING", "facts": { "pullRequest": "https://git.example.com/7" },
        }))
        .await;
        app.change(&app.cast.qa, "moveTicket", json!({
            "ticketId": key, "to": "CLOSED_RESOLVED", "facts": closing_facts(),
        }))
        .await;
        assert_eq!(app.service.deliver(&nobody).await.unwrap(), report(0, 1, 0, 0));
        let waiting = notices(app, &key).await;
        assert!(waiting.iter().all(|notice| notice["state"] == "QUEUED" && notice["detail"].is_string()), "{waiting:#?}");

        app.advance(TimeDelta::hours(1));
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, report(2, 0, 0, 0));
    }

    async fn a_mail_whose_sender_died_is_taken_over_under_the_same_id(app) {
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Hang]);
        let (service, route) = (app.service.clone(), mail_route(&smtp.url()));
        let dying = tokio::spawn(async move { service.deliver(&route).await });
        smtp.wait_until(|log| log.attempts == 1).await;
        dying.abort();

        assert_eq!(app.deliver(&smtp).await, report(0, 0, 0, 0), "the dead worker's lease holds");
        app.advance(LEASE);
        assert_eq!(app.deliver(&smtp).await, report(0, 0, 0, 0), "to its last moment");
        app.advance(TimeDelta::microseconds(1));
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 0));
        let sent = notice(app, &key).await;
        assert_eq!(standing(&sent), ("SENT", 2, "-"));
        let id = sent["id"].as_str().unwrap().trim_start_matches("notice_").to_owned();
        let local = message_id(&smtp.log().received[0]).replace('-', "");
        assert_eq!(local, format!("<{}@secondline.example>", id.replace('-', "")));
    }

    async fn a_worker_that_comes_back_late_does_not_unsend_what_another_sent(app) {
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Hang]);
        let (service, route) = (app.service.clone(), mail_route(&smtp.url()));
        let slow = tokio::spawn(async move { service.deliver(&route).await });
        smtp.wait_until(|log| log.attempts == 1).await;
        app.advance(LEASE + TimeDelta::microseconds(1));
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 0));
        // The slow one gives up on its server only now, and what it then says no longer counts.
        slow.await.unwrap().unwrap();
        assert_eq!(standing(&notice(app, &key).await), ("SENT", 2, "-"));
        app.advance(TimeDelta::days(1));
        assert_eq!(app.deliver(&smtp).await, report(0, 0, 0, 0));
        assert_eq!(smtp.log().received.len(), 1);
    }

    async fn a_mail_that_arrived_unknown_to_us_comes_again_under_the_same_id(app) {
        promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::DropAfterData]);
        assert_eq!(app.deliver(&smtp).await, report(0, 1, 0, 0));
        app.advance(TimeDelta::minutes(2));
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 0));
        let mails = smtp.log().received;
        assert_eq!(mails.len(), 2);
        assert_eq!(message_id(&mails[0]), message_id(&mails[1]));
    }

    async fn two_workers_at_once_send_each_mail_once(app) {
        staff(&app.service, "Oscar Operations", &[entity::vocab::Team::Operations], &[], false).await;
        for _ in 0..MANY {
            app.file_ticket().await;
        }
        app.advance(TimeDelta::hours(6));
        assert_eq!(app.service.sla_scan().await.unwrap().notices, 2 * MANY);
        // Alerts that came together would be a digest.
        app.db.execute_unprepared("UPDATE notice SET state = 'QUEUED'").await.unwrap();
        let smtp = Arc::new(SmtpSink::start().await);
        let other = app.replica().await;
        let workers = [app.service.clone(), app.service.clone(), other.clone(), other].map(|service| {
            let route = mail_route(&smtp.url());
            tokio::spawn(async move { service.deliver(&route).await.unwrap() })
        });
        let mut sent = 0;
        for worker in workers {
            sent += worker.await.unwrap().sent;
        }
        let mails = smtp.log().received;
        let ids: BTreeSet<_> = mails.iter().map(message_id).collect();
        assert_eq!((sent, mails.len(), ids.len()), (2 * MANY, 2 * MANY, 2 * MANY));
        assert!(mails.iter().all(|mail| mail.to.len() == 1), "one recipient each");
    }

    async fn the_clients_mails_are_one_conversation(app) {
        let Cast { client, project_manager, tech, qa, .. } = &app.cast;
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        app.change(project_manager, "setEstimatedDeliveryDate", json!({
            "ticketId": key, "estimatedDeliveryDate": "2026-06-15", "reason": "An internal matter",
        }))
        .await;
        app.deliver(&smtp).await;
        let pull_request = json!({ "pullRequest": "https://git.example.com/7" });
        app.change(tech, "moveTicket", json!({ "ticketId": key, "to": "VERIFYING", "facts": pull_request })).await;
        app.change(qa, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_RESOLVED", "facts": closing_facts() })).await;
        app.deliver(&smtp).await;

        let received = smtp.log().received;
        let mails: Vec<_> = received.iter().map(Received::parsed).collect();
        assert_eq!(mails.len(), 3);
        let root = format!("<ticket-{key}@secondline.example>");
        for (number, (mail, envelope)) in mails.iter().zip(&received).enumerate() {
            assert_eq!((envelope.from.as_str(), envelope.to.as_slice()), ("support@secondline.example", &[client.email.clone()][..]));
            let to = mail.header("To").unwrap();
            assert!(to.contains(&client.name) && to.contains(&client.email), "{to}");
            assert_eq!((mail.header("Cc"), mail.header("Bcc"), mail.header("Reply-To")), (None, None, None));
            assert_eq!(mail.header("From"), Some("Secondline <support@secondline.example>"));
            assert_eq!(mail.header("Subject"), Some(format!("[{key}] Export stops at row 1000").as_str()));
            assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
            assert_eq!(mail.header("References"), Some(root.as_str()));
            assert_eq!(mail.header("In-Reply-To"), (number > 0).then_some(root.as_str()));
            assert!(mail.text.starts_with("Hello Carla Client,\n"), "{}", mail.text);
            assert!(mail.text.contains(&format!("Ticket: {key}, Export stops at row 1000")));
            assert!(mail.text.contains(&format!("https://support.example.com/tickets/{key}")), "{}", mail.text);
            assert!(!mail.text.contains("An internal matter"), "the reason is for staff");
            assert!(mail.html.contains(&key));
        }
        assert!(mails[0].text.contains("We plan to deliver the fix for your ticket on Friday, 12 June 2026."));
        assert!(mails[1].text.contains("the fix is now planned for Monday, 15 June 2026."));
        assert!(mails[1].text.contains("Previous date: Friday, 12 June 2026"));
        assert!(mails[2].text.contains("The fix for your ticket has been delivered."));
        assert!(mails[2].text.contains("The export now reads all pages."));
        let ids: BTreeSet<_> = received.iter().map(message_id).collect();
        assert_eq!(ids.len(), 3);
    }

    async fn a_question_that_was_answered_before_it_left_is_not_asked(app) {
        let Cast { operations, client, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.change(operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.change(client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 1));
        let mails = smtp.log().received;
        assert_eq!(mails[0].to[0], operations.email, "who asked hears the answer");
        let text = mails[0].parsed().text;
        assert!(text.contains("Which browser?") && text.contains("Firefox") && text.contains("Carla Client"), "{text}");
        let ledger = notices(app, &key).await;
        let asked = ledger.iter().find(|notice| notice["kind"] == "CLARIFICATION_REQUESTED").unwrap();
        assert_eq!(standing(asked), ("CANCELLED", 1, "the question had been answered, or the ticket closed"));
    }

    async fn a_question_about_a_ticket_that_was_closed_is_not_asked(app) {
        let Cast { operations, client, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.change(operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.change(operations, "moveTicket", json!({
            "ticketId": key, "to": "CLOSED_UNRESOLVED", "facts": { "resolutionNotes": "Withdrawn by the client." },
        }))
        .await;
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 1));
        let mails = smtp.log().received;
        assert_eq!(mails[0].to[0], client.email);
        assert!(mails[0].parsed().text.contains("Withdrawn by the client."));
    }

    async fn a_closure_that_was_undone_before_it_was_told_is_not_told(app) {
        let Cast { operations, client, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.walk_to(&key, "CLOSED_RESOLVED").await;
        app.change(operations, "moveTicket", json!({ "ticketId": key, "to": "VERIFYING", "reason": "Closed by mistake" }))
            .await;
        let unresolved = app.file_ticket().await;
        let notes = json!({ "resolutionNotes": "Not an issue." });
        app.change(operations, "moveTicket", json!({ "ticketId": unresolved, "to": "CLOSED_UNRESOLVED", "facts": notes }))
            .await;
        let again = json!({ "ticketId": unresolved, "to": "VALIDATING", "reason": "It is one", "facts": replicating_facts() });
        app.change(operations, "moveTicket", again).await;

        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, report(1, 0, 0, 2));
        let mails = smtp.log().received;
        assert_eq!(mails[0].to[0], client.email);
        assert!(mails[0].parsed().text.contains("12 June 2026"), "the promise still holds");
        for (key, kind) in [(&key, "DELIVERED"), (&unresolved, "CLOSED_UNRESOLVED")] {
            let ledger = notices(app, key).await;
            let closure = ledger.iter().find(|notice| notice["kind"] == kind).unwrap();
            assert_eq!(standing(closure), ("CANCELLED", 1, "the ticket had been reopened"));
        }
    }
}
