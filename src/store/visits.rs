//! Stage visits with their pauses and calendars.

use std::{collections::HashMap, sync::Arc};

use ::entity::{
    clock_pause,
    id::{CalendarId, StageVisitId, TicketId},
    stage_visit,
    vocab::Stage,
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{LockBehavior, LockType, OnConflict},
};

use crate::{
    domain::{
        calendar::WorkingCalendar,
        visit::{Visit, VisitPause},
    },
    store::{Result, StoreError, policies},
};

/// The open visit of a ticket, held until the transaction ends.
pub async fn lock_open_of(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<Visit>> {
    let mut selection = stage_visit::Entity::open().filter(stage_visit::COLUMN.ticket_id.eq(ticket));
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock_exclusive();
    }
    Ok(load(db, selection).await?.pop())
}

/// The open visits of some tickets.
pub async fn open_of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<HashMap<TicketId, Visit>> {
    let selection = stage_visit::Entity::open().filter(stage_visit::COLUMN.ticket_id.is_in(tickets.iter().copied()));
    Ok(load(db, selection).await?.into_iter().map(|visit| (visit.ticket_id, visit)).collect())
}

/// All visits of some tickets, oldest first.
pub async fn all_of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<Visit>> {
    let selection = stage_visit::Entity::find()
        .filter(stage_visit::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(stage_visit::Column::EnteredAt)
        .order_by_asc(stage_visit::Column::Id);
    load(db, selection).await
}

/// Some visits.
pub async fn by_id(db: &impl ConnectionTrait, ids: &[StageVisitId]) -> Result<Vec<Visit>> {
    load(db, stage_visit::Entity::find().filter(stage_visit::COLUMN.id.is_in(ids.iter().copied()))).await
}

/// The latest visit of a ticket to a stage.
pub async fn latest_of(db: &impl ConnectionTrait, ticket: TicketId, stage: Stage) -> Result<Option<Visit>> {
    let selection = stage_visit::Entity::find()
        .filter(stage_visit::COLUMN.ticket_id.eq(ticket))
        .filter(stage_visit::COLUMN.stage.eq(stage))
        .order_by_desc(stage_visit::Column::EnteredAt)
        .limit(1);
    Ok(load(db, selection).await?.pop())
}

/// The open visits that a changed policy or calendar concerns, held until the transaction ends.
pub async fn open_in(
    db: &impl ConnectionTrait,
    stage: Option<Stage>,
    calendar: Option<CalendarId>,
) -> Result<Vec<Visit>> {
    let mut selection = stage_visit::Entity::open().order_by_asc(stage_visit::Column::Id);
    if let Some(stage) = stage {
        selection = selection.filter(stage_visit::COLUMN.stage.eq(stage));
    }
    if let Some(calendar) = calendar {
        selection = selection.filter(stage_visit::COLUMN.calendar_id.eq(calendar));
    }
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock_exclusive();
    }
    load(db, selection).await
}

/// Up to `limit` visits that the scan must look at, the longest due first, held until the transaction ends. Those that
/// another replica holds are left to it.
pub async fn claim_due(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<Visit>> {
    let mut selection = stage_visit::Entity::find()
        .filter(stage_visit::COLUMN.next_alert_at.is_not_null())
        .filter(stage_visit::COLUMN.next_alert_at.lte(now))
        .order_by_asc(stage_visit::Column::NextAlertAt)
        .limit(limit);
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    load(db, selection).await
}

/// Stores a visit, new or changed, with its pauses.
pub async fn save(db: &impl ConnectionTrait, visit: &Visit) -> Result<()> {
    let columns = [
        stage_visit::Column::LeftAt,
        stage_visit::Column::CalendarId,
        stage_visit::Column::Budget,
        stage_visit::Column::DeadlineOn,
        stage_visit::Column::DueAt,
        stage_visit::Column::OriginalDueAt,
        stage_visit::Column::WarnsAt,
        stage_visit::Column::BreachedAt,
        stage_visit::Column::ElapsedUs,
        stage_visit::Column::NextAlertAt,
        stage_visit::Column::AlertedLevel,
    ];
    stage_visit::Entity::insert(to_row(visit).into_active_model().reset_all())
        .on_conflict(OnConflict::column(stage_visit::Column::Id).update_columns(columns).to_owned())
        .exec_without_returning(db)
        .await?;
    if visit.pauses.is_empty() {
        return Ok(());
    }
    let pauses = visit.pauses.iter().map(|pause| {
        clock_pause::Model {
            id: pause.id,
            visit_id: visit.id,
            reason: pause.reason,
            started_at: pause.started_at,
            ended_at: pause.ended_at,
        }
        .into_active_model()
        .reset_all()
    });
    clock_pause::Entity::insert_many(pauses)
        .on_conflict(OnConflict::column(clock_pause::Column::Id).update_column(clock_pause::Column::EndedAt).to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Three statements, however many visits: the visits, their pauses, their calendars.
async fn load(db: &impl ConnectionTrait, selection: Select<stage_visit::Entity>) -> Result<Vec<Visit>> {
    let rows = selection.all(db).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut pauses: HashMap<StageVisitId, Vec<VisitPause>> = HashMap::new();
    let pause_rows = clock_pause::Entity::find()
        .filter(clock_pause::COLUMN.visit_id.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(clock_pause::Column::StartedAt)
        .all(db)
        .await?;
    for pause in pause_rows {
        pauses.entry(pause.visit_id).or_default().push(VisitPause {
            id: pause.id,
            reason: pause.reason,
            started_at: pause.started_at,
            ended_at: pause.ended_at,
        });
    }
    let calendars = policies::calendars(db, rows.iter().map(|row| row.calendar_id)).await?;
    rows.into_iter().map(|row| from_row(row, &mut pauses, &calendars)).collect()
}

fn from_row(
    row: stage_visit::Model,
    pauses: &mut HashMap<StageVisitId, Vec<VisitPause>>,
    calendars: &HashMap<CalendarId, Arc<WorkingCalendar>>,
) -> Result<Visit> {
    let calendar = calendars
        .get(&row.calendar_id)
        .map(Arc::clone)
        .ok_or_else(|| StoreError::corrupt("stage visit", "its calendar is missing"))?;
    let budget = row.budget.as_deref().map(str::parse).transpose();
    Ok(Visit {
        id: row.id,
        ticket_id: row.ticket_id,
        stage: row.stage,
        entered_at: row.entered_at,
        left_at: row.left_at,
        calendar_id: row.calendar_id,
        calendar,
        budget: budget.map_err(|error| StoreError::corrupt("budget", error))?,
        deadline_on: row.deadline_on,
        pauses: pauses.remove(&row.id).unwrap_or_default(),
        due_at: row.due_at,
        original_due_at: row.original_due_at,
        warns_at: row.warns_at,
        breached_at: row.breached_at,
        elapsed: row.elapsed_us.map(TimeDelta::microseconds),
        next_alert_at: row.next_alert_at,
        alerted_level: row.alerted_level,
    })
}

fn to_row(visit: &Visit) -> stage_visit::Model {
    stage_visit::Model {
        id: visit.id,
        ticket_id: visit.ticket_id,
        stage: visit.stage,
        entered_at: visit.entered_at,
        left_at: visit.left_at,
        calendar_id: visit.calendar_id,
        budget: visit.budget.map(|length| length.to_string()),
        deadline_on: visit.deadline_on,
        due_at: visit.due_at,
        original_due_at: visit.original_due_at,
        warns_at: visit.warns_at,
        breached_at: visit.breached_at,
        elapsed_us: visit.elapsed.and_then(|elapsed| elapsed.num_microseconds()),
        next_alert_at: visit.next_alert_at,
        alerted_level: visit.alerted_level,
    }
}
