//! The alerts of a stage's clock, from the warning to the last escalation: who hears of it, when, and how often.

use chrono::TimeDelta;
use entity::vocab::Team;
use secondline::service::{deliver::DeliveryReport, sla_scan::ScanReport};
use serde_json::{Value, json};

use crate::support::{
    Cast, Member, each_database, replicating_facts,
    sla::{alert, alerts, all, clock, instant, ledger, reading, scan_at, shows, told, zulu},
    smtp::SmtpSink,
    staff,
};

/// The least that a database tells apart.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

each_database! {
    async fn levels_that_one_scan_finds_fresh_are_both_told(app) {
        let calendars = app.ask(&app.cast.administrator, "{ calendars { id name } }", json!({})).await;
        let all_day = calendars["calendars"].as_array().unwrap().iter().find(|row| row["name"] == "24x7").unwrap();
        let input = json!({ "stage": "VALIDATING", "budget": "PT2S", "calendarId": all_day["id"] });
        app.mutate(&app.cast.administrator, "updateSlaPolicy", input, "slaPolicy { budget }").await;
        let key = app.file_ticket().await;
        app.advance(TimeDelta::seconds(15));
        let report = app.service.sla_scan().await.unwrap();
        assert_eq!((report.raised, report.superseded), (2, 0));
        let ticket = app.ticket(&app.cast.qa, &key, "alerts { level outcome }").await;
        assert_eq!(ticket["alerts"], json!([
            { "level": "WARNING", "outcome": "RAISED" }, { "level": "BREACH", "outcome": "RAISED" },
        ]));
    }

    async fn a_clock_warns_breaches_and_escalates_twice_and_each_level_is_told_once(app) {
        let Cast { operations, qa, operations_manager, tech_manager, .. } = &app.cast;
        let colleague = staff(&app.service, "Oscar Operations", &[Team::Operations], &[], false).await;
        let leaver = staff(&app.service, "Lea Left", &[Team::Operations], &[Team::Operations], false).await;
        let gone = json!({ "personId": leaver.id, "isActive": false });
        app.mutate(&app.cast.administrator, "updatePerson", gone, "person { id }").await;
        let key = app.file_ticket().await;
        app.change(operations, "assignTicket", json!({ "ticketId": key, "assigneeId": qa.id })).await;
        // The mail about that is no alert.
        app.deliver(&SmtpSink::start().await).await;

        assert_eq!(scan_at(app, "2026-06-01T14:59:59.999999Z").await, ScanReport::default());
        assert_eq!(scan_at(app, "2026-06-01T15:00:00Z").await, told(1, 0, 3));
        assert_eq!(ledger(app, &key, "SLA_WARNING").await, all([operations, &colleague, qa], "HELD"));
        assert_eq!(scan_at(app, "2026-06-01T15:00:00Z").await, ScanReport::default());

        assert_eq!(scan_at(app, "2026-06-01T17:00:00Z").await, ScanReport::default(), "equal is in time");
        app.advance(MOMENT);
        assert_eq!(app.service.sla_scan().await.unwrap(), told(1, 0, 4));
        let breach = all([operations, &colleague, qa, operations_manager], "HELD");
        assert_eq!(ledger(app, &key, "SLA_BREACH").await, breach);

        assert_eq!(scan_at(app, "2026-06-02T16:59:59Z").await, ScanReport::default());
        assert_eq!(scan_at(app, "2026-06-02T17:00:00Z").await, told(1, 0, 2));
        assert_eq!(ledger(app, &key, "SLA_ESCALATION").await, all([operations_manager, tech_manager], "HELD"));
        assert_eq!(scan_at(app, "2026-06-04T17:00:00Z").await, told(1, 0, 2));
        let twice = [operations_manager, operations_manager, tech_manager, tech_manager];
        assert_eq!(ledger(app, &key, "SLA_ESCALATION").await, all(twice, "HELD"));
        assert_eq!(scan_at(app, "2026-07-31T12:00:00Z").await, ScanReport::default(), "there is no fifth level");

        assert_eq!(alerts(app, &key).await, [
            alert("VALIDATING", "WARNING", "RAISED", "2026-06-01T15:00:00Z"),
            alert("VALIDATING", "BREACH", "RAISED", "2026-06-01T17:00:00Z"),
            alert("VALIDATING", "ESCALATION_TWO", "RAISED", "2026-06-02T17:00:00Z"),
            alert("VALIDATING", "ESCALATION_THREE", "RAISED", "2026-06-04T17:00:00Z"),
        ]);
        let history = app.ticket(qa, &key, "history { kind alertLevel actorKind }").await;
        let raised: Vec<_> =
            history["history"].as_array().unwrap().iter().filter(|event| event["kind"] == "SLA_ALERT_RAISED").collect();
        assert_eq!(raised.len(), 4);
        assert!(raised.iter().all(|event| event["actorKind"] == "SYSTEM"));

        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, DeliveryReport { sent: 11, ..DeliveryReport::default() });
        let mails = smtp.log().received;
        let to = |member: &Member| mails.iter().filter(|mail| mail.to == [member.email.clone()]).count();
        assert_eq!([operations, &colleague, qa, operations_manager, tech_manager].map(to), [2, 2, 2, 3, 2]);
        assert!(mails.iter().all(|mail| mail.parsed().text.contains("Monday, 1 June 2026, 19:00 CEST (17:00 UTC)")));
    }

    async fn a_delivery_that_is_overdue_is_told_to_techs_managers_and_the_project_manager(app) {
        let Cast { qa, tech, tech_manager, operations_manager, project_manager, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        app.change(project_manager, "assignTicket", json!({ "ticketId": key, "assigneeId": qa.id })).await;

        let sla = clock(app, &key).await;
        assert_eq!((&sla["budget"], &sla["deadlineOn"]), (&Value::Null, &json!("2026-06-12")));
        assert_eq!(sla["dueAt"], "2026-06-12T17:00:00Z");
        // Ten working days of eight hours; 75 % of them are used on the eighth day at noon.
        assert_eq!(sla["warnsAt"], "2026-06-10T13:00:00Z");
        assert_eq!(scan_at(app, "2026-06-10T13:00:00Z").await, told(1, 0, 2));
        assert_eq!(ledger(app, &key, "SLA_WARNING").await, all([tech, qa], "HELD"));

        assert_eq!(scan_at(app, "2026-06-12T17:00:00Z").await, ScanReport::default());
        assert_eq!(scan_at(app, "2026-06-12T17:00:00.000001Z").await, told(1, 0, 2));
        assert_eq!(ledger(app, &key, "DELIVERY_OVERDUE").await, all([tech_manager, project_manager], "HELD"));
        assert_eq!(ledger(app, &key, "SLA_BREACH").await, []);

        assert_eq!(scan_at(app, "2026-06-15T17:00:00Z").await, told(1, 0, 2));
        assert_eq!(scan_at(app, "2026-06-17T17:00:00Z").await, told(1, 0, 2));
        let managers = [operations_manager, operations_manager, tech_manager, tech_manager];
        assert_eq!(ledger(app, &key, "SLA_ESCALATION").await, all(managers, "HELD"));
    }

    async fn after_a_downtime_only_the_highest_level_is_told(app) {
        let Cast { operations_manager, tech_manager, .. } = &app.cast;
        let key = app.file_ticket().await;
        assert_eq!(scan_at(app, "2026-06-03T10:00:00Z").await, told(1, 2, 2));
        assert_eq!(ledger(app, &key, "SLA_WARNING").await, []);
        assert_eq!(ledger(app, &key, "SLA_BREACH").await, []);
        assert_eq!(ledger(app, &key, "SLA_ESCALATION").await, all([operations_manager, tech_manager], "HELD"));
        assert_eq!(alerts(app, &key).await, [
            alert("VALIDATING", "WARNING", "SUPERSEDED", "2026-06-01T15:00:00Z"),
            alert("VALIDATING", "BREACH", "SUPERSEDED", "2026-06-01T17:00:00Z"),
            alert("VALIDATING", "ESCALATION_TWO", "RAISED", "2026-06-02T17:00:00Z"),
        ]);
        assert_eq!(clock(app, &key).await["breachedAt"], "2026-06-01T17:00:00Z", "when it was due, not when it was seen");
        assert_eq!(scan_at(app, "2026-06-03T10:00:00Z").await, ScanReport::default());
        assert_eq!(scan_at(app, "2026-06-04T17:00:00Z").await, told(1, 0, 2));
    }

    async fn a_question_holds_the_alerts_back_and_the_answer_lets_the_clock_go_on(app) {
        let Cast { operations, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.clock.set(instant("2026-06-01T14:00:00Z"));
        app.change(operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        assert_eq!(reading(app, &key).await, shows("PAUSED", "-", "PT5H", "PT3H"));
        assert_eq!(clock(app, &key).await["dueIfResumedAt"], "2026-06-01T17:00:00Z");
        assert_eq!(scan_at(app, "2026-06-05T12:00:00Z").await, ScanReport::default(), "four days without an answer");
        assert_eq!(reading(app, &key).await, shows("PAUSED", "-", "PT5H", "PT3H"));

        app.change(operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        assert_eq!(reading(app, &key).await, shows("ON_TRACK", "2026-06-05T15:00:00Z", "PT5H", "PT3H"));
        assert_eq!(scan_at(app, "2026-06-05T12:59:59Z").await, ScanReport::default());
        assert_eq!(scan_at(app, "2026-06-05T13:00:00Z").await, told(1, 0, 1));
        let select = "visits { originalDueAt pauses { reason startedAt endedAt } }";
        assert_eq!(zulu(app.ticket(operations, &key, select).await["visits"].clone()), json!([{
            "originalDueAt": "2026-06-01T17:00:00Z",
            "pauses": [{
                "reason": "WAITING_CLIENT", "startedAt": "2026-06-01T14:00:00Z", "endedAt": "2026-06-05T12:00:00Z",
            }],
        }]));
    }

    async fn a_question_after_the_breach_does_not_undo_it(app) {
        let key = app.file_ticket().await;
        assert_eq!(scan_at(app, "2026-06-01T17:00:00.000001Z").await.raised, 1);
        let question = json!({ "ticketId": key, "question": "Which browser?" });
        app.change(&app.cast.operations, "askClient", question).await;
        let sla = clock(app, &key).await;
        assert_eq!((&sla["status"], &sla["breachedAt"]), (&json!("BREACHED"), &json!("2026-06-01T17:00:00Z")));
        assert_eq!(scan_at(app, "2026-06-12T12:00:00Z").await, ScanReport::default(), "waiting for the client");
    }

    async fn a_warning_that_waits_is_cancelled_when_the_ticket_moves_on(app) {
        let Cast { operations, .. } = &app.cast;
        let key = app.file_ticket().await;
        assert_eq!(scan_at(app, "2026-06-01T15:00:00Z").await, told(1, 0, 1));
        let facts = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
        app.change(operations, "moveTicket", facts).await;

        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await, DeliveryReport { cancelled: 1, ..DeliveryReport::default() });
        assert_eq!(smtp.log().attempts, 0);
        let notices = app.ticket(operations, &key, "notices { kind state detail sentAt nextAttemptAt }").await;
        assert_eq!(notices["notices"], json!([{
            "kind": "SLA_WARNING", "state": "CANCELLED", "detail": "the ticket had left the stage",
            "sentAt": null, "nextAttemptAt": null,
        }]));
        assert_eq!(app.deliver(&smtp).await, DeliveryReport::default());
    }
}
