//! Public holidays from an iCalendar file.

use serde_json::{Value, json};

use crate::support::{TestApp, checks::pairs, each_database};

const SELECT: &str = "calendar { version holidays { on name from to } } added { on name from to } known { on name } \
                      skipped { name on reason }";

/// A file of events, each by its lines.
fn ics(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\n")).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Holidays//EN\r\n{events}END:VCALENDAR\r\n")
}

/// The second of June of every year, an afternoon, and one long ago.
fn summer() -> String {
    ics(&[
        "DTSTART;VALUE=DATE:20200602\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Festa della Repubblica",
        "DTSTART:20260601T120000\r\nDTEND:20260601T170000\r\nSUMMARY:Afternoon off",
        "DTSTART;VALUE=DATE:20200101\r\nSUMMARY:Long ago",
    ])
}

async fn calendar(app: &TestApp) -> Value {
    let query = "{ calendars { id name version holidays { on } versions { version } } auditLog(first: 50) { nodes { action } } }";
    let answer = app.ask(&app.cast.administrator, query, json!({})).await;
    let mut calendar =
        answer["calendars"].as_array().unwrap().iter().find(|row| row["name"] == "default").unwrap().clone();
    let entries = answer["auditLog"]["nodes"].as_array().unwrap();
    calendar["updates"] = json!(entries.iter().filter(|entry| entry["action"] == "CALENDAR_UPDATE").count());
    calendar
}

/// Imports as the administrator, with these further members of the input; the whole payload.
async fn import(app: &TestApp, ics: &str, further: Value) -> Value {
    let mut input = json!({ "calendarId": calendar(app).await["id"], "ics": ics });
    input.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let mutation = format!(
        "mutation($input: ImportHolidaysInput!) {{ importHolidays(input: $input) {{ {SELECT} userErrors {{ code field message }} }} }}"
    );
    app.ask(&app.cast.administrator, &mutation, json!({ "input": input })).await["importHolidays"].clone()
}

async fn due_at(app: &TestApp, key: &str) -> Value {
    app.ticket(&app.cast.qa, key, "sla { dueAt }").await["sla"]["dueAt"].clone()
}

each_database! {
    async fn imported_holidays_move_running_clocks_and_make_one_version(app) {
        let key = app.file_ticket().await;
        let imported = import(app, &summer(), json!({})).await;
        assert_eq!(imported["userErrors"], json!([]));
        assert_eq!(imported["added"], json!([
            { "on": "2026-06-01", "name": "Afternoon off", "from": "12:00", "to": "17:00" },
            { "on": "2026-06-02", "name": "Festa della Repubblica", "from": null, "to": null },
            { "on": "2027-06-02", "name": "Festa della Repubblica", "from": null, "to": null },
            { "on": "2028-06-02", "name": "Festa della Repubblica", "from": null, "to": null },
        ]));
        assert_eq!(imported["calendar"], json!({ "version": 2, "holidays": imported["added"] }));
        assert_eq!(imported["skipped"], json!([{ "name": "Long ago", "on": "2020-01-01", "reason": "OUTSIDE_YEARS" }]));
        assert_eq!(due_at(app, &key).await, "2026-06-03T14:00:00+00:00", "3 hours on Monday, 5 on Wednesday");
        assert_eq!(calendar(app).await["updates"], 1);
    }

    async fn a_second_import_adds_nothing_and_makes_no_version(app) {
        import(app, &summer(), json!({})).await;
        let before = calendar(app).await;
        let again = import(app, &summer(), json!({ "expectedVersion": 2 })).await;
        assert_eq!(again["userErrors"], json!([]));
        assert_eq!((&again["added"], &again["calendar"]["version"]), (&json!([]), &json!(2)));
        assert_eq!(again["known"].as_array().unwrap().len(), 4);
        assert_eq!(calendar(app).await, before);
        let later = import(app, &summer(), json!({ "fromYear": 2028, "toYear": 2029 })).await;
        assert_eq!(later["added"][0]["on"], "2029-06-02");
        assert_eq!((&later["known"][0]["on"], &later["calendar"]["version"]), (&json!("2028-06-02"), &json!(3)));
    }

    async fn a_dry_run_tells_the_same_and_leaves_nothing(app) {
        let key = app.file_ticket().await;
        let before = calendar(app).await;
        let dry = import(app, &summer(), json!({ "dryRun": true })).await;
        assert_eq!(calendar(app).await, before);
        assert_eq!(due_at(app, &key).await, "2026-06-01T17:00:00+00:00");
        let done = import(app, &summer(), json!({})).await;
        assert_eq!((&dry["added"], &dry["skipped"]), (&done["added"], &done["skipped"]));
    }

    async fn holidays_can_hold_since_an_instant_that_is_over(app) {
        let key = app.file_ticket().await;
        app.advance(chrono::TimeDelta::hours(6));
        assert_eq!(app.ticket(&app.cast.qa, &key, "sla { elapsed }").await["sla"]["elapsed"], "PT6H");
        import(app, &summer(), json!({ "effectiveAt": "2026-06-01T09:00:00Z" })).await;
        assert_eq!(app.ticket(&app.cast.qa, &key, "sla { elapsed }").await["sla"]["elapsed"], "PT3H");
    }

    async fn refusals_leave_nothing(app) {
        import(app, &summer(), json!({})).await;
        let before = calendar(app).await;
        let bad = ics(&[
            "DTSTART:soon\r\nSUMMARY:First",
            "DTSTART;VALUE=DATE:20260701\r\nSUMMARY:Good",
            "DTSTART;TZID=Nowhere:20260701T120000\r\nDURATION:PT1H\r\nSUMMARY:Second",
        ]);
        let crowded: Vec<String> = (0..1001).map(|minute| {
            let (hour, minute) = (minute / 60, minute % 60);
            format!("DTSTART:20260801T{hour:02}{minute:02}00\r\nDURATION:PT1M\r\nSUMMARY:One of many")
        }).collect();
        let crowded = ics(&crowded.iter().map(String::as_str).collect::<Vec<_>>());
        let closed = ics(&["DTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20290101\r\nSUMMARY:For ever"]);
        let table = [
            ("no file".to_owned(), json!({}), vec![("INVALID", "ics")]),
            (bad, json!({}), vec![("INVALID", "ics"), ("INVALID", "ics")]),
            (crowded, json!({}), vec![("INVALID", "definition")]),
            (closed, json!({}), vec![("INVALID", "definition")]),
            (summer(), json!({ "fromYear": 2027, "toYear": 2026 }), vec![("INVALID", "fromYear")]),
            (summer(), json!({ "expectedVersion": 1 }), vec![("STALE_VERSION", "expectedVersion")]),
        ];
        for (file, further, expected) in table {
            for dry_run in [false, true] {
                let mut further = further.clone();
                further["dryRun"] = json!(dry_run);
                let refused = import(app, &file, further.clone()).await;
                assert_eq!(refused["calendar"], Value::Null, "{further}");
                let given: Vec<_> = refused["userErrors"].as_array().unwrap().iter()
                    .map(|error| (error["code"].as_str().unwrap(), error["field"].as_str().unwrap())).collect();
                assert_eq!(given, expected, "{refused}");
            }
        }
        assert_eq!(calendar(app).await, before);
    }

    async fn only_administrators_import_holidays(app) {
        let cast = &app.cast;
        let input = json!({ "calendarId": calendar(app).await["id"], "ics": summer(), "dryRun": true });
        for member in [&cast.operations, &cast.project_manager, &cast.tech_manager, &cast.client] {
            let refused = app.refusal_of(member, "importHolidays", "calendar", input.clone()).await;
            assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]), "{}", member.name);
        }
    }

    async fn a_calendar_that_is_not_there_is_not_found(app) {
        let token = Some(app.cast.administrator.token.as_str());
        for id in ["calendar_00000000000000000000000000000001", "nonsense"] {
            let input = json!({ "calendarId": id, "ics": summer() });
            assert_eq!(app.mutation_error(token, "importHolidays", input).await, "NOT_FOUND", "{id}");
        }
    }
}
