//! Several servers on one database: what happens once is told once, and nobody stands in anybody's way.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use entity::{
    id::TicketId,
    notice, sla_alert, stage_visit, ticket, ticket_event,
    vocab::{AlertLevel, AlertOutcome, EventKind, Stage},
};
use futures_util::future::join_all;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use secondline::{
    domain::{
        actor::Actor,
        event::{Event, EventData},
    },
    service::{
        Service,
        feed::Subscriber,
        policies::{CalendarChange, PolicyChange},
        setup::ROUND_THE_CLOCK_CALENDAR,
        sla_scan::ScanReport,
    },
    store::{self, event_log::LogFilter},
};
use serde_json::json;
use tokio_util::sync::DropGuard;

use crate::support::{Engine, TestApp, each_database, following, replicating_facts};

/// Clocks that reach the same level at the same time.
const DUE: usize = 50;
/// Tickets that people work on at once, and how often each goes to and fro.
const TICKETS: usize = 6;
const ROUNDS: usize = 6;
/// Writers of events that are at it at once, and what each writes.
const WRITERS: usize = 12;
const CHANGES: usize = 15;
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Moves a ticket to and fro, asks and answers; every step must succeed.
async fn work_on(app: &TestApp, key: &str) {
    let (operations, qa) = (&app.cast.operations, &app.cast.qa);
    let ticket = |more: serde_json::Value| {
        let mut input = json!({ "ticketId": key });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for round in 0..ROUNDS {
        app.change(operations, "askClient", ticket(json!({ "question": format!("Which browser, {round}?") }))).await;
        app.change(operations, "recordClientAnswer", ticket(json!({ "answer": "Firefox" }))).await;
        let forward = json!({ "to": "REPLICATING", "facts": replicating_facts() });
        app.change(operations, "moveTicket", ticket(forward)).await;
        let back = json!({ "to": "VALIDATING", "deEscalationReasons": ["MORE_INFORMATION_NEEDED"] });
        app.change(qa, "moveTicket", ticket(back)).await;
    }
}

/// Scans again and again while the clock moves on, until told to stop; what was raised.
async fn keep_scanning(service: Service, done: Arc<AtomicBool>) -> usize {
    let mut raised = 0;
    while !done.load(Ordering::SeqCst) {
        service.clock().advance(TimeDelta::minutes(4));
        raised += service.sla_scan().await.unwrap().raised;
    }
    raised
}

/// Changes policies and renames a calendar again and again, until told to stop.
async fn keep_administering(service: Service, done: Arc<AtomicBool>) {
    let calendars = service.calendars(&Actor::System).await.unwrap();
    let calendar = calendars.iter().find(|row| row.name == ROUND_THE_CLOCK_CALENDAR).unwrap();
    for turn in 0_usize.. {
        if done.load(Ordering::SeqCst) {
            return;
        }
        let (stage, budget) = match turn % 4 {
            0 => (Stage::Validating, "PT2H"),
            1 => (Stage::Replicating, "PT3H"),
            2 => (Stage::Validating, "PT4H"),
            _ => (Stage::Replicating, "PT1H"),
        };
        let change = PolicyChange {
            budget: Some(Some(budget.to_owned())),
            calendar_id: Some(calendar.id),
            ..PolicyChange::of(stage)
        };
        service.update_sla_policy(&Actor::System, change).await.unwrap();
        let name = format!("{ROUND_THE_CLOCK_CALENDAR}, version {turn}");
        let change = CalendarChange { name: Some(name), ..CalendarChange::default() };
        service.update_calendar(&Actor::System, calendar.id, change).await.unwrap();
    }
}

/// How many people hear of a level, with the cast that every test has.
const fn addressees(stage: Stage, level: AlertLevel) -> usize {
    match (stage, level) {
        // Operations has a manager, QA has none.
        (Stage::Validating, AlertLevel::Breach) => 2,
        (_, AlertLevel::Reminder | AlertLevel::Warning | AlertLevel::Breach) => 1,
        // All managers.
        (_, AlertLevel::EscalationTwo | AlertLevel::EscalationThree) => 2,
    }
}

/// Every open visit stands under its stage's policy of today, and what is stored of it follows from its facts.
async fn assert_clocks_agree_with_their_facts(app: &TestApp) {
    let tickets = ticket::Entity::find().all(&app.db).await.unwrap();
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
    let visits = store::visits::open_of_many(&app.db, &ids).await.unwrap();
    let policies = store::policies::all(&app.db).await.unwrap();
    for ticket in tickets {
        let visit = &visits[&ticket.id];
        assert_eq!(visit.stage, ticket.stage);
        let (policy, _) = policies.iter().find(|(policy, _)| policy.stage == ticket.stage).unwrap();
        assert_eq!(
            visit.budget.map(|budget| budget.to_string()),
            policy.budget,
            "{} of {}",
            visit.stage,
            ticket.number
        );
        assert_eq!(visit.policy.terms.calendar_id, policy.calendar_id);
        let mut computed = visit.clone();
        computed.refresh(app.clock.now());
        assert_eq!((visit.due_at, visit.next_alert_at), (computed.due_at, computed.next_alert_at));
    }
}

/// Starts a follower, and a subscriber of what happens from then on.
async fn follow(app: &TestApp, service: &Service) -> (Subscriber, DropGuard) {
    let follower = following::follow(service).await;
    let session = service.authenticate(&app.cast.qa.token).await.unwrap().unwrap();
    let subscriber = service.subscribe(session, service.log_position(), LogFilter::default()).await.unwrap();
    (subscriber, follower)
}

/// Hears up to this event, and answers the ids of all.
async fn hear_up_to(heard: &mut Subscriber, last: i64) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        match tokio::time::timeout(PATIENCE, heard.next()).await {
            Ok(event) => ids.push(event.unwrap().id()),
            Err(_) => panic!("event {last} is not heard; heard: {ids:?}"),
        }
    }
    ids
}

async fn event_ids(db: &impl ConnectionTrait) -> Vec<i64> {
    let events = ticket_event::Entity::find().order_by_asc(ticket_event::Column::Id).all(db).await.unwrap();
    events.into_iter().map(|event| event.id).collect()
}

each_database! {
    async fn servers_that_scan_at_once_raise_each_alert_once(app) {
        for _ in 0..DUE {
            app.file_ticket().await;
        }
        let other = app.replica().await;
        for (hours, each) in [(6, 1), (2, 2), (24, 2), (48, 2)] {
            app.advance(TimeDelta::hours(hours) + TimeDelta::microseconds(1));
            let scans = [&app.service, &other, &app.service, &other].map(|service| {
                let service = service.clone();
                tokio::spawn(async move { service.sla_scan().await.unwrap() })
            });
            let mut sum = ScanReport::default();
            for scan in scans {
                let report = scan.await.unwrap();
                sum.raised += report.raised;
                sum.superseded += report.superseded;
                sum.notices += report.notices;
            }
            assert_eq!((sum.raised, sum.superseded, sum.notices), (DUE, 0, DUE * each));
        }
        let alerts = sla_alert::Entity::find().all(&app.db).await.unwrap();
        let once: BTreeSet<_> = alerts.iter().map(|alert| (alert.visit_id, alert.level)).collect();
        assert_eq!((alerts.len(), once.len()), (4 * DUE, 4 * DUE));
        let notices = notice::Entity::find().all(&app.db).await.unwrap();
        assert_eq!(notices.len(), 7 * DUE);
        let raised = ticket_event::Entity::find().filter(ticket_event::COLUMN.kind.eq(EventKind::SlaAlertRaised));
        assert_eq!(raised.all(&app.db).await.unwrap().len(), 4 * DUE);
    }

    async fn scans_work_and_administration_at_once_neither_block_nor_double(app) {
        let mut keys = Vec::new();
        for _ in 0..TICKETS {
            keys.push(app.file_ticket().await);
        }
        let other = app.replica().await;
        let done = Arc::new(AtomicBool::new(false));
        let scans = [&app.service, &other].map(|service| tokio::spawn(keep_scanning(service.clone(), Arc::clone(&done))));
        let administration = tokio::spawn(keep_administering(other.clone(), Arc::clone(&done)));
        join_all(keys.iter().map(|key| work_on(app, key))).await;
        done.store(true, Ordering::SeqCst);
        administration.await.unwrap();
        let mut raised = 0;
        for scan in scans {
            raised += scan.await.unwrap();
        }
        assert!(raised > TICKETS, "the clocks ran: {raised}");

        let alerts = sla_alert::Entity::find().all(&app.db).await.unwrap();
        let told: Vec<_> = alerts.iter().filter(|alert| alert.outcome == AlertOutcome::Raised).collect();
        assert_eq!(told.len(), raised);
        let expected: usize = told.iter().map(|alert| addressees(alert.stage, alert.level)).sum();
        let notices = notice::Entity::find().filter(notice::COLUMN.visit_id.is_not_null()).all(&app.db).await.unwrap();
        assert_eq!(notices.len(), expected);
        let visits = stage_visit::Entity::find().filter(stage_visit::COLUMN.left_at.is_null()).all(&app.db).await.unwrap();
        assert_eq!(visits.len(), TICKETS);
        assert_clocks_agree_with_their_facts(app).await;
    }

    async fn every_event_is_heard_once_and_in_order_whoever_wrote_it(app) {
        let other = app.replica().await;
        let (mut heard, _follower) = follow(app, &app.service).await;
        let (mut heard_elsewhere, _other_follower) = follow(app, &other).await;
        let mut keys = Vec::new();
        for _ in 0..WRITERS {
            keys.push(app.file_ticket().await);
        }
        let begin = *event_ids(&app.db).await.last().unwrap();
        hear_up_to(&mut heard, begin).await;
        hear_up_to(&mut heard_elsewhere, begin).await;

        let writers = keys.iter().enumerate().map(|(number, key)| async move {
            for change in 0..CHANGES {
                let facts = json!({ "ticketId": key, "facts": { "browser": format!("Firefox {number}.{change}") } });
                app.change(&app.cast.operations, "updateTicket", facts).await;
            }
        });
        let scans = tokio::spawn({
            let (service, other) = (app.service.clone(), other.clone());
            async move {
                for _ in 0..CHANGES {
                    service.clock().advance(TimeDelta::hours(5));
                    tokio::try_join!(service.sla_scan(), other.sla_scan()).unwrap();
                }
            }
        });
        join_all(writers).await;
        scans.await.unwrap();

        let written: Vec<_> = event_ids(&app.db).await.into_iter().filter(|id| *id > begin).collect();
        assert!(written.len() >= WRITERS * CHANGES);
        let last = *written.last().unwrap();
        assert_eq!(hear_up_to(&mut heard, last).await, written);
        assert_eq!(hear_up_to(&mut heard_elsewhere, last).await, written);
    }
}

/// On PostgreSQL the order in which transactions begin, write and commit are three orders.
#[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_numbered_first_and_committed_last_is_heard() {
    let Some(app) = TestApp::start(Engine::Postgres).await else { return };
    let (mut heard, _follower) = follow(&app, &app.service).await;
    let key = app.file_ticket().await;
    let begin = *event_ids(&app.db).await.last().unwrap();
    hear_up_to(&mut heard, begin).await;
    let id: TicketId = app.ticket(&app.cast.qa, &key, "id").await["id"].as_str().unwrap().parse().unwrap();

    let event = [Event { kind: EventKind::FactsChanged, data: EventData::default() }];
    let (first, second) = (begin_writing(&app).await, begin_writing(&app).await);
    store::events::append(&second, id, &Actor::System, app.clock.now(), &event).await.unwrap();
    store::events::append(&first, id, &Actor::System, app.clock.now(), &event).await.unwrap();
    first.commit().await.unwrap();
    // Events of others pass meanwhile, and wake the follower.
    app.file_ticket().await;
    let is_early = tokio::time::timeout(Duration::from_millis(700), heard.next()).await;
    second.commit().await.unwrap();

    let written: Vec<_> = event_ids(&app.db).await.into_iter().filter(|id| *id > begin).collect();
    assert!(is_early.is_err(), "an earlier event can still come, and {is_early:?} was heard");
    assert_eq!(hear_up_to(&mut heard, *written.last().unwrap()).await, written);
}

/// A transaction that has its place among the transactions, as one that locked its ticket has.
async fn begin_writing(app: &TestApp) -> secondline::store::Transaction {
    let transaction = app.db.begin().await.unwrap();
    transaction.execute_unprepared("SELECT pg_current_xact_id()").await.unwrap();
    transaction
}
