//! Ten thousand made-up histories of clocks: what is stored can be made again from them, and every due time can be explained.

mod made_up;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    id::StageVisitId,
    stage_visit,
    vocab::{EventKind, SegmentKind},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secondline::{
    domain::{
        actor::Actor,
        clock_change::{ClockEvent, differences, replay},
        event::{Event, EventData},
        explain::explain,
        sla::Budget,
        visit::Visit,
    },
    store,
};

use self::made_up::{History, World};
use crate::support::{TestApp, each_database};

/// How many histories are made up for each database.
const HISTORIES: usize = 10_000;
/// Histories that are stored together.
const BATCH: usize = 500;

/// What an explanation says must add up: stretches without a gap, and the budget counted in them.
fn assert_explained(visit: &Visit, now: DateTime<Utc>) {
    let explanation = explain(visit, now);
    let mut from = visit.entered_at;
    for segment in &explanation.segments {
        assert_eq!(segment.from, from, "a gap in {explanation:#?}");
        assert!(segment.from < segment.to);
        assert_eq!(segment.pause_reason.is_some(), segment.kind == SegmentKind::Paused, "{segment:?}");
        from = segment.to;
    }
    assert_eq!(from, explanation.until, "{explanation:#?}");
    let wall: TimeDelta = explanation.segments.iter().map(|segment| segment.to - segment.from).sum();
    assert_eq!(wall, explanation.until - visit.entered_at);
    let clock = visit.clock();
    let due = clock.due_at(now).or_else(|| clock.due_if_resumed_at(now));
    match clock.budget {
        Budget::Working(budget) => {
            assert_eq!(explanation.counted, budget, "{visit:#?} {explanation:#?}");
            assert_eq!(Some(explanation.until), due);
        }
        Budget::Until(deadline) => assert_eq!(explanation.until, deadline.max(visit.entered_at)),
        Budget::None => assert_eq!(explanation.counted, clock.elapsed(now)),
    }
}

#[test]
fn histories_make_the_same_clocks_again_and_every_due_time_is_explained() {
    let world = World::new();
    let (mut changes, mut visits) = (0, 0);
    for history in world.histories(HISTORIES, assert_explained) {
        let text =
            serde_json::to_string(&history.events.iter().map(|event| &event.changes).collect::<Vec<_>>()).unwrap();
        let read: Vec<Vec<_>> = serde_json::from_str(&text).unwrap();
        let events: Vec<_> =
            history.events.iter().zip(read).map(|(event, changes)| ClockEvent { changes, ..event.clone() }).collect();
        let clocks = replay(history.clocks.ticket_id, &events, &world.library).unwrap();
        assert_eq!(differences(&history.clocks.visits, &clocks.visits), [] as [String; 0], "{history:#?}");
        changes += events.iter().map(|event| event.changes.len()).sum::<usize>();
        visits += history.clocks.visits.len();
    }
    eprintln!("{HISTORIES} histories of {changes} changes made {visits} visits again");
}

/// Stores the tickets, clocks and events of some histories as use cases do.
async fn store_all(app: &TestApp, histories: &[History]) {
    let now = app.clock.now();
    let template = app.service.ticket_by_number(&Actor::System, 1).await.unwrap().unwrap().ticket;
    let tx = app.db.begin().await.unwrap();
    for (number, history) in histories.iter().enumerate() {
        let mut ticket = template.clone();
        ticket.id = history.clocks.ticket_id;
        ticket.number = 1_000_000 + history.number;
        ticket.created_at = now + TimeDelta::microseconds(i64::try_from(number).unwrap());
        store::tickets::insert(&tx, &ticket).await.unwrap();
    }
    let visits: Vec<_> = histories.iter().flat_map(|history| history.clocks.visits.clone()).collect();
    store::visits::save_many(&tx, &visits).await.unwrap();
    // Events of one instant go together; those of a ticket stay in their order.
    let longest = histories.iter().map(|history| history.events.len()).max().unwrap_or(0);
    for turn in 0..longest {
        let mut at_once: HashMap<DateTime<Utc>, Vec<_>> = HashMap::new();
        for history in histories {
            let Some(event) = history.events.get(turn) else { continue };
            let kind = if turn == 0 { EventKind::TicketCreated } else { EventKind::ClockRecomputed };
            let data = EventData { clock: event.changes.clone(), ..EventData::default() };
            at_once.entry(event.at).or_default().push((history.clocks.ticket_id, Event { kind, data }));
        }
        for (at, events) in at_once {
            let events = events.iter().map(|(ticket, event)| (*ticket, event));
            store::events::append_many(&tx, &Actor::System, at, events).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

each_database! {
    async fn what_is_stored_of_ten_thousand_histories_is_what_they_say(app) {
        app.file_ticket().await;
        let world = World::stored(app).await;
        let histories: Vec<_> = world.histories(HISTORIES, |_, _| {}).collect();
        for some in histories.chunks(BATCH) {
            store_all(app, some).await;
        }
        let report = app.service.verify_clocks(&Actor::System, None).await.unwrap();
        assert_eq!((report.verified, report.without_history), (HISTORIES + 1, 0));
        assert_eq!(report.drifts, []);

        let (drifted, visit) = histories.iter().find_map(|history| {
            let visit = history.clocks.visits.iter().find(|visit| visit.due_at.is_some())?;
            Some((history, visit))
        }).unwrap();
        let an_hour_later = visit.due_at.unwrap() + TimeDelta::hours(1);
        move_due_time(app, visit.id, an_hour_later).await;
        let report = app.service.verify_clocks(&Actor::System, Some(drifted.clocks.ticket_id)).await.unwrap();
        assert_eq!(report.drifts.len(), 1);
        assert_eq!(report.drifts[0].differences.len(), 1, "{report:?}");
        assert!(report.drifts[0].differences[0].contains("due_at"), "{report:?}");
    }
}

/// What nobody but a fault does.
async fn move_due_time(app: &TestApp, visit: StageVisitId, due_at: DateTime<Utc>) {
    stage_visit::Entity::update_many()
        .col_expr(stage_visit::Column::DueAt, Expr::val(due_at))
        .filter(stage_visit::COLUMN.id.eq(visit))
        .exec(&app.db)
        .await
        .unwrap();
}
