//! Reports: what the clocks showed, exactly, and what they will show if nobody acts.

use std::collections::{BTreeMap, BTreeSet};

use axum::{body::Body, http::Request};
use chrono::{DateTime, TimeDelta, Utc};
use entity::vocab::{PauseReason, ReportDimension, Stage};
use secondline::{
    domain::{actor::Actor, process, report::Figures, visit::Visit},
    store,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Cast, TestApp, each_database, replicating_facts, sla::instant};

/// The figures of some visits, from the visits themselves.
fn figures_of(visits: &[&Visit]) -> Figures {
    let mut times: Vec<_> = visits.iter().map(|visit| visit.clock().elapsed(visit.left_at.unwrap())).collect();
    times.sort();
    let nearest_rank = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    let is_missed = |visit: &&&Visit| visit.breached_at.is_some();
    let paused = |visit: &&Visit| {
        let own = visit.pauses.iter().filter(|pause| pause.reason != PauseReason::Away);
        let mut own: Vec<_> = own.map(|pause| (pause.started_at, pause.ended_at.unwrap())).collect();
        own.sort();
        let mut counted_up_to = visit.entered_at;
        let mut time = TimeDelta::zero();
        for (from, to) in own {
            time += visit.timeline.between(from.max(counted_up_to), to);
            counted_up_to = counted_up_to.max(to);
        }
        time
    };
    let count = |number: usize| i64::try_from(number).unwrap();
    Figures {
        visits: count(visits.len()),
        met: count(visits.iter().filter(|visit| visit.breached_at.is_none() && visit.due_at.is_some()).count()),
        missed: count(visits.iter().filter(is_missed).count()),
        excused: count(visits.iter().filter(is_missed).filter(|visit| visit.excuse.is_some()).count()),
        paused: count(visits.iter().filter(|visit| paused(visit) > TimeDelta::zero()).count()),
        paused_time: visits.iter().map(paused).sum(),
        working_time: times.iter().sum(),
        median: nearest_rank(50),
        p90: nearest_rank(90),
        p95: nearest_rank(95),
    }
}

/// Tickets with differing histories: pauses, lateness, de-escalations, rejected fixes, an excuse.
async fn some_history(app: &TestApp) {
    let Cast { operations, qa, operations_manager, project_manager, tech, .. } = &app.cast;
    for number in 0..14_i64 {
        let key = app.file_ticket().await;
        if number % 3 == 0 {
            app.change(operations, "assignTicket", json!({ "ticketId": key, "assigneeId": qa.id })).await;
        }
        app.advance(TimeDelta::minutes(17 * number + 5));
        if number % 2 == 0 {
            let pause = json!({ "ticketId": key, "reason": "ON_HOLD", "note": "Later" });
            app.change(operations, "pauseClock", pause).await;
            app.change(operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
            app.advance(TimeDelta::minutes(31 * number));
            app.change(operations, "recordClientAnswer", json!({ "ticketId": key, "answer": "Firefox" })).await;
            app.advance(TimeDelta::minutes(7));
            app.change(operations, "resumeClock", json!({ "ticketId": key })).await;
        }
        app.advance(TimeDelta::hours(number));
        if number == 13 {
            let visit = app.ticket(operations, &key, "visits { id }").await["visits"][0]["id"].clone();
            let excuse = json!({ "visitId": visit, "reason": "A flood" });
            app.make(operations_manager, "excuseBreach", "visit", excuse, "id").await;
        }
        let on = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
        app.change(operations, "moveTicket", on.clone()).await;
        if number % 4 == 1 {
            app.advance(TimeDelta::minutes(50));
            let back = json!({
                "ticketId": key, "to": "VALIDATING", "reason": "It works here.",
                "deEscalationReasons": if number == 5 { vec!["CANNOT_REPLICATE", "OTHER"] } else { vec!["OTHER"] },
            });
            app.change(qa, "moveTicket", back).await;
            app.advance(TimeDelta::minutes(100));
            app.change(operations, "moveTicket", on).await;
        }
        if number % 5 == 0 {
            continue;
        }
        app.advance(TimeDelta::hours(3));
        for (member, to, facts) in [
            (qa, "ESTIMATING", json!({ "affectsOtherClients": false })),
            (project_manager, "FIXING", json!({ "estimatedDeliveryDate": day_after(app), "priority": "HIGH" })),
            (tech, "VERIFYING", json!({ "pullRequest": "https://git.example.com/shop/pull/7" })),
        ] {
            app.change(member, "moveTicket", json!({ "ticketId": key, "to": to, "facts": facts })).await;
            app.advance(TimeDelta::minutes(40 + number));
        }
        if number % 6 == 2 {
            app.advance(TimeDelta::days(3));
        }
        let facts = json!({ "pullRequestMergedAt": app.clock.now(), "resolutionNotes": "Done." });
        app.change(qa, "moveTicket", json!({ "ticketId": key, "to": "CLOSED_RESOLVED", "facts": facts })).await;
        app.service.sla_scan().await.unwrap();
    }
}

fn day_after(app: &TestApp) -> String {
    (app.clock.now() + TimeDelta::days(1)).date_naive().to_string()
}

async fn all_visits(app: &TestApp) -> (Vec<Visit>, BTreeMap<entity::id::TicketId, secondline::domain::ticket::Ticket>) {
    use sea_orm::EntityTrait;
    let ids: Vec<_> = entity::ticket::Entity::find().all(&app.db).await.unwrap().iter().map(|row| row.id).collect();
    let visits = store::visits::all_of_many(&app.db, &ids).await.unwrap();
    let tickets = store::tickets::find_many(&app.db, None, &ids).await.unwrap();
    (visits, tickets.into_iter().map(|(id, view)| (id, view.ticket)).collect())
}

/// Lines of cells without a comma, each cell in quotes.
fn quoted(lines: &str) -> String {
    let line = |line: &str| format!("\"{}\"\r\n", line.replace(',', "\",\""));
    lines.split_terminator("\r\n").map(line).collect()
}

async fn csv(app: &TestApp, token: Option<&str>, path: &str) -> (u16, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

each_database! {
    async fn every_number_is_what_the_clocks_say(app) {
        some_history(app).await;
        let (visits, tickets) = all_visits(app).await;
        let ends: BTreeSet<_> = visits.iter().filter_map(|visit| visit.left_at).collect();
        let ends: Vec<DateTime<Utc>> = ends.into_iter().collect();
        // Windows whose edges are ends of visits themselves: the first is in, the last is not.
        let windows = [(0, ends.len() - 1), (ends.len() / 4, ends.len() / 2), (ends.len() / 2, ends.len() - 1)];
        let groupings = [
            vec![],
            vec![ReportDimension::Stage],
            vec![ReportDimension::Team, ReportDimension::Assignee],
            vec![ReportDimension::Company, ReportDimension::Tier, ReportDimension::Priority, ReportDimension::Category],
        ];
        for (from, to) in windows.map(|(from, to)| (ends[from], ends[to])) {
            let ended: Vec<_> =
                visits.iter().filter(|visit| visit.left_at.is_some_and(|at| from <= at && at < to)).collect();
            for group_by in &groupings {
                let report = app.service.sla_report(&Actor::System, from, to, group_by.clone()).await.unwrap();
                assert_eq!(report.total, figures_of(&ended));
                let mut expected: BTreeMap<String, Vec<&Visit>> = BTreeMap::new();
                for visit in &ended {
                    let ticket = &tickets[&visit.ticket_id];
                    let key = group_by.iter().map(|dimension| match dimension {
                        ReportDimension::Stage => format!("{:?}", Some(visit.stage)),
                        ReportDimension::Team => format!("{:?}", process::stage(visit.stage).owner),
                        ReportDimension::Company => format!("{:?}", Some(ticket.company.name.clone())),
                        ReportDimension::Tier => format!("{:?}", visit.rank.tier),
                        ReportDimension::Priority => format!("{:?}", visit.rank.priority),
                        ReportDimension::Assignee => format!("{:?}", visit.assignee),
                        ReportDimension::Category => format!("{:?}", Some(ticket.facts.category)),
                    });
                    expected.entry(key.collect::<Vec<_>>().join(" ")).or_default().push(visit);
                }
                let expected: BTreeMap<_, _> =
                    expected.into_iter().filter(|_| !group_by.is_empty()).map(|(key, own)| (key, figures_of(&own))).collect();
                let found: BTreeMap<_, _> = report.groups.iter().map(|(group, figures)| {
                    let key = group_by.iter().map(|dimension| match dimension {
                        ReportDimension::Stage => format!("{:?}", group.stage),
                        ReportDimension::Team => format!("{:?}", group.team),
                        ReportDimension::Company => format!("{:?}", group.company.as_ref().map(|(_, name)| name)),
                        ReportDimension::Tier => format!("{:?}", group.tier),
                        ReportDimension::Priority => format!("{:?}", group.priority),
                        ReportDimension::Assignee => format!("{:?}", group.assignee.as_ref().map(|(id, _)| *id)),
                        ReportDimension::Category => format!("{:?}", group.category),
                    });
                    (key.collect::<Vec<_>>().join(" "), *figures)
                }).collect();
                assert_eq!(found, expected);
            }
            // Lost: the visit that was ended by a de-escalation, and those until the ticket was back.
            let report = app.service.sla_report(&Actor::System, from, to, Vec::new()).await.unwrap();
            let mut lost = TimeDelta::zero();
            let mut count = 0;
            for ticket in tickets.keys() {
                let own: Vec<_> = visits.iter().filter(|visit| visit.ticket_id == *ticket).collect();
                for pair in own.windows(2) {
                    let in_time = pair[0].left_at.is_some_and(|at| from <= at && at < to);
                    if pair[0].stage == Stage::Replicating && pair[1].stage == Stage::Validating && in_time {
                        count += 1;
                        lost += pair[0].elapsed.unwrap() + pair[1].elapsed.unwrap_or_default();
                    }
                }
            }
            assert_eq!(report.losses.by_teams.iter().map(|lost| (lost.count, lost.time)).next().unwrap_or_default(), (count, lost));
            assert!(report.losses.by_reason.iter().map(|lost| lost.count).sum::<i64>() >= count);
            // Promises: by the day, as the delivery calendar has it, which is in UTC here.
            let resolved: Vec<_> = tickets.values().filter(|ticket| {
                ticket.stage == Stage::ClosedResolved && ticket.closed_at.is_some_and(|at| from <= at && at < to)
            }).collect();
            let kept = resolved.iter().filter(|ticket| ticket.closed_at.unwrap().date_naive() <= ticket.promised_delivery_date.unwrap());
            let (promised, kept) = (i64::try_from(resolved.len()).unwrap(), i64::try_from(kept.count()).unwrap());
            assert_eq!((report.deliveries.promised, report.deliveries.kept, report.deliveries.kept_first), (promised, kept, kept));
        }
        let report = app.service.verify_clocks(&Actor::System, None).await.unwrap();
        assert_eq!(report.drifts, Vec::new());
    }

    async fn a_report_is_read_over_the_api(app) {
        let Cast { operations, qa, operations_manager, client, .. } = &app.cast;
        let key = app.file_ticket().await;
        app.advance(TimeDelta::hours(2));
        app.change(operations, "moveTicket", json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() })).await;
        app.advance(TimeDelta::hours(1));
        let back = json!({ "ticketId": key, "to": "VALIDATING", "reason": "It works here.", "deEscalationReasons": ["OTHER"] });
        app.change(qa, "moveTicket", back).await;
        app.advance(TimeDelta::hours(1));
        app.change(operations, "moveTicket", json!({ "ticketId": key, "to": "REPLICATING", "facts": {} })).await;
        let query = "query($from: DateTime!, $to: DateTime!, $groupBy: [ReportDimension!]) {
            slaReport(from: $from, to: $to, groupBy: $groupBy) {
                total { visits met missed excused withoutClock paused pausedTime workingTime median p90 p95 }
                groups { stage team company { name } assignee { name } figures { visits median } }
                lostByReason { reason count time } lostByTeams { from to count time }
                deliveries { promised kept keptFirst }
            } }";
        let window = json!({ "from": "2026-06-01T00:00:00Z", "to": "2026-07-01T00:00:00Z", "groupBy": ["STAGE", "COMPANY"] });
        let group = |stage: &str, visits: i64, median: &str| json!({
            "stage": stage, "team": null, "company": { "name": "Acme" }, "assignee": null,
            "figures": { "visits": visits, "median": median },
        });
        assert_eq!(app.ask(operations_manager, query, window.clone()).await["slaReport"], json!({
            "total": {
                "visits": 3, "met": 3, "missed": 0, "excused": 0, "withoutClock": 0, "paused": 0, "pausedTime": "PT0S",
                "workingTime": "PT4H", "median": "PT1H", "p90": "PT2H", "p95": "PT2H",
            },
            "groups": [group("VALIDATING", 2, "PT1H"), group("REPLICATING", 1, "PT1H")],
            "lostByReason": [{ "reason": "OTHER", "count": 1, "time": "PT2H" }],
            "lostByTeams": [{ "from": "QA", "to": "OPERATIONS", "count": 1, "time": "PT2H" }],
            "deliveries": { "promised": 0, "kept": 0, "keptFirst": 0 },
        }));
        for member in [qa, client] {
            assert_eq!(app.error(Some(&member.token), query, window.clone()).await, "FORBIDDEN");
        }
        let turned = json!({ "from": "2026-07-01T00:00:00Z", "to": "2026-06-01T00:00:00Z" });
        assert_eq!(app.error(Some(&operations_manager.token), query, turned).await, "BAD_INPUT");

        let path = "/reports/sla.csv?from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z&groupBy=STAGE,COMPANY";
        let (status, text) = csv(app, Some(&operations_manager.token), path).await;
        assert_eq!((status, text), (200, quoted("stage,team,company,tier,priority,assignee,category,visits,met,missed,excused,\
            without_clock,paused,paused_hours,working_hours,median_hours,p90_hours,p95_hours\r\n\
            Validating,,Acme,,,,,2,2,0,0,0,0,0.0000,3.0000,1.0000,2.0000,2.0000\r\n\
            Replicating,,Acme,,,,,1,1,0,0,0,0,0.0000,1.0000,1.0000,1.0000,1.0000\r\n")));
        let (_, text) = csv(app, Some(&operations_manager.token), &format!("{path}&part=lost-by-teams")).await;
        assert_eq!(text, quoted("from,to,de_escalations,lost_hours\r\nQA,Operations,1,2.0000\r\n"));
        for (token, path, status) in [
            (None, path, 401),
            (Some(&qa.token), path, 403),
            (Some(&operations_manager.token), "/reports/sla.csv?from=yesterday&to=today", 400),
            (Some(&operations_manager.token), "/reports/sla.csv?from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z&groupBy=MOON", 400),
            (Some(&operations_manager.token), "/reports/forecast.csv?days=9999", 400),
        ] {
            assert_eq!(csv(app, token.map(String::as_str), path).await.0, status, "{path}");
        }
    }

    async fn the_forecast_says_who_is_late_if_nobody_acts(app) {
        let Cast { operations, operations_manager, qa, .. } = &app.cast;
        let late = app.file_ticket().await;
        app.clock.set(instant("2026-06-02T10:00:00Z"));
        let soon = app.file_ticket().await;
        let planned = app.file_ticket().await;
        let pause = json!({ "ticketId": planned, "reason": "ON_HOLD", "note": "Later", "resumeAt": "2026-06-04T09:00:00Z" });
        app.change(operations, "pauseClock", pause).await;
        let open_ended = app.file_ticket().await;
        app.change(operations, "pauseClock", json!({ "ticketId": open_ended, "reason": "ON_HOLD", "note": "Some day" })).await;
        let query = "query($days: Int!, $first: Int, $after: String) {
            breachForecast(days: $days, first: $first, after: $after) {
                totalCount pageInfo { endCursor hasNextPage } nodes { ticket { key } stage team lateAt isLate } } }";
        let node = |key: &str, late_at: &str, is_late: bool| json!({
            "ticket": { "key": key }, "stage": "VALIDATING", "team": "OPERATIONS", "lateAt": late_at, "isLate": is_late,
        });
        let all = [
            node(&late, "2026-06-01T17:00:00+00:00", true),
            node(&soon, "2026-06-03T10:00:00+00:00", false),
            node(&planned, "2026-06-04T17:00:00+00:00", false),
        ];
        let ask = async |variables: Value| app.ask(operations_manager, query, variables).await["breachForecast"].take();
        assert_eq!(ask(json!({ "days": 3 })).await["nodes"], json!(all));
        assert_eq!(ask(json!({ "days": 1 })).await["nodes"], json!(all[..1]), "what is due then is in time");
        app.advance(TimeDelta::microseconds(1));
        assert_eq!(ask(json!({ "days": 1 })).await["nodes"], json!(all[..2]));
        let page = ask(json!({ "days": 3, "first": 1 })).await;
        assert_eq!((&page["nodes"], &page["totalCount"]), (&json!(all[..1]), &json!(3)));
        let rest = ask(json!({ "days": 3, "after": page["pageInfo"]["endCursor"] })).await;
        assert_eq!(rest["nodes"], json!(all[1..]));
        assert_eq!(app.error(Some(&operations_manager.token), query, json!({ "days": 367 })).await, "BAD_INPUT");
        assert_eq!(app.error(Some(&qa.token), query, json!({ "days": 3 })).await, "FORBIDDEN");

        let name = json!({ "companyId": app.cast.acme.id.to_string(), "name": "=HYPERLINK(\"https://evil.example\");=1" });
        app.make(operations, "updateCompany", "company", name, "id").await;
        let (status, text) = csv(app, Some(&operations_manager.token), "/reports/forecast.csv?days=1").await;
        let company = "'=HYPERLINK(\"\"https://evil.example\"\");'=1";
        assert_eq!((status, text), (200, quoted(&format!("ticket,subject,company,stage,team,assignee,late_at,is_late\r\n\
            {late},Export stops at row 1000,{company},Validating,Operations,,2026-06-01T17:00:00Z,true\r\n\
            {soon},Export stops at row 1000,{company},Validating,Operations,,2026-06-03T10:00:00Z,false\r\n"))));
    }
}
