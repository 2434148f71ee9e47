//! The least that a database must do for due tickets: one transaction of statements that were made before.
//!
//! It finds and holds the due visits by their index, inserts as many alerts, events and notices as the scan before it wrote,
//! with the same contents, and moves the visits to their next level. Nothing is read to decide anything, nothing is reckoned.

use std::collections::HashMap;

use anyhow::Context;
use entity::{
    id::{NoticeId, SlaAlertId, StageVisitId},
    notice, sla_alert, stage_visit, ticket_event,
    vocab::AlertLevel,
};
use sea_orm::{
    ActiveValue::NotSet,
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Statement,
    sea_query::{Expr, LockBehavior, LockType},
};
use secondline::store::Database;

use crate::world::{World, Written};

/// Rows in one statement, as in the service.
const ROWS: usize = 500;

/// The statements, with their parameters.
pub struct Bare {
    hold: Statement,
    write: Vec<Statement>,
}

impl Bare {
    /// What must be done where nothing is due.
    pub fn idle(world: &World) -> Self {
        let backend = world.db.get_database_backend();
        let mut hold = stage_visit::Entity::find()
            .select_only()
            .columns([stage_visit::Column::Id, stage_visit::Column::TicketId])
            .filter(stage_visit::COLUMN.next_alert_at.is_not_null())
            .filter(stage_visit::COLUMN.next_alert_at.lte(world.clock.now()))
            .order_by_asc(stage_visit::Column::NextAlertAt);
        if backend == DbBackend::Postgres {
            hold = hold.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        Self { hold: hold.build(backend), write: Vec::new() }
    }

    /// What must be done for these visits, which are as many as those that the rows were written for.
    pub fn prepare(world: &World, written: Written, visits: &[stage_visit::Model]) -> anyhow::Result<Self> {
        let Written { mut alerts, mut events, mut notices } = written;
        let backend = world.db.get_database_backend();
        let now = world.clock.now();
        let before: Vec<_> = alerts.iter().map(|alert| alert.visit_id).collect();
        let same: HashMap<StageVisitId, &stage_visit::Model> = before.into_iter().zip(visits).collect();
        let by_ticket: HashMap<_, _> = alerts.iter().map(|alert| (alert.ticket_id, alert.visit_id)).collect();
        let other = |visit| same.get(&visit).copied().context("every row is about a visit that was due");
        for alert in &mut alerts {
            let visit = other(alert.visit_id)?;
            alert.id = world.clock.new_id(SlaAlertId);
            (alert.visit_id, alert.ticket_id, alert.detected_at) = (visit.id, visit.ticket_id, now);
        }
        for event in &mut events {
            let visit =
                by_ticket.get(&event.ticket_id).copied().context("every event is about a ticket that was due")?;
            (event.ticket_id, event.happened_at) = (other(visit)?.ticket_id, now);
        }
        for notice in &mut notices {
            let visit = other(notice.visit_id.context("every notice is about a visit")?)?;
            notice.id = world.clock.new_id(NoticeId);
            notice.dedupe_key = format!("{}{}", &notice.dedupe_key, world.clock.new_uuid().simple());
            (notice.visit_id, notice.ticket_id) = (Some(visit.id), Some(visit.ticket_id));
            (notice.created_at, notice.next_attempt_at) = (now, now);
        }
        let mut write = Vec::new();
        for some in alerts.chunks(ROWS) {
            let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
            write.push(sla_alert::Entity::insert_many(rows).build(backend));
        }
        for some in events.chunks(ROWS) {
            let rows =
                some.iter().cloned().map(|event| ticket_event::ActiveModel { id: NotSet, ..event.into_active_model() });
            write.push(ticket_event::Entity::insert_many(rows).build(backend));
        }
        for some in notices.chunks(ROWS) {
            let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
            write.push(notice::Entity::insert_many(rows).build(backend));
        }
        let moved = stage_visit::Entity::update_many()
            .col_expr(stage_visit::Column::NextAlertAt, Expr::col(stage_visit::Column::DueAt))
            .col_expr(stage_visit::Column::AlertedLevel, Expr::val(AlertLevel::Warning))
            .filter(stage_visit::COLUMN.id.is_in(visits.iter().map(|visit| visit.id)));
        write.push(moved.build(backend));
        Ok(Self { write, ..Self::idle(world) })
    }

    pub const fn statements(&self) -> usize {
        1 + self.write.len()
    }

    /// Runs them; answers how many visits were due.
    pub async fn run(&self, db: &Database) -> anyhow::Result<usize> {
        let tx = db.begin().await?;
        let held = tx.query_all_raw(self.hold.clone()).await?;
        for statement in &self.write {
            tx.execute_raw(statement.clone()).await?;
        }
        tx.commit().await?;
        Ok(held.len())
    }
}
