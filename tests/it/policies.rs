//! SLA policies and calendars: what a change does to clocks that run, and to those that have stopped.

use serde_json::{Value, json};

use crate::support::{
    TestApp,
    checks::{each, pairs},
    each_database,
};

const CLOCK: &str = "sla { dueAt budget status } visits { stage originalDueAt sla { dueAt status budget } } history { kind toStage actorKind }";

async fn set_budget(app: &TestApp, stage: &str, budget: Value) -> Value {
    let input = json!({ "stage": stage, "budget": budget });
    app.make(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", input, "stage budget version calendar { name }")
        .await
}

async fn calendar_id(app: &TestApp, name: &str) -> Value {
    let answer = app.ask(&app.cast.administrator, "{ calendars { id name } }", json!({})).await;
    answer["calendars"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()["id"].clone()
}

fn office_hours(holidays: Value) -> Value {
    let week: Vec<Value> = ["MON", "TUE", "WED", "THU", "FRI"]
        .iter()
        .map(|day| json!({ "day": day, "from": "09:00", "to": "17:00" }))
        .collect();
    json!({ "timeZone": "UTC", "hoursPerDay": 8, "week": week, "holidays": holidays })
}

each_database! {
    async fn a_shorter_budget_moves_running_clocks_and_leaves_the_first_due_time(app) {
        let key = app.file_ticket().await;
        let policy = set_budget(app, "VALIDATING", json!("PT4H")).await;
        assert_eq!(policy, json!({ "stage": "VALIDATING", "budget": "PT4H", "version": 2, "calendar": { "name": "default" } }));
        let ticket = app.ticket(&app.cast.qa, &key, CLOCK).await;
        assert_eq!(ticket["sla"], json!({ "dueAt": "2026-06-01T13:00:00+00:00", "budget": "PT4H", "status": "ON_TRACK" }));
        assert_eq!(ticket["visits"][0]["originalDueAt"], "2026-06-01T17:00:00+00:00");
        assert_eq!(ticket["history"][1], json!({ "kind": "CLOCK_RECOMPUTED", "toStage": "VALIDATING", "actorKind": "PERSON" }));
        let next = app.file_ticket().await;
        let ticket = app.ticket(&app.cast.qa, &next, CLOCK).await;
        assert_eq!(ticket["visits"][0]["originalDueAt"], "2026-06-01T13:00:00+00:00");
    }

    async fn finished_visits_and_other_stages_are_left_alone(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "REPLICATING").await;
        let before = app.ticket(&app.cast.qa, &key, CLOCK).await;
        set_budget(app, "VALIDATING", json!("PT1S")).await;
        app.advance(chrono::TimeDelta::hours(1));
        assert_eq!(app.ticket(&app.cast.qa, &key, CLOCK).await, before);
    }

    async fn a_budget_that_changes_no_due_time_recomputes_no_clock(app) {
        let key = app.file_ticket().await;
        set_budget(app, "VALIDATING", json!("PT8H")).await;
        let ticket = app.ticket(&app.cast.qa, &key, CLOCK).await;
        assert_eq!(each(&ticket["history"], "kind"), ["TICKET_CREATED", "POLICY_FOLLOWED"]);
    }

    async fn a_breach_stays_a_breach_under_a_longer_budget(app) {
        let key = app.file_ticket().await;
        set_budget(app, "VALIDATING", json!("PT1H")).await;
        app.advance(chrono::TimeDelta::hours(2));
        assert_eq!(app.ticket(&app.cast.qa, &key, CLOCK).await["sla"]["status"], "BREACHED");
        set_budget(app, "VALIDATING", json!("P2D")).await;
        let ticket = app.ticket(&app.cast.qa, &key, "sla { status breachedAt dueAt }").await;
        assert_eq!(ticket["sla"]["status"], "BREACHED", "{ticket}");
        assert_eq!(ticket["sla"]["breachedAt"], "2026-06-01T10:00:00+00:00");
    }

    async fn a_stage_can_have_no_budget(app) {
        let key = app.file_ticket().await;
        set_budget(app, "VALIDATING", Value::Null).await;
        let ticket = app.ticket(&app.cast.qa, &key, "sla { dueAt budget status warnsAt remaining }").await;
        assert_eq!(ticket["sla"], json!({ "dueAt": null, "budget": null, "status": "NONE", "warnsAt": null, "remaining": null }));
        set_budget(app, "VALIDATING", json!("PT2H")).await;
        assert_eq!(app.ticket(&app.cast.qa, &key, CLOCK).await["sla"]["dueAt"], "2026-06-01T11:00:00+00:00");
    }

    async fn a_policy_can_name_the_round_the_clock_calendar(app) {
        let key = app.file_ticket().await;
        let input = json!({ "stage": "VALIDATING", "budget": "PT2S", "calendarId": calendar_id(app, "24x7").await });
        app.make(&app.cast.administrator, "updateSlaPolicy", "slaPolicy", input, "id").await;
        assert_eq!(app.ticket(&app.cast.qa, &key, CLOCK).await["sla"]["dueAt"], "2026-06-01T09:00:02+00:00");
    }

    async fn budgets_that_are_none_are_refused(app) {
        let admin = &app.cast.administrator;
        for budget in ["P0D", "PT0S", "", "P", "PT", "1 day", "P1W", "P1M", "P1Y", "-P1D", "PT1.5H", "pt4h", "P1DT", "P99999D", "PT99999999999H", " P1D"] {
            let input = json!({ "stage": "VALIDATING", "budget": budget });
            let refused = app.refusal_of(admin, "updateSlaPolicy", "slaPolicy", input).await;
            assert_eq!(refused, pairs(&[("INVALID", "budget")]), "{budget:?}");
        }
        let fixing = json!({ "stage": "FIXING", "budget": "P1D" });
        assert_eq!(app.refusal_of(admin, "updateSlaPolicy", "slaPolicy", fixing).await, pairs(&[("INVALID", "budget")]));
        for stage in ["CLOSED_RESOLVED", "CLOSED_UNRESOLVED", "TRANSFERRED"] {
            let input = json!({ "stage": stage, "budget": "P1D" });
            let refused = app.refusal_of(admin, "updateSlaPolicy", "slaPolicy", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", "stage")]));
        }
        for calendar in ["calendar_00000000000000000000000000000001", "nonsense"] {
            let input = json!({ "stage": "VALIDATING", "calendarId": calendar });
            let refused = app.refusal_of(admin, "updateSlaPolicy", "slaPolicy", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", "calendarId")]));
        }
        let answer = app.ask(admin, "{ slaPolicies { stage budget version } }", json!({})).await;
        assert_eq!(answer["slaPolicies"], json!([
            { "stage": "VALIDATING", "budget": "P1D", "version": 1 }, { "stage": "REPLICATING", "budget": "P2D", "version": 1 },
            { "stage": "ESTIMATING", "budget": "P1D", "version": 1 }, { "stage": "FIXING", "budget": null, "version": 1 },
            { "stage": "VERIFYING", "budget": "P1D", "version": 1 },
        ]));
    }

    async fn a_holiday_moves_the_clocks_of_its_calendar(app) {
        let [validating, fixing] = [app.file_ticket().await, app.file_ticket().await];
        app.walk_to(&fixing, "FIXING").await;
        let holidays = json!([
            { "on": "2026-06-01", "name": "Afternoon off", "from": "12:00", "to": "17:00" },
            { "on": "2026-06-02", "name": "Founders' Day" },
        ]);
        let id = calendar_id(app, "default").await;
        let input = json!({ "calendarId": id, "definition": office_hours(holidays), "expectedVersion": 1 });
        let select = "version name holidays { on name from to } week { day } hoursPerDay timeZone";
        let calendar = app.make(&app.cast.administrator, "updateCalendar", "calendar", input, select).await;
        assert_eq!(calendar["version"], 2);
        assert_eq!(calendar["holidays"][1], json!({ "on": "2026-06-02", "name": "Founders' Day", "from": null, "to": null }));
        let ticket = app.ticket(&app.cast.qa, &validating, CLOCK).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-03T14:00:00+00:00", "3 hours on Monday, 5 on Wednesday");
        assert_eq!(each(&ticket["history"], "kind"), ["TICKET_CREATED", "CLOCK_RECOMPUTED"]);
        let ticket = app.ticket(&app.cast.qa, &fixing, CLOCK).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-12T17:00:00+00:00", "the promised day is the same");
        assert!(!each(&ticket["history"], "kind").contains(&&json!("CLOCK_RECOMPUTED")));
    }

    async fn a_shorter_working_day_ends_fixing_earlier(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        let holidays = json!([{ "on": "2026-06-12", "name": "Half a day", "from": "13:00", "to": "24:00" }]);
        let input = json!({ "calendarId": calendar_id(app, "default").await, "definition": office_hours(holidays) });
        app.make(&app.cast.administrator, "updateCalendar", "calendar", input, "id").await;
        let ticket = app.ticket(&app.cast.qa, &key, CLOCK).await;
        assert_eq!(ticket["sla"]["dueAt"], "2026-06-12T13:00:00+00:00");
        assert_eq!(ticket["visits"][3]["originalDueAt"], "2026-06-12T17:00:00+00:00");
    }

    async fn a_calendar_is_made_named_once_and_used(app) {
        let admin = &app.cast.administrator;
        let mut definition = office_hours(json!([]));
        definition["timeZone"] = json!("Europe/Berlin");
        definition["extraHours"] = json!([{ "on": "2026-06-06", "name": "Stocktaking", "from": "10:00", "to": "24:00" }]);
        let input = json!({ "name": "Berlin", "definition": definition });
        let select = "id name version timeZone extraHours { on from to name }";
        let made = app.make(admin, "createCalendar", "calendar", input.clone(), select).await;
        assert_eq!(made["extraHours"], json!([{ "on": "2026-06-06", "from": "10:00", "to": "24:00", "name": "Stocktaking" }]));
        assert_eq!((&made["timeZone"], &made["version"]), (&json!("Europe/Berlin"), &json!(1)));
        let refused = app.refusal_of(admin, "createCalendar", "calendar", input).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "name")]));
        let rename = json!({ "calendarId": made["id"], "name": "default" });
        let refused = app.refusal_of(admin, "updateCalendar", "calendar", rename).await;
        assert_eq!(refused, pairs(&[("ALREADY_EXISTS", "name")]));
        let key = app.file_ticket().await;
        let policy = json!({ "stage": "VALIDATING", "calendarId": made["id"], "expectedVersion": 1 });
        app.make(admin, "updateSlaPolicy", "slaPolicy", policy, "id").await;
        let ticket = app.ticket(&app.cast.qa, &key, "sla { dueAt timeZone }").await;
        assert_eq!(ticket["sla"], json!({ "dueAt": "2026-06-02T09:00:00+00:00", "timeZone": "Europe/Berlin" }));
    }

    async fn calendars_that_no_clock_can_run_on_are_refused(app) {
        let admin = &app.cast.administrator;
        let with = |field: &str, value: Value| {
            let mut definition = office_hours(json!([]));
            definition[field] = value;
            definition
        };
        let table = [
            (with("timeZone", json!("Mars/Base")), "INVALID", "definition.timeZone"),
            (with("hoursPerDay", json!(0)), "INVALID", "definition.hoursPerDay"),
            (with("hoursPerDay", json!(24.1)), "INVALID", "definition.hoursPerDay"),
            (with("hoursPerDay", json!(-8)), "INVALID", "definition.hoursPerDay"),
            (with("week", json!([])), "INVALID", "definition"),
            (with("week", json!([{ "day": "MON", "from": "9", "to": "17:00" }])), "INVALID", "definition.week"),
            (with("week", json!([{ "day": "MON", "from": "17:00", "to": "09:00" }])), "INVALID", "definition"),
            (with("week", json!([{ "day": "MON", "from": "09:00", "to": "09:00" }])), "INVALID", "definition"),
            (with("holidays", json!([{ "on": "2026-06-02", "name": "Half", "from": "09:00" }])), "INVALID", "definition.holidays"),
            (with("holidays", json!([{ "on": "2026-06-02", "name": " " }])), "BLANK", "definition.holidays"),
            (with("holidays", json!([{ "on": "2026-06-02", "name": "a\u{0}b" }])), "INVALID", "definition.holidays"),
            (with("holidays", json!([{ "on": "2026-06-02", "name": "x".repeat(201) }])), "TOO_LONG", "definition.holidays"),
            (with("extraHours", json!([{ "on": "2026-06-06", "name": "", "from": "10:00", "to": "12:00" }])), "BLANK", "definition.extraHours"),
            (with("extraHours", json!([{ "on": "2026-06-06", "name": "Late", "from": "10:00", "to": "25:00" }])), "INVALID", "definition.extraHours"),
        ];
        let id = calendar_id(app, "default").await;
        for (definition, code, field) in table {
            let create = json!({ "name": "New", "definition": definition });
            let refused = app.refusal_of(admin, "createCalendar", "calendar", create).await;
            assert_eq!(refused, pairs(&[(code, field)]), "{definition}");
            let update = json!({ "calendarId": id, "definition": definition });
            let refused = app.refusal_of(admin, "updateCalendar", "calendar", update).await;
            assert_eq!(refused, pairs(&[(code, field)]), "{definition}");
        }
        for (name, code) in [(" ", "BLANK"), ("a\nb", "INVALID"), (&"x".repeat(101)[..], "TOO_LONG")] {
            let create = json!({ "name": name, "definition": office_hours(json!([])) });
            let refused = app.refusal_of(admin, "createCalendar", "calendar", create).await;
            assert_eq!(refused, pairs(&[(code, "name")]));
        }
        let answer = app.ask(admin, "{ calendars { name version } }", json!({})).await;
        assert_eq!(answer["calendars"], json!([{ "name": "24x7", "version": 1 }, { "name": "default", "version": 1 }]));
    }

    async fn stale_versions_are_refused(app) {
        let admin = &app.cast.administrator;
        set_budget(app, "VALIDATING", json!("PT4H")).await;
        let input = json!({ "stage": "VALIDATING", "budget": "PT5H", "expectedVersion": 1 });
        let refused = app.refusal_of(admin, "updateSlaPolicy", "slaPolicy", input).await;
        assert_eq!(refused, pairs(&[("STALE_VERSION", "expectedVersion")]));
        let input = json!({ "calendarId": calendar_id(app, "default").await, "name": "Office", "expectedVersion": 2 });
        let refused = app.refusal_of(admin, "updateCalendar", "calendar", input).await;
        assert_eq!(refused, pairs(&[("STALE_VERSION", "expectedVersion")]));
    }

    async fn only_administrators_edit_policies_and_calendars(app) {
        let cast = &app.cast;
        let id = calendar_id(app, "default").await;
        for member in [&cast.operations, &cast.project_manager, &cast.tech_manager, &cast.client] {
            for (mutation, object, input) in [
                ("updateSlaPolicy", "slaPolicy", json!({ "stage": "VALIDATING", "budget": "PT1S" })),
                ("createCalendar", "calendar", json!({ "name": "New", "definition": office_hours(json!([])) })),
                ("updateCalendar", "calendar", json!({ "calendarId": id, "name": "Office" })),
            ] {
                let refused = app.refusal_of(member, mutation, object, input).await;
                assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]), "{} {mutation}", member.name);
            }
        }
    }
}
