//! What a ticket's clock shows along the way, and what moves it.

use secondline::service::{deliver::DeliveryReport, sla_scan::ScanReport};
use serde_json::{Value, json};

use crate::support::{
    Cast, TestApp, each_database,
    sla::{alert, alerts, all, clock, instant, ledger, reading, scan_at, shows, told, zulu},
    smtp::SmtpSink,
};

/// Open tickets, none of them due, that a scan must not notice.
const MANY: usize = 30;

/// A ticket in Fixing, promised for Friday, 12 June 2026.
async fn promised(app: &TestApp) -> String {
    let key = app.file_ticket().await;
    app.walk_to(&key, "FIXING").await;
    key
}

async fn promise(app: &TestApp, key: &str, date: &str) {
    let input = json!({ "ticketId": key, "estimatedDeliveryDate": date, "reason": "A dependency is late" });
    app.change(&app.cast.project_manager, "setEstimatedDeliveryDate", input).await;
}

each_database! {
    async fn a_clock_shows_how_it_stands_from_on_track_to_missed(app) {
        let key = app.file_ticket().await;
        let due = "2026-06-01T17:00:00Z";
        assert_eq!(clock(app, &key).await, json!({
            "status": "ON_TRACK", "dueAt": due, "dueIfResumedAt": null, "warnsAt": "2026-06-01T15:00:00Z",
            "breachedAt": null, "budget": "P1D", "deadlineOn": null, "elapsed": "PT0S", "remaining": "PT8H",
        }));
        let at = |text: &str| app.clock.set(instant(text));
        at("2026-06-01T14:59:59Z");
        assert_eq!(reading(app, &key).await, shows("ON_TRACK", due, "PT5H59M59S", "PT2H1S"));
        at("2026-06-01T15:00:00Z");
        assert_eq!(reading(app, &key).await, shows("WARNING", due, "PT6H", "PT2H"));
        at("2026-06-01T17:00:00Z");
        assert_eq!(reading(app, &key).await, shows("WARNING", due, "PT8H", "PT0S"));
        assert_eq!(clock(app, &key).await["breachedAt"], Value::Null, "equal is in time");
        at("2026-06-02T09:30:00Z");
        // No scan has looked yet, and the clock knows all the same.
        assert_eq!(reading(app, &key).await, shows("BREACHED", due, "PT8H30M", "-PT30M"));
        assert_eq!(clock(app, &key).await["breachedAt"], due);

        app.walk_to(&key, "REPLICATING").await;
        assert_eq!(reading(app, &key).await, shows("ON_TRACK", "2026-06-04T09:30:00Z", "PT0S", "PT16H"));
        at("2026-06-03T09:30:00Z");
        let select = "visits { stage enteredAt leftAt sla { status dueAt breachedAt elapsed remaining } }";
        assert_eq!(zulu(app.ticket(&app.cast.qa, &key, select).await["visits"].clone()), json!([
            {
                "stage": "VALIDATING", "enteredAt": "2026-06-01T09:00:00Z", "leftAt": "2026-06-02T09:30:00Z",
                "sla": { "status": "MISSED", "dueAt": due, "breachedAt": due, "elapsed": "PT8H30M", "remaining": null },
            },
            {
                "stage": "REPLICATING", "enteredAt": "2026-06-02T09:30:00Z", "leftAt": null,
                "sla": {
                    "status": "ON_TRACK", "dueAt": "2026-06-04T09:30:00Z", "breachedAt": null,
                    "elapsed": "PT8H", "remaining": "PT8H",
                },
            },
        ]));
    }

    async fn evenings_and_weekends_do_not_count(app) {
        app.clock.set(instant("2026-06-05T16:00:00Z"));
        let on_friday = app.file_ticket().await;
        app.clock.set(instant("2026-06-06T11:00:00Z"));
        let on_saturday = app.file_ticket().await;
        let due = ["2026-06-08T16:00:00Z", "2026-06-08T17:00:00Z"];
        assert_eq!(reading(app, &on_friday).await, shows("ON_TRACK", due[0], "PT1H", "PT7H"));
        assert_eq!(reading(app, &on_saturday).await, shows("ON_TRACK", due[1], "PT0S", "PT8H"));
        assert_eq!(scan_at(app, "2026-06-08T08:59:59Z").await, ScanReport::default());
        assert_eq!(reading(app, &on_friday).await, shows("ON_TRACK", due[0], "PT1H", "PT7H"));

        assert_eq!(scan_at(app, "2026-06-08T14:00:00Z").await, told(1, 0, 1));
        assert_eq!(alerts(app, &on_saturday).await, Vec::<[String; 4]>::new());
        // From 15:00 on the second one is warned of, and from 16:00 on the first one is late.
        assert_eq!(scan_at(app, "2026-06-08T16:30:00Z").await, ScanReport { visits: 2, raised: 2, notices: 3, ..ScanReport::default() });
        assert_eq!(alerts(app, &on_saturday).await, [alert("VALIDATING", "WARNING", "RAISED", "2026-06-08T15:00:00Z")]);
        assert_eq!(alerts(app, &on_friday).await[1], alert("VALIDATING", "BREACH", "RAISED", due[0]));
    }

    async fn a_new_date_before_any_alert_moves_the_clock(app) {
        let key = promised(app).await;
        promise(app, &key, "2026-06-16").await;
        let sla = clock(app, &key).await;
        assert_eq!((&sla["deadlineOn"], &sla["dueAt"]), (&json!("2026-06-16"), &json!("2026-06-16T17:00:00Z")));
        let ticket = zulu(app.ticket(&app.cast.qa, &key, "visits { stage originalDueAt }").await);
        let fixing: Vec<_> =
            ticket["visits"].as_array().unwrap().iter().filter(|visit| visit["stage"] == "FIXING").collect();
        assert_eq!(fixing, [&json!({ "stage": "FIXING", "originalDueAt": "2026-06-12T17:00:00Z" })]);
        assert_eq!(scan_at(app, "2026-06-10T13:00:00Z").await, ScanReport::default(), "the old clock's warning");
    }

    async fn a_new_date_after_an_alert_starts_a_fresh_clock(app) {
        let Cast { tech, tech_manager, project_manager, .. } = &app.cast;
        let key = promised(app).await;
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await.sent, 1, "the promise");
        assert_eq!(scan_at(app, "2026-06-12T17:00:00.000001Z").await, told(1, 1, 2));
        app.clock.set(instant("2026-06-15T09:00:00Z"));
        promise(app, &key, "2026-06-16").await;

        assert_eq!(reading(app, &key).await, shows("ON_TRACK", "2026-06-16T17:00:00Z", "PT0S", "PT16H"));
        assert_eq!(clock(app, &key).await["breachedAt"], Value::Null);
        let report = DeliveryReport { sent: 1, cancelled: 2, ..DeliveryReport::default() };
        assert_eq!(app.deliver(&smtp).await, report, "the new date is told, and nobody hears that the old one is over");
        assert_eq!(ledger(app, &key, "DELIVERY_OVERDUE").await, all([tech_manager, project_manager], "CANCELLED"));

        assert_eq!(scan_at(app, "2026-06-16T13:00:00Z").await, told(1, 0, 1));
        assert_eq!(ledger(app, &key, "SLA_WARNING").await, all([tech], "HELD"));
        assert_eq!(scan_at(app, "2026-06-16T17:00:00.000001Z").await, told(1, 0, 2));
        assert_eq!(alerts(app, &key).await, [
            alert("FIXING", "WARNING", "SUPERSEDED", "2026-06-10T13:00:00Z"),
            alert("FIXING", "BREACH", "RAISED", "2026-06-12T17:00:00Z"),
            alert("FIXING", "WARNING", "RAISED", "2026-06-16T13:00:00Z"),
            alert("FIXING", "BREACH", "RAISED", "2026-06-16T17:00:00Z"),
        ]);
    }

    async fn a_changed_policy_moves_running_clocks_and_rewrites_nothing(app) {
        let [left, warned] = [app.file_ticket().await, app.file_ticket().await];
        app.walk_to(&left, "REPLICATING").await;
        assert_eq!(scan_at(app, "2026-06-01T15:00:00Z").await, told(1, 0, 1));
        let policy = json!({ "stage": "VALIDATING", "budget": "P2D" });
        app.mutate(&app.cast.administrator, "updateSlaPolicy", policy, "slaPolicy { version }").await;

        assert_eq!(reading(app, &warned).await, shows("ON_TRACK", "2026-06-02T17:00:00Z", "PT6H", "PT10H"));
        let ticket = app.ticket(&app.cast.qa, &left, "visits { stage sla { budget dueAt } }").await;
        assert_eq!(zulu(ticket["visits"][0].clone()), json!({
            "stage": "VALIDATING", "sla": { "budget": "P1D", "dueAt": "2026-06-01T17:00:00Z" },
        }));
        assert_eq!(scan_at(app, "2026-06-01T17:00:00.000001Z").await, ScanReport::default(), "the old due time");
        // Of this stay people were warned already; the other ticket's own warning comes at the same time.
        assert_eq!(scan_at(app, "2026-06-02T13:00:00Z").await, told(1, 0, 1));
        assert_eq!(alerts(app, &left).await, [alert("REPLICATING", "WARNING", "RAISED", "2026-06-02T13:00:00Z")]);
        assert_eq!(scan_at(app, "2026-06-02T17:00:00.000001Z").await.raised, 2);
        assert_eq!(alerts(app, &warned).await, [
            alert("VALIDATING", "WARNING", "RAISED", "2026-06-01T15:00:00Z"),
            alert("VALIDATING", "BREACH", "RAISED", "2026-06-02T17:00:00Z"),
        ]);
    }

    async fn a_stage_without_a_budget_has_no_clock(app) {
        let policy = json!({ "stage": "VALIDATING", "budget": null });
        app.mutate(&app.cast.administrator, "updateSlaPolicy", policy, "slaPolicy { version }").await;
        let key = app.file_ticket().await;
        assert_eq!(scan_at(app, "2026-09-01T12:00:00Z").await, ScanReport::default());
        let sla = clock(app, &key).await;
        assert_eq!((&sla["status"], &sla["dueAt"], &sla["remaining"]), (&json!("NONE"), &Value::Null, &Value::Null));
    }

    async fn a_scan_costs_what_is_due_and_not_what_is_open(app) {
        let first = app.file_ticket().await;
        let (report, idle) = app.statements(app.service.sla_scan()).await;
        assert_eq!(report.unwrap(), ScanReport::default());
        assert!(idle <= 2, "{idle} statements to find nothing");
        let (report, alone) = app.statements(scan_at(app, "2026-06-01T15:00:00Z")).await;
        assert_eq!(report.raised, 1);

        // The clock goes back, so that the others are filed at the end of a day on which none of them can be due.
        app.clock.set(instant("2026-06-01T16:59:00Z"));
        for _ in 0..MANY {
            app.file_ticket().await;
        }
        let (report, idle_among_many) = app.statements(app.service.sla_scan()).await;
        assert_eq!(report.unwrap(), ScanReport::default());
        assert_eq!(idle_among_many, idle);
        let (report, among_many) = app.statements(scan_at(app, "2026-06-01T17:00:00.000001Z")).await;
        assert_eq!(report.raised, 1);
        assert_eq!(among_many, alone);
        assert_eq!(alerts(app, &first).await.len(), 2);

        app.clock.set(instant("2026-06-02T15:00:00Z"));
        let (report, all_due) = app.statements(app.service.sla_scan()).await;
        assert_eq!(report.unwrap().raised, MANY);
        assert!(all_due <= alone + MANY, "{all_due} statements for {MANY} alerts");
    }
}
