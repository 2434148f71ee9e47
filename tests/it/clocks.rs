//! What people do to clocks: pauses, due times by hand, excuses, taking charge of alerts; and what explains and verifies them.

use chrono::TimeDelta;
use secondline::domain::actor::Actor;
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    checks::{each, pairs},
    each_database,
};

const CLOCK: &str = "sla { status dueAt dueIfResumedAt elapsed overrideDueAt acknowledgedAt snoozedUntil } \
    visits { id pauses { reason startedAt endedAt resumeAt } originalDueAt excusedAt excuse } history { kind pauseReason reason until }";

async fn clock(app: &TestApp, key: &str) -> Value {
    app.ticket(&app.cast.qa, key, CLOCK).await
}

async fn verified(app: &TestApp) {
    let report = app.service.verify_clocks(&Actor::System, None).await.unwrap();
    assert_eq!((report.drifts.as_slice(), report.without_history), (&[][..], 0));
}

/// A ticket in Validating, filed on Monday 1 June 2026, 09:00, and breached; with its latest alert.
async fn breached(app: &TestApp) -> (String, Value) {
    let key = app.file_ticket().await;
    app.advance(TimeDelta::hours(8) + TimeDelta::seconds(1));
    app.service.sla_scan().await.unwrap();
    let ticket = app.ticket(&app.cast.qa, &key, "alerts { id level }").await;
    let alert = ticket["alerts"].as_array().unwrap().last().unwrap()["id"].clone();
    (key, alert)
}

each_database! {
    async fn staff_pause_a_clock_for_a_reason_and_resume_it(app) {
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(1));
        let input = json!({ "ticketId": key, "reason": "WAITING_THIRD_PARTY", "note": "The carrier looks into it." });
        app.change(&app.cast.operations, "pauseClock", input.clone()).await;
        app.advance(TimeDelta::hours(3));
        let paused = clock(app, &key).await;
        assert_eq!(paused["sla"]["status"], "PAUSED");
        assert_eq!(paused["sla"]["dueAt"], Value::Null);
        assert_eq!(paused["sla"]["dueIfResumedAt"], "2026-06-02T12:00:00+00:00");
        let again = app.refusal(&app.cast.operations, "pauseClock", input).await;
        assert_eq!(again, [("INVALID".to_owned(), "reason".to_owned())]);
        app.change(&app.cast.operations, "resumeClock", json!({ "ticketId": key })).await;
        let resumed = clock(app, &key).await;
        assert_eq!(resumed["sla"]["dueAt"], "2026-06-02T12:00:00+00:00");
        assert_eq!(resumed["sla"]["elapsed"], "PT1H");
        assert_eq!(each(&resumed["history"], "kind"), ["TICKET_CREATED", "CLOCK_PAUSED", "CLOCK_RESUMED"]);
        let nothing = app.refusal(&app.cast.operations, "resumeClock", json!({ "ticketId": key })).await;
        assert_eq!(nothing[0].0, "INVALID");
        verified(app).await;
    }

    async fn overlapping_pauses_stop_the_clock_once_and_each_ends_by_itself(app) {
        let key = app.file_ticket().await;
        let hold = json!({ "ticketId": key, "reason": "ON_HOLD", "note": "Office move." });
        app.change(&app.cast.operations, "pauseClock", hold).await;
        app.advance(TimeDelta::hours(1));
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.advance(TimeDelta::hours(1));
        app.change(&app.cast.operations, "resumeClock", json!({ "ticketId": key })).await;
        assert_eq!(clock(app, &key).await["sla"]["status"], "PAUSED", "the question is still open");
        app.advance(TimeDelta::hours(1));
        app.change(&app.cast.operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let ticket = clock(app, &key).await;
        assert_eq!((&ticket["sla"]["elapsed"], &ticket["sla"]["dueAt"]), (&json!("PT0S"), &json!("2026-06-02T12:00:00+00:00")));
        verified(app).await;
    }

    async fn a_pause_until_an_instant_ends_then_even_if_nobody_looked(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "reason": "WAITING_RELEASE", "note": "Release 7", "resumeAt": "2026-06-01T11:00:00Z" });
        app.change(&app.cast.operations, "pauseClock", input).await;
        app.advance(TimeDelta::hours(5));
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-02T11:00:00+00:00", "it goes on by itself");
        assert_eq!(app.service.wake_clocks().await.unwrap(), 1);
        assert_eq!(app.service.wake_clocks().await.unwrap(), 0);
        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-02T11:00:00+00:00");
        assert_eq!(ticket["visits"][0]["pauses"][0]["endedAt"], "2026-06-01T11:00:00+00:00", "not when the job came");
        assert_eq!(ticket["history"][2]["kind"], "CLOCK_RESUMED");
        verified(app).await;
    }

    async fn a_pause_needs_the_team_a_reason_of_the_policy_and_an_end_ahead(app) {
        let key = app.file_ticket().await;
        let input = |reason: &str, resume_at: Value| json!({ "ticketId": key, "reason": reason, "note": "x", "resumeAt": resume_at });
        let code = |problems: Vec<(String, String)>| problems[0].clone();
        assert_eq!(code(app.refusal(&app.cast.tech, "pauseClock", input("ON_HOLD", Value::Null)).await).0, "NOT_ALLOWED");
        let refusals = [("AWAY", Value::Null, "reason"), ("WAITING_CLIENT", Value::Null, "reason"), ("ON_HOLD", json!("2026-06-01T08:59:00Z"), "resumeAt"), ("ON_HOLD", json!("2028-06-01T09:00:00Z"), "resumeAt")];
        for (reason, resume_at, field) in refusals {
            let found = code(app.refusal(&app.cast.operations, "pauseClock", input(reason, resume_at)).await);
            assert_eq!(found, ("INVALID".to_owned(), field.to_owned()), "{reason}");
        }
        app.walk_to(&key, "FIXING").await;
        let found = code(app.refusal(&app.cast.tech, "pauseClock", input("ON_HOLD", Value::Null)).await);
        assert_eq!(found, ("INVALID".to_owned(), "reason".to_owned()), "a promise is not paused");
    }

    async fn a_manager_sets_a_due_time_by_hand_and_gives_it_back(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "dueAt": "2026-06-03T10:00:00Z", "reason": "Agreed with the client." });
        assert_eq!(app.refusal(&app.cast.operations, "overrideDueTime", input.clone()).await[0].0, "NOT_ALLOWED");
        app.change(&app.cast.operations_manager, "overrideDueTime", input).await;
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.advance(TimeDelta::hours(1));
        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-03T10:00:00+00:00", "no pause moves it");
        assert_eq!(ticket["visits"][0]["originalDueAt"], "2026-06-01T17:00:00+00:00");
        app.change(&app.cast.operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let back = json!({ "ticketId": key, "dueAt": null, "reason": "The agreement fell through." });
        app.change(&app.cast.operations_manager, "overrideDueTime", back).await;
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-02T10:00:00+00:00");
        let history = app.ticket(&app.cast.qa, &key, "history { kind dueBefore dueAfter reason }").await;
        assert_eq!(history["history"][1], json!({
            "kind": "DUE_TIME_OVERRIDDEN", "dueBefore": "2026-06-01T17:00:00+00:00", "dueAfter": "2026-06-03T10:00:00+00:00",
            "reason": "Agreed with the client.",
        }));
        verified(app).await;
    }

    async fn a_breach_is_excused_once_and_stays_a_breach(app) {
        let key = app.file_ticket().await;
        let visit = clock(app, &key).await["visits"][0]["id"].clone();
        let input = json!({ "visitId": visit, "reason": "The office was flooded." });
        assert_eq!(app.refusal_of(&app.cast.operations_manager, "excuseBreach", "visit", input.clone()).await[0].0, "INVALID");
        app.advance(TimeDelta::hours(9));
        assert_eq!(app.refusal_of(&app.cast.operations, "excuseBreach", "visit", input.clone()).await[0].0, "NOT_ALLOWED");
        app.make(&app.cast.operations_manager, "excuseBreach", "visit", input.clone(), "id").await;
        assert_eq!(app.refusal_of(&app.cast.operations_manager, "excuseBreach", "visit", input).await[0].0, "ALREADY_EXISTS");
        let ticket = clock(app, &key).await;
        assert_eq!((&ticket["sla"]["status"], &ticket["visits"][0]["excuse"]), (&json!("BREACHED"), &json!("The office was flooded.")));
        app.walk_to(&key, "REPLICATING").await;
        assert_eq!(clock(app, &key).await["visits"][0]["excuse"], "The office was flooded.", "leaving forgets no excuse");
        verified(app).await;
    }

    async fn an_acknowledged_alert_is_not_the_last_one_of_its_visit(app) {
        let (key, alert) = breached(app).await;
        let input = json!({ "alertId": alert, "note": "On it." });
        assert_eq!(app.refusal_of(&app.cast.tech, "acknowledgeAlert", "alert", input.clone()).await[0].0, "NOT_ALLOWED");
        app.make(&app.cast.operations, "acknowledgeAlert", "alert", input.clone(), "id").await;
        assert_eq!(app.refusal_of(&app.cast.operations, "acknowledgeAlert", "alert", input).await[0].0, "ALREADY_EXISTS");
        app.advance(TimeDelta::days(10));
        app.service.sla_scan().await.unwrap();
        let ticket = app.ticket(&app.cast.qa, &key, "alerts { level } sla { status }").await;
        assert_eq!(each(&ticket["alerts"], "level"), ["WARNING", "BREACH", "ESCALATION_TWO", "ESCALATION_THREE"]);
        assert_eq!(ticket["sla"]["status"], "BREACHED");
        verified(app).await;
    }

    async fn snoozed_alerts_come_later(app) {
        let (key, alert) = breached(app).await;
        let input = json!({ "alertId": alert, "until": "2026-06-10T09:00:00Z", "reason": "Waiting for the vendor's patch." });
        app.make(&app.cast.operations, "snoozeAlerts", "alert", input, "id").await;
        app.advance(TimeDelta::days(5));
        app.service.sla_scan().await.unwrap();
        let levels = |ticket: &Value| each(&ticket["alerts"], "level").into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(levels(&app.ticket(&app.cast.qa, &key, "alerts { level }").await), ["WARNING", "BREACH"]);
        app.advance(TimeDelta::days(4));
        app.service.sla_scan().await.unwrap();
        let ticket = app.ticket(&app.cast.qa, &key, "alerts { level outcome }").await;
        assert_eq!(levels(&ticket), ["WARNING", "BREACH", "ESCALATION_TWO", "ESCALATION_THREE"]);
        verified(app).await;
    }

    async fn a_due_time_explains_itself(app) {
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(7));
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
        app.advance(TimeDelta::hours(17));
        app.change(&app.cast.operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
        let select = "sla { dueAt explain { until counted segments { from to counted why holiday pauseReason } } }";
        let sla = app.ticket(&app.cast.qa, &key, select).await["sla"].clone();
        assert_eq!((&sla["explain"]["until"], &sla["explain"]["counted"]), (&sla["dueAt"], &json!("PT8H")));
        let segments: Vec<_> = sla["explain"]["segments"].as_array().unwrap().iter()
            .map(|segment| format!("{} – {} {} {}", segment["from"].as_str().unwrap(), segment["to"].as_str().unwrap(), segment["why"], segment["pauseReason"]))
            .collect();
        assert_eq!(segments, [
            "2026-06-01T09:00:00+00:00 – 2026-06-01T16:00:00+00:00 \"WORKING\" null",
            "2026-06-01T16:00:00+00:00 – 2026-06-02T09:00:00+00:00 \"PAUSED\" \"WAITING_CLIENT\"",
            "2026-06-02T09:00:00+00:00 – 2026-06-02T10:00:00+00:00 \"WORKING\" null",
        ]);
    }

    async fn what_if_questions_are_answered_without_writing(app) {
        let key = app.file_ticket().await;
        let input = json!({ "stage": "REPLICATING", "enteredAt": "2026-06-05T15:00:00Z",
            "pauses": [{ "from": "2026-06-08T09:00:00Z", "until": "2026-06-08T11:00:00Z" }] });
        let query = "query($input: PreviewDueInput!) { previewDue(input: $input) { dueAt budget policyVersion explain { counted } } }";
        let answer = app.ask(&app.cast.qa, query, json!({ "input": input })).await;
        assert_eq!(answer["previewDue"], json!({
            "dueAt": "2026-06-09T17:00:00+00:00", "budget": "P2D", "policyVersion": 1, "explain": { "counted": "PT16H" },
        }));
        let query = "query($input: UpdateSlaPolicyInput!) { previewPolicyChange(input: $input) { affected moved newlyLate \
            noLongerLate isComplete clocks { ticket { key } dueBefore dueAfter becomesLate } } }";
        app.advance(TimeDelta::hours(2));
        let input = json!({ "stage": "VALIDATING", "budget": "PT1H" });
        let answer = app.ask(&app.cast.administrator, query, json!({ "input": input })).await;
        assert_eq!(answer["previewPolicyChange"], json!({
            "affected": 1, "moved": 1, "newlyLate": 1, "noLongerLate": 0, "isComplete": true,
            "clocks": [{ "ticket": { "key": key }, "dueBefore": "2026-06-01T17:00:00+00:00", "dueAfter": "2026-06-01T10:00:00+00:00", "becomesLate": true }],
        }));
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-01T17:00:00+00:00", "nothing was written");
    }

    async fn budgets_go_by_priority_and_tier_and_clocks_follow_both(app) {
        let budgets = json!([
            { "budget": "P1D" }, { "priority": "URGENT", "budget": "PT2H" }, { "tier": "TIER_ONE", "budget": "PT4H" },
        ]);
        let input = json!({ "stage": "VALIDATING", "budgets": budgets });
        assert_eq!(app.refusal_of(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", input).await, pairs(&[("INVALID", "budgets")]));
        let budgets = json!([{ "budget": "P1D" }, { "tier": "TIER_ONE", "budget": "PT4H" }]);
        app.make(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", json!({ "stage": "VALIDATING", "budgets": budgets }), "id").await;
        let key = app.file_ticket().await;
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-01T17:00:00+00:00");
        let company = json!({ "companyId": app.cast.acme.id.to_string(), "tier": "TIER_ONE" });
        app.make(&app.cast.operations, "updateCompany", "company", company, "id").await;
        let ticket = clock(app, &key).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-01T13:00:00+00:00");
        assert_eq!(ticket["history"][1]["kind"], "CLOCK_RECOMPUTED");
        verified(app).await;
    }

    async fn a_calendar_that_is_edited_for_the_past_moves_running_clocks_and_no_finished_ones(app) {
        let [running, finished] = [app.file_ticket().await, app.file_ticket().await];
        app.advance(TimeDelta::hours(4));
        app.walk_to(&finished, "REPLICATING").await;
        app.advance(TimeDelta::hours(20));
        let calendars = app.ask(&app.cast.administrator, "{ calendars { id name } }", json!({})).await;
        let calendar = calendars["calendars"].as_array().unwrap().iter().find(|row| row["name"] == "default").unwrap()["id"].clone();
        let hours = ["MON", "TUE", "WED", "THU", "FRI"].map(|day| json!({ "day": day, "from": "09:00", "to": "17:00" }));
        let definition = json!({ "timeZone": "UTC", "hoursPerDay": 8, "week": hours,
            "holidays": [{ "on": "2026-06-01", "name": "Flood", "from": "12:00", "to": "17:00" }] });
        let input = json!({ "calendarId": calendar, "definition": definition, "effectiveAt": "2026-06-01T00:00:00Z" });
        let before = app.ticket(&app.cast.qa, &finished, "visits { sla { elapsed dueAt } }").await["visits"][0].clone();
        app.make(&app.cast.administrator, "updateCalendar", "calendar", input, "id").await;
        let ticket = app.ticket(&app.cast.qa, &running, "sla { dueAt elapsed explain { segments { why holiday } } }").await;
        assert_eq!((&ticket["sla"]["dueAt"], &ticket["sla"]["elapsed"]), (&json!("2026-06-02T14:00:00+00:00"), &json!("PT3H")));
        assert!(each(&ticket["sla"]["explain"]["segments"], "holiday").contains(&&json!("Flood")));
        assert_eq!(app.ticket(&app.cast.qa, &finished, "visits { sla { elapsed dueAt } }").await["visits"][0], before);
        verified(app).await;
    }

    async fn a_policy_for_later_is_followed_then(app) {
        let key = app.file_ticket().await;
        let input = json!({ "stage": "VALIDATING", "budget": "PT2H", "effectiveAt": "2026-06-01T10:00:00Z" });
        app.make(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", input, "id").await;
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-01T17:00:00+00:00");
        app.advance(TimeDelta::hours(1));
        assert_eq!(app.service.follow_changes(&Actor::System, None).await.unwrap(), 1);
        assert_eq!(app.service.follow_changes(&Actor::System, None).await.unwrap(), 0);
        assert_eq!(clock(app, &key).await["sla"]["dueAt"], "2026-06-01T11:00:00+00:00");
        let past = json!({ "stage": "VALIDATING", "budget": "PT1H", "effectiveAt": "2026-06-01T09:30:00Z" });
        assert_eq!(app.refusal_of(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", past).await, pairs(&[("INVALID", "effectiveAt")]));
        verified(app).await;
    }

    async fn the_time_to_resolution_leaves_closed_time_out(app) {
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(2));
        let close = json!({ "ticketId": key, "to": "CLOSED_UNRESOLVED", "facts": { "resolutionNotes": "Works as meant." } });
        app.change(&app.cast.operations, "moveTicket", close).await;
        app.advance(TimeDelta::days(1));
        app.change(&app.cast.operations, "moveTicket", json!({ "ticketId": key, "to": "VALIDATING", "reason": "It does not." })).await;
        app.advance(TimeDelta::hours(1));
        let ticket = app.ticket(&app.cast.qa, &key, "slaTotals { openTime workingTime stages { stage visits workingTime late } }").await;
        assert_eq!(ticket["slaTotals"], json!({
            "openTime": "PT3H", "workingTime": "PT3H",
            "stages": [{ "stage": "VALIDATING", "visits": 2, "workingTime": "PT3H", "late": 0 }],
        }));
        assert_eq!(app.ticket(&app.cast.client, &key, "slaTotals { openTime }").await["slaTotals"], Value::Null);
        verified(app).await;
    }
}
