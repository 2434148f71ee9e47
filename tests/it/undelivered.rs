//! A client's mail that fails for good is told; a question that did not reach the client stops no clock.

use chrono::TimeDelta;
use secondline::domain::actor::Actor;
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    checks::each,
    each_database,
    sla::ledger,
    smtp::{Reply, SmtpSink},
};

const CLOCK: &str = "sla { status dueAt elapsed explain { until segments { why } } } \
    visits { leftAt sla { status elapsed } pauses { reason startedAt endedAt } } history { kind noticeKind pauseReason reason }";

async fn clock(app: &TestApp, key: &str) -> Value {
    app.ticket(&app.cast.qa, key, CLOCK).await
}

async fn verified(app: &TestApp) {
    let report = app.service.verify_clocks(&Actor::System, None).await.unwrap();
    assert_eq!((report.drifts.as_slice(), report.without_history), (&[][..], 0));
}

/// Gives the client an address that the mail server, which knows no SMTPUTF8, cannot carry.
async fn move_client_to(app: &TestApp, address: &str) {
    let input = json!({ "contactId": app.cast.client.id, "email": address });
    app.make(&app.cast.administrator, "updateContact", "contact", input, "id").await;
}

async fn ask(app: &TestApp) -> String {
    let key = app.file_ticket().await;
    app.advance(TimeDelta::hours(1));
    app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
    key
}

each_database! {
    async fn a_question_that_could_not_be_mailed_pauses_no_clock_and_people_hear(app) {
        move_client_to(app, "é@example.com").await;
        let key = ask(app).await;
        app.advance(TimeDelta::hours(2));
        assert_eq!(clock(app, &key).await["sla"]["status"], "PAUSED");
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await.failed, 1);

        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["status"], "ON_TRACK");
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-01T17:00:00+00:00", "as though it had not paused");
        assert_eq!(ticket["sla"]["elapsed"], "PT3H");
        assert_eq!(ticket["sla"]["explain"]["until"], ticket["sla"]["dueAt"]);
        assert_eq!(each(&ticket["sla"]["explain"]["segments"], "why"), ["WORKING"]);
        let told = ticket["history"].as_array().unwrap().last().unwrap();
        assert_eq!((&told["kind"], &told["noticeKind"], &told["pauseReason"]),
            (&json!("CLIENT_NOT_TOLD"), &json!("CLARIFICATION_REQUESTED"), &json!("WAITING_CLIENT")));
        assert!(told["reason"].as_str().unwrap().contains("SMTPUTF8"), "{told}");
        verified(app).await;

        let mut expected = vec![app.cast.operations.email.clone(), app.cast.project_manager.email.clone()];
        expected.sort();
        let addresses: Vec<_> = ledger(app, &key, "CLIENT_NOT_TOLD").await.into_iter().map(|(to, _)| to).collect();
        assert_eq!(addresses, expected);
        let mail = smtp.log().received.remove(0).parsed();
        assert!(mail.text.contains("was not told") && mail.text.contains("as though it had not been paused"), "{}", mail.text);
        let seen = app.ticket(&app.cast.client, &key, "history { kind }").await;
        assert!(!each(&seen["history"], "kind").contains(&&json!("CLIENT_NOT_TOLD")), "an internal matter");

        app.advance(TimeDelta::hours(5) + TimeDelta::seconds(1));
        assert_eq!(app.service.sla_scan().await.unwrap().raised, 1, "the scan agrees");
        let late = app.ticket(&app.cast.qa, &key, "alerts { level dueAt }").await;
        assert_eq!(late["alerts"].as_array().unwrap().last().unwrap(), &json!({ "level": "BREACH", "dueAt": "2026-06-01T17:00:00+00:00" }));
        verified(app).await;
    }

    async fn a_breach_that_an_undelivered_question_hid_is_found(app) {
        move_client_to(app, "é@example.com").await;
        let key = ask(app).await;
        app.advance(TimeDelta::days(2));
        assert_eq!(app.service.sla_scan().await.unwrap().raised, 0, "it is paused");
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["status"], "BREACHED");
        assert!(app.service.sla_scan().await.unwrap().raised > 0);
        let alerts = app.ticket(&app.cast.qa, &key, "alerts { level cause dueAt }").await;
        let breach = alerts["alerts"].as_array().unwrap().iter().find(|alert| alert["level"] == "BREACH").unwrap().clone();
        assert_eq!((&breach["dueAt"], &breach["cause"]), (&json!("2026-06-01T17:00:00+00:00"), &json!("CHANGE")));
        verified(app).await;
    }

    async fn a_question_that_is_sent_again_pauses_the_clock_from_its_delivery(app) {
        move_client_to(app, "é@example.com").await;
        let key = ask(app).await;
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        app.advance(TimeDelta::hours(2));
        move_client_to(app, "carla@example.com").await;
        let failed = app.ticket(&app.cast.qa, &key, "notices { id state }").await;
        let id = failed["notices"].as_array().unwrap().iter().find(|notice| notice["state"] == "FAILED").unwrap()["id"].clone();
        let input = json!({ "noticeId": id });
        app.make(&app.cast.operations_manager, "retryNotice", "notice", input, "id").await;
        app.deliver(&smtp).await;
        assert!(smtp.log().received.iter().any(|mail| mail.to == ["carla@example.com"]), "to the corrected address");
        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["status"], "PAUSED");
        assert_eq!(ticket["sla"]["elapsed"], "PT3H", "up to the delivery it counted");
        assert_eq!(each(&ticket["history"], "kind"), ["TICKET_CREATED", "CLARIFICATION_REQUESTED", "CLIENT_NOT_TOLD", "CLOCK_PAUSED"]);
        app.advance(TimeDelta::hours(1));
        app.change(&app.cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-02T10:00:00+00:00");
        verified(app).await;
    }

    async fn a_pause_in_a_stage_that_was_left_is_undone_too(app) {
        move_client_to(app, "é@example.com").await;
        let key = ask(app).await;
        app.advance(TimeDelta::days(1));
        app.walk_to(&key, "REPLICATING").await;
        let visit = clock(app, &key).await["visits"][0].take();
        assert_eq!((&visit["sla"]["status"], &visit["sla"]["elapsed"]), (&json!("MET"), &json!("PT1H")));
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        let ticket = clock(app, &key).await;
        let visit = &ticket["visits"][0];
        assert_eq!((&visit["sla"]["status"], &visit["sla"]["elapsed"]), (&json!("MISSED"), &json!("PT9H")));
        assert_eq!(visit["pauses"][0]["endedAt"], visit["pauses"][0]["startedAt"]);
        assert_eq!(ticket["sla"]["status"], "ON_TRACK", "the stage that it is in knows nothing of it");
        verified(app).await;
    }

    async fn a_question_whose_contact_left_before_it_was_mailed_paused_nothing(app) {
        let key = ask(app).await;
        app.advance(TimeDelta::hours(2));
        let input = json!({ "contactId": app.cast.client.id, "isActive": false });
        app.make(&app.cast.administrator, "updateContact", "contact", input, "id").await;
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        assert_eq!(clock(app, &key).await["sla"]["elapsed"], "PT3H");
        verified(app).await;
    }

    async fn a_question_that_was_answered_all_the_same_paused_the_clock(app) {
        let key = ask(app).await;
        app.advance(TimeDelta::hours(2));
        app.change(&app.cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        assert_eq!(clock(app, &key).await["sla"]["elapsed"], "PT1H");
        verified(app).await;
    }

    async fn every_mail_to_the_client_that_fails_is_told(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let smtp = SmtpSink::start().await;
        smtp.script(vec![Reply::Refuse(550, "5.1.1 no such user here"); 3]);
        for _ in 0..3 {
            app.deliver(&smtp).await;
            app.advance(TimeDelta::hours(1));
        }
        let ticket = clock(app, &key).await;
        let told = ticket["history"].as_array().unwrap().last().unwrap();
        assert_eq!((&told["kind"], &told["noticeKind"], &told["pauseReason"]),
            (&json!("CLIENT_NOT_TOLD"), &json!("DELIVERY_DATE_SET"), &Value::Null));
        let mut expected = vec![app.cast.tech.email.clone(), app.cast.project_manager.email.clone()];
        expected.sort();
        let addresses: Vec<_> = ledger(app, &key, "CLIENT_NOT_TOLD").await.into_iter().map(|(to, _)| to).collect();
        assert_eq!(addresses, expected);
        verified(app).await;
    }
}
