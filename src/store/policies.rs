//! SLA policies and working calendars.

use std::{collections::HashMap, sync::Arc};

use ::entity::{calendar, id::CalendarId, sla_policy, vocab::Stage};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    Statement,
};

use crate::{
    domain::{
        calendar::{CalendarDefinition, WorkingCalendar},
        visit::Policy,
    },
    store::{Result, StoreError},
};

/// The key of the lock between those who start clocks and those who change what clocks follow; an arbitrary constant.
const FOLLOWERS_LOCK: i64 = 0x504f_4c49_4359;

/// Keeps policies and calendars from changing until the transaction ends. Whoever starts a clock takes this before any visit:
/// a clock that was started meanwhile would never follow the change.
pub async fn hold(db: &impl ConnectionTrait) -> Result<()> {
    lock(db, "pg_advisory_xact_lock_shared").await
}

/// Waits until nobody [`hold`]s the policies any more, and keeps everybody from it until the transaction ends.
pub async fn hold_to_change(db: &impl ConnectionTrait) -> Result<()> {
    lock(db, "pg_advisory_xact_lock").await
}

/// On SQLite a transaction that writes is alone anyway.
async fn lock(db: &impl ConnectionTrait, function: &str) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = format!("SELECT {function}({FOLLOWERS_LOCK})");
        db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    }
    Ok(())
}

/// The policy of a stage.
pub async fn of_stage(db: &impl ConnectionTrait, stage: Stage) -> Result<Option<Policy>> {
    let row = sla_policy::Entity::find()
        .filter(sla_policy::COLUMN.stage.eq(stage))
        .find_also_related(calendar::Entity)
        .one(db)
        .await?;
    let Some((policy, Some(calendar))) = row else { return Ok(None) };
    policy_from_rows(&policy, calendar).map(Some)
}

/// A policy with its calendar, as the rules see it.
pub fn policy_from_rows(policy: &sla_policy::Model, calendar: calendar::Model) -> Result<Policy> {
    let budget = policy.budget.as_deref().map(str::parse).transpose();
    Ok(Policy {
        stage: policy.stage,
        budget: budget.map_err(|error| StoreError::corrupt("budget", error))?,
        calendar_id: calendar.id,
        calendar: Arc::new(working_calendar(calendar)?),
    })
}

/// All policies with their calendars, in the order of the process.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<(sla_policy::Model, calendar::Model)>> {
    let rows = sla_policy::Entity::find().find_also_related(calendar::Entity).all(db).await?;
    let mut policies: Vec<_> = rows.into_iter().filter_map(|(policy, row)| Some((policy, row?))).collect();
    policies.sort_by_key(|(policy, _)| policy.stage);
    Ok(policies)
}

/// The row of a stage's policy.
pub async fn find(db: &impl ConnectionTrait, stage: Stage) -> Result<Option<sla_policy::Model>> {
    Ok(sla_policy::Entity::find().filter(sla_policy::COLUMN.stage.eq(stage)).one(db).await?)
}

/// Stores a new policy.
pub async fn insert(db: &impl ConnectionTrait, policy: sla_policy::Model) -> Result<()> {
    sla_policy::Entity::insert(policy.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed policy.
pub async fn save(db: &impl ConnectionTrait, policy: &mut sla_policy::Model) -> Result<()> {
    let read_version = policy.version;
    policy.version += 1;
    let result = sla_policy::Entity::update_many()
        .set(policy.clone().into_active_model().reset_all())
        .filter(sla_policy::COLUMN.id.eq(policy.id))
        .filter(sla_policy::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    if result.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// Some calendars, ready to count with.
pub async fn calendars(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = CalendarId>,
) -> Result<HashMap<CalendarId, Arc<WorkingCalendar>>> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort();
    ids.dedup();
    let rows = calendar::Entity::find().filter(calendar::COLUMN.id.is_in(ids)).all(db).await?;
    rows.into_iter().map(|row| Ok((row.id, Arc::new(working_calendar(row)?)))).collect()
}

/// Some calendars' rows.
pub async fn calendars_by_id(db: &impl ConnectionTrait, ids: &[CalendarId]) -> Result<Vec<calendar::Model>> {
    Ok(calendar::Entity::find().filter(calendar::COLUMN.id.is_in(ids.iter().copied())).all(db).await?)
}

/// A calendar's row.
pub async fn calendar(db: &impl ConnectionTrait, id: CalendarId) -> Result<Option<calendar::Model>> {
    Ok(calendar::Entity::find_by_id(id).one(db).await?)
}

/// A calendar's row, by name.
pub async fn calendar_by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<calendar::Model>> {
    Ok(calendar::Entity::find().filter(calendar::COLUMN.name.eq(name)).one(db).await?)
}

/// All calendars, by name.
pub async fn all_calendars(db: &impl ConnectionTrait) -> Result<Vec<calendar::Model>> {
    Ok(calendar::Entity::find().order_by_asc(calendar::Column::Name).all(db).await?)
}

/// Stores a new calendar.
pub async fn insert_calendar(db: &impl ConnectionTrait, row: calendar::Model) -> Result<()> {
    calendar::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed calendar.
pub async fn save_calendar(db: &impl ConnectionTrait, row: &mut calendar::Model) -> Result<()> {
    let read_version = row.version;
    row.version += 1;
    let result = calendar::Entity::update_many()
        .set(row.clone().into_active_model().reset_all())
        .filter(calendar::COLUMN.id.eq(row.id))
        .filter(calendar::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    if result.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// A calendar's definition, from its row.
pub fn definition(row: &calendar::Model) -> Result<CalendarDefinition> {
    serde_json::from_value(row.definition.clone()).map_err(|error| StoreError::corrupt("calendar", error))
}

/// A calendar to count with, from its row.
pub fn working_calendar(row: calendar::Model) -> Result<WorkingCalendar> {
    WorkingCalendar::restore(definition(&row)?).map_err(|error| StoreError::corrupt("calendar", error))
}
