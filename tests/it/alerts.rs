//! Alerts as people get them, scenario by scenario: which level was reached when, and what was sent to whom when, or not sent and why.
//!
//! Each scenario begins on Monday 1 June 2026 at 09:00 UTC, on the default calendar: Monday to Friday, 09:00–17:00 UTC. The scan and the
//! delivery run every 15 s; the tables are in `snapshots/`, the same for both databases.

use std::{collections::HashMap, fmt::Write as _};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    clock_pause,
    id::{NoticeId, TicketId},
    notice, person, sla_alert, stage_visit, ticket,
    vocab::{NoticeState, Team},
};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::support::{
    Cast, TestApp, each_database, replicating_facts,
    sla::{alerts, clock, instant},
    smtp::SmtpSink,
    staff,
};

/// How often the scan and the delivery look.
const TICK: TimeDelta = TimeDelta::seconds(15);

/// The jobs of a server, run whenever one of them has something to do.
struct Jobs<'a> {
    app: &'a TestApp,
    smtp: SmtpSink,
}

impl<'a> Jobs<'a> {
    async fn of(app: &'a TestApp) -> Self {
        Self { app, smtp: SmtpSink::start().await }
    }

    /// Lets time pass until an instant.
    async fn until(&self, until: &str) {
        let until = instant(until);
        loop {
            let now = self.app.clock.now();
            self.run().await;
            let Some(next) = self.next_turn(now).await.filter(|next| *next < until) else { break };
            self.app.clock.set(next);
        }
        self.app.clock.set(until);
        self.run().await;
    }

    async fn run(&self) {
        let service = &self.app.service;
        service.follow_all_changes().await.unwrap();
        service.wake_clocks().await.unwrap();
        service.sla_scan().await.unwrap();
        self.app.deliver(&self.smtp).await;
    }

    /// The first tick after `now` at which something is to be done.
    async fn next_turn(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let db = &self.app.db;
        let visits = stage_visit::Entity::find().all(db).await.unwrap();
        let pauses = clock_pause::Entity::find().all(db).await.unwrap();
        let notices = notice::Entity::find().all(db).await.unwrap();
        let waiting = notices.iter().filter(|row| matches!(row.state, NoticeState::Held | NoticeState::Queued));
        let turns = visits
            .iter()
            .filter_map(|visit| visit.next_alert_at)
            .chain(pauses.iter().filter(|pause| pause.ended_at.is_none()).filter_map(|pause| pause.resume_at))
            .chain(waiting.map(|row| row.next_attempt_at));
        let tick_after = |at: DateTime<Utc>| {
            let past = TimeDelta::microseconds(at.timestamp_micros().rem_euclid(TICK.num_microseconds().unwrap()));
            if past.is_zero() { at } else { at - past + TICK }
        };
        turns
            .map(tick_after)
            .map(|turn| if turn > now { turn } else { tick_after(now + TimeDelta::microseconds(1)) })
            .min()
    }

    /// What was found, and what became of it: rows of a table.
    async fn table(&self) -> String {
        let db = &self.app.db;
        let tickets = ticket::Entity::find().all(db).await.unwrap();
        let keys: HashMap<TicketId, String> =
            tickets.iter().map(|row| (row.id, format!("L2-{}", row.number))).collect();
        let people = person::Entity::find().all(db).await.unwrap();
        let names: HashMap<_, _> = people.iter().map(|row| (row.id, row.name.as_str())).collect();
        let at = |at: DateTime<Utc>| at.format("%d %a %H:%M:%S").to_string();
        let alerts = sla_alert::Entity::find().order_by_asc(sla_alert::Column::Id).all(db).await.unwrap();
        let mut rows: Vec<_> = alerts
            .iter()
            .map(|alert| {
                format!(
                    "{} | {} | {} | {} | {} | {} | {}",
                    at(alert.reached_at),
                    keys[&alert.ticket_id],
                    alert.level,
                    at(alert.detected_at),
                    alert.cause.unwrap(),
                    alert.outcome,
                    alert.detail.as_deref().unwrap_or("–")
                )
            })
            .collect();
        rows.sort();
        let mut table = "reached | ticket | level | found | cause | outcome | why\n".to_owned();
        rows.iter().for_each(|row| writeln!(table, "{row}").unwrap());

        let notices = notice::Entity::find().order_by_asc(notice::Column::Id).all(db).await.unwrap();
        let digests: HashMap<NoticeId, &notice::Model> = notices.iter().map(|row| (row.id, row)).collect();
        let mut rows: Vec<_> = notices
            .iter()
            .filter(|row| row.person_id.is_some())
            .map(|row| {
                let digest = row.digest_id.map(|id| at(digests[&id].sent_at.unwrap()));
                format!(
                    "{} | {} | {} | {} | {} | {} | {}",
                    at(row.created_at),
                    row.ticket_id.map_or("–", |id| keys[&id].as_str()),
                    row.kind,
                    names[&row.person_id.unwrap()],
                    row.state,
                    row.sent_at.map(at).or(digest).unwrap_or_else(|| "–".to_owned()),
                    row.detail.as_deref().unwrap_or("–")
                )
            })
            .collect();
        rows.sort();
        table.push_str("\nwritten | ticket | mail | to | state | sent | why\n");
        rows.iter().for_each(|row| writeln!(table, "{row}").unwrap());
        table
    }

    /// The text of the digest that somebody got.
    fn digest(&self, email: &str) -> String {
        let mails = self.smtp.log().received;
        let digests: Vec<_> = mails
            .iter()
            .filter(|mail| mail.to == [email.to_owned()])
            .map(crate::support::smtp::Received::parsed)
            .filter(|mail| mail.header("Subject").is_some_and(|subject| subject.starts_with("[Secondline] ")))
            .collect();
        assert_eq!(digests.len(), 1, "one digest, and no more");
        digests[0].text.replace("\r\n", "\n")
    }
}

/// Lets staff leave or come back, the last administrator too, which no use case allows.
async fn set_active(app: &TestApp, names: &[&str], is_active: bool) {
    person::Entity::update_many()
        .col_expr(person::Column::Active, sea_orm::sea_query::Expr::val(is_active))
        .filter(person::COLUMN.name.is_in(names.iter().copied()))
        .exec(&app.db)
        .await
        .unwrap();
}

/// Compares with the table, or the mail, of a scenario.
fn shown(scenario: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("alerts_{scenario}"), text);
    });
}

async fn policy(app: &TestApp, stage: &str, terms: Value) {
    let mut input = terms;
    input["stage"] = json!(stage);
    let changed = app.mutate(&app.cast.administrator, "updateSlaPolicy", input, "slaPolicy { version }").await;
    assert_eq!(changed["userErrors"], json!([]), "{changed:#}");
}

async fn calendar(app: &TestApp, name: &str) -> Value {
    let found = app.ask(&app.cast.administrator, "{ calendars { id name } }", json!({})).await;
    let calendars = found["calendars"].as_array().unwrap();
    calendars.iter().find(|calendar| calendar["name"] == name).unwrap()["id"].clone()
}

/// A ticket in Verifying with a priority; it is due on Tuesday at 17:00.
async fn verifying(app: &TestApp, priority: &str) -> String {
    let key = app.file_ticket().await;
    app.walk_to(&key, "FIXING").await;
    let facts = json!({ "ticketId": key, "facts": { "priority": priority } });
    app.change(&app.cast.project_manager, "updateTicket", facts).await;
    let facts = json!({ "pullRequest": "https://git.example.com/shop/pull/7" });
    app.change(&app.cast.tech, "moveTicket", json!({ "ticketId": key, "to": "VERIFYING", "facts": facts })).await;
    key
}

each_database! {
    async fn downtime_over_two_levels(app) {
        let jobs = Jobs::of(app).await;
        app.file_ticket().await;
        app.clock.set(instant("2026-06-03T10:00:00Z"));
        jobs.until("2026-06-03T12:00:00Z").await;
        shown("downtime_over_two_levels", &jobs.table().await);
    }

    async fn a_storm_after_downtime_is_one_digest_that_names_the_cause(app) {
        let jobs = Jobs::of(app).await;
        for _ in 0..6 {
            app.file_ticket().await;
        }
        app.clock.set(instant("2026-06-02T10:00:00Z"));
        jobs.until("2026-06-02T12:00:00Z").await;
        shown("storm_after_downtime", &jobs.table().await);
        shown("digest_after_downtime", &jobs.digest(&app.cast.operations_manager.email));
    }

    async fn a_storm_after_a_policy_change_is_one_digest_that_names_the_cause(app) {
        let jobs = Jobs::of(app).await;
        for _ in 0..8 {
            app.file_ticket().await;
        }
        jobs.until("2026-06-01T12:00:00Z").await;
        policy(app, "VALIDATING", json!({ "budget": "PT1H" })).await;
        jobs.until("2026-06-01T13:00:00Z").await;
        shown("storm_after_a_policy_change", &jobs.table().await);
        shown("digest_after_a_policy_change", &jobs.digest(&app.cast.operations.email));
    }

    async fn an_acknowledgement_hides_no_later_level(app) {
        let Cast { operations, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        jobs.until("2026-06-01T15:30:00Z").await;
        let alert = app.ticket(operations, &key, "alerts { id }").await["alerts"][0]["id"].clone();
        let input = json!({ "alertId": alert, "note": "I see to it" });
        app.mutate(operations, "acknowledgeAlert", input, "alert { id }").await;
        jobs.until("2026-06-05T12:00:00Z").await;
        shown("acknowledgement", &jobs.table().await);
        let select = "history { kind } alerts { level cause acknowledgedAt acknowledgement \
            acknowledgedBy { name } detail notices { state person { name } } }";
        let ticket = app.ticket(operations, &key, select).await;
        assert_eq!(ticket["alerts"][0], json!({
            "level": "WARNING", "cause": "CLOCK", "acknowledgedAt": "2026-06-01T15:30:00+00:00",
            "acknowledgement": "I see to it", "acknowledgedBy": { "name": operations.name }, "detail": null,
            "notices": [{ "state": "SENT", "person": { "name": operations.name } }],
        }));
        let later = ticket["alerts"].as_array().unwrap()[1..].iter();
        let levels: Vec<_> = later.map(|alert| (alert["level"].as_str().unwrap(), alert["detail"].as_str().unwrap())).collect();
        let detail = format!("{} had acknowledged Warning", operations.name);
        let detail = detail.as_str();
        assert_eq!(levels, [("BREACH", detail), ("ESCALATION_TWO", detail), ("ESCALATION_THREE", detail)]);
        let nodes = ticket["history"].as_array().unwrap();
        assert_eq!(nodes.iter().filter(|event| event["kind"] == "SLA_ALERT_RAISED").count(), 4);
        let mails = jobs.smtp.log().received;
        let taken = format!("Acknowledged: {} acknowledged “Warning” on Monday, 1 June 2026", operations.name);
        let told = mails.iter().map(crate::support::smtp::Received::parsed).filter(|mail| mail.text.contains(&taken));
        assert_eq!(told.count(), 6, "whoever hears of a later level hears who took the earlier one");
    }

    async fn an_acknowledgement_at_night_keeps_no_breach_from_its_managers(app) {
        let Cast { operations, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        jobs.until("2026-06-01T19:00:00Z").await;
        let alert = app.ticket(operations, &key, "alerts { id }").await["alerts"][1]["id"].clone();
        let input = json!({ "alertId": alert, "note": "On call: it is a known outage" });
        app.mutate(operations, "acknowledgeAlert", input, "alert { id }").await;
        jobs.until("2026-06-05T12:00:00Z").await;
        shown("acknowledgement_at_night", &jobs.table().await);
    }

    async fn a_snooze_hides_no_breach(app) {
        let Cast { operations, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        jobs.until("2026-06-01T15:30:00Z").await;
        let alert = app.ticket(operations, &key, "alerts { id }").await["alerts"][0]["id"].clone();
        let snooze = json!({ "alertId": alert, "until": "2026-06-04T10:00:00Z", "reason": "The vendor has it until then" });
        app.make(operations, "snoozeAlerts", "alert", snooze, "id").await;
        jobs.until("2026-06-05T12:00:00Z").await;
        shown("snoozed_breach", &jobs.table().await);
        let report = app.service.verify_clocks(&secondline::domain::actor::Actor::System, None).await.unwrap();
        assert_eq!(report.drifts, []);
    }

    async fn an_alert_of_absent_people_reaches_those_in_their_place(app) {
        let Cast { administrator, operations, operations_manager, .. } = &app.cast;
        let absent = staff(&app.service, "Lara Left", &[Team::Tech], &[], false).await;
        let alerts = |people: Value| json!([
            { "level": "WARNING", "percentUsed": 75, "assignee": true },
            { "level": "BREACH", "people": people },
        ]);
        policy(app, "VALIDATING", json!({ "alerts": alerts(json!([absent.id])) })).await;
        app.make(administrator, "updatePerson", "person", json!({ "personId": absent.id, "isActive": false }), "id").await;
        for useless in [json!([absent.id]), json!([])] {
            let input = json!({ "stage": "VALIDATING", "alerts": alerts(useless) });
            let refused = app.refusal_of(administrator, "updateSlaPolicy", "slaPolicy", input).await;
            assert_eq!(refused, [("INVALID".to_owned(), "alerts".to_owned())]);
        }
        let rest = [operations, operations_manager, &app.cast.tech_manager, administrator].map(|member| &member.name);
        let mut deactivated: Vec<&str> = Vec::new();
        for next in rest.into_iter().map(Some).chain([None]) {
            app.file_ticket().await;
            set_active(app, &deactivated, false).await;
            app.advance(TimeDelta::days(1));
            app.advance(TimeDelta::days(if app.clock.now().format("%a").to_string() == "Sat" { 2 } else { 0 }));
            app.service.sla_scan().await.unwrap();
            set_active(app, &deactivated, true).await;
            deactivated.extend(next.map(String::as_str));
        }
        let jobs = Jobs::of(app).await;
        shown("absent_people", &jobs.table().await);
    }

    async fn a_pause_across_the_due_time(app) {
        let Cast { operations, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        jobs.until("2026-06-01T16:00:00Z").await;
        let pause = json!({
            "ticketId": key, "reason": "WAITING_THIRD_PARTY", "note": "The carrier looks into it",
            "resumeAt": "2026-06-03T08:00:00Z",
        });
        app.change(operations, "pauseClock", pause).await;
        jobs.until("2026-06-04T12:00:00Z").await;
        shown("pause_across_the_due_time", &jobs.table().await);
        assert_eq!(clock(app, &key).await["breachedAt"], "2026-06-03T10:00:00Z");
    }

    async fn urgent_does_not_wait_for_the_morning(app) {
        let jobs = Jobs::of(app).await;
        verifying(app, "URGENT").await;
        verifying(app, "HIGH").await;
        jobs.until("2026-06-02T12:00:00Z").await;
        shown("urgent_at_night", &jobs.table().await);
    }

    async fn what_becomes_urgent_at_night_does_not_wait_any_longer(app) {
        let jobs = Jobs::of(app).await;
        let key = verifying(app, "HIGH").await;
        jobs.until("2026-06-01T22:00:00Z").await;
        let facts = json!({ "ticketId": key, "facts": { "priority": "URGENT" } });
        app.change(&app.cast.operations_manager, "updateTicket", facts).await;
        jobs.until("2026-06-02T12:00:00Z").await;
        shown("urgent_since_the_night", &jobs.table().await);
    }

    async fn people_with_hours_of_their_own_are_told_in_them(app) {
        let Cast { administrator, operations, operations_manager, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let night = json!({ "personId": operations.id, "calendarId": calendar(app, "24x7").await });
        let changed = app.mutate(administrator, "updatePerson", night, "person { calendar { name } }").await;
        assert_eq!(changed["person"]["calendar"]["name"], "24x7");
        let unknown = json!({ "personId": operations_manager.id, "calendarId": operations_manager.id });
        let refused = app.refusal_of(administrator, "updatePerson", "person", unknown).await;
        assert_eq!(refused, [("UNKNOWN".to_owned(), "calendarId".to_owned())]);
        app.file_ticket().await;
        jobs.until("2026-06-02T12:00:00Z").await;
        shown("hours_of_their_own", &jobs.table().await);
        let usual = json!({ "personId": operations.id, "calendarId": null });
        let changed = app.mutate(administrator, "updatePerson", usual, "person { calendar { name } }").await;
        assert_eq!(changed["person"]["calendar"], Value::Null);
    }

    async fn five_alerts_at_once_are_mails_and_six_are_a_digest(app) {
        let jobs = Jobs::of(app).await;
        for _ in 0..5 {
            app.file_ticket().await;
        }
        app.clock.set(instant("2026-06-01T10:00:00Z"));
        for _ in 0..6 {
            app.file_ticket().await;
        }
        // The first five warn at 15:00, the others at 16:00.
        jobs.until("2026-06-01T16:30:00Z").await;
        shown("five_and_six_alerts_at_once", &jobs.table().await);
        shown("digest_of_six", &jobs.digest(&app.cast.operations.email));
    }

    async fn two_replicas_make_one_digest(app) {
        let replica = app.replica().await;
        let jobs = Jobs::of(app).await;
        for _ in 0..40 {
            app.file_ticket().await;
        }
        app.clock.set(instant("2026-06-01T15:00:00Z"));
        let (one, other) = tokio::join!(app.service.sla_scan(), replica.sla_scan());
        assert_eq!(one.unwrap().raised + other.unwrap().raised, 40);
        let route = crate::support::mail_route(&jobs.smtp.url());
        let (one, other) = tokio::join!(app.service.deliver(&route), replica.deliver(&route));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.digested + other.digested, one.sent + other.sent), (40, 1), "{one:?} {other:?}");
        assert!(jobs.digest(&app.cast.operations.email).contains("40 SLA alerts came together."));
        replica.close().await;
    }

    async fn the_managers_of_both_teams_hear_of_the_second_de_escalation(app) {
        let Cast { operations, qa, .. } = &app.cast;
        staff(&app.service, "Quora Manager", &[], &[Team::Qa], false).await;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        for _ in 0..3 {
            app.change(operations, "moveTicket", json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() })).await;
            app.advance(TimeDelta::hours(1));
            let back = json!({
                "ticketId": key, "to": "VALIDATING", "deEscalationReasons": ["CANNOT_REPLICATE"], "reason": "It works here.",
            });
            app.change(qa, "moveTicket", back).await;
            app.advance(TimeDelta::hours(1));
            jobs.run().await;
        }
        shown("loop", &jobs.table().await);
        assert_eq!(alerts(app, &key).await, Vec::<[String; 4]>::new());
    }

    async fn administrators_hear_of_clocks_that_drifted(app) {
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        app.service.verify_open_clocks().await.unwrap();
        jobs.run().await;
        assert_eq!(jobs.smtp.log().received.len(), 0, "nothing drifted");
        let far = "UPDATE stage_visit SET due_at = '2026-07-01 00:00:00+00:00'";
        sea_orm::ConnectionTrait::execute_unprepared(&app.db, far).await.unwrap();
        for _ in 0..2 {
            app.service.verify_open_clocks().await.unwrap();
            jobs.run().await;
        }
        let mails = jobs.smtp.log().received;
        assert_eq!(mails.len(), 1, "once a night");
        let mail = mails[0].parsed();
        assert_eq!(mails[0].to, std::slice::from_ref(&app.cast.administrator.email));
        assert_eq!(mail.header("Subject"), Some("[Secondline] Stored clocks have drifted"));
        assert!(mail.text.contains(&format!("- {key}: ")), "{}", mail.text);
        let ledger = app.ask(&app.cast.administrator, "{ notices { nodes { kind ticket { key } } } }", json!({})).await;
        assert_eq!(ledger["notices"]["nodes"][0], json!({ "kind": "CLOCK_DRIFT", "ticket": null }));
    }

    async fn every_date_a_client_was_told_is_in_the_ledger_of_promises(app) {
        let Cast { operations, project_manager, client, .. } = &app.cast;
        let jobs = Jobs::of(app).await;
        let key = app.file_ticket().await;
        app.walk_to(&key, "FIXING").await;
        jobs.run().await;
        app.advance(TimeDelta::days(2));
        let later = json!({ "ticketId": key, "estimatedDeliveryDate": "2026-06-19", "reason": "The carrier is late" });
        app.change(project_manager, "setEstimatedDeliveryDate", later).await;
        let select = "promises { date previousDate slipDays madeAt toldAt outcome notices { kind state contact { name } } }";
        let notice = |kind: &str, state: &str| json!([{ "kind": kind, "state": state, "contact": { "name": client.name } }]);
        let first = json!({
            "date": "2026-06-12", "previousDate": null, "slipDays": null, "madeAt": "2026-06-01T09:00:00+00:00",
            "toldAt": "2026-06-01T09:00:00+00:00", "outcome": "REPLACED", "notices": notice("DELIVERY_DATE_SET", "SENT"),
        });
        let second = json!({
            "date": "2026-06-19", "previousDate": "2026-06-12", "slipDays": 7, "madeAt": "2026-06-03T09:00:00+00:00",
            "toldAt": null, "outcome": "OPEN", "notices": notice("DELIVERY_DATE_CHANGED", "QUEUED"),
        });
        assert_eq!(app.ticket(operations, &key, select).await["promises"], json!([first, second]));
        app.clock.set(instant("2026-06-20T00:00:00Z"));
        let outcome = app.ticket(operations, &key, "promises { outcome }").await;
        assert_eq!(outcome["promises"][1]["outcome"], "BROKEN");
        assert_eq!(app.ticket(client, &key, "promises { date }").await["promises"], json!([]), "clients have no ledger");
    }
}
