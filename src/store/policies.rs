//! SLA policies and working calendars.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ::entity::{
    calendar, calendar_version,
    id::{CalendarId, CalendarVersionId, SlaPolicyId, SlaPolicyVersionId},
    sla_policy, sla_policy_version,
    vocab::Stage,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, Func, Query},
};

use crate::{
    domain::{
        calendar::{
            CalendarDefinition, WorkingCalendar,
            timeline::{CalendarVersion, CalendarVersions},
        },
        policy::PolicyVersion,
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

/// The policies that the stages have at `now`, with every version of their calendars: two statements.
pub async fn in_effect(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<HashMap<Stage, Policy>> {
    let newer = |column| Expr::col(("newer", column));
    let highest = Query::select()
        .expr(Func::max(newer(sla_policy_version::Column::Version)))
        .from_as(sla_policy_version::Entity, "newer")
        .and_where(
            newer(sla_policy_version::Column::Stage)
                .equals((sla_policy_version::Entity, sla_policy_version::Column::Stage)),
        )
        .and_where(newer(sla_policy_version::Column::EffectiveAt).lte(now))
        .take();
    let rows = sla_policy_version::Entity::find()
        .filter(Expr::col((sla_policy_version::Entity, sla_policy_version::Column::Version)).in_subquery(highest))
        .all(db)
        .await?;
    let versions = rows.into_iter().map(policy_version).collect::<Result<Vec<_>>>()?;
    let calendars: BTreeSet<_> = versions.iter().map(|version| version.terms.calendar_id).collect();
    let calendars = calendar_versions(db, calendars.into_iter().collect()).await?;
    let with_calendar = |version: PolicyVersion| {
        let calendar = calendars.get(&version.terms.calendar_id).cloned();
        let calendar = calendar.ok_or_else(|| StoreError::corrupt("policy", "its calendar is missing"))?;
        Ok((version.stage, Policy { version: Arc::new(version), calendar }))
    };
    versions.into_iter().map(with_calendar).collect()
}

/// Versions that running clocks must not follow any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overtaken {
    /// Of policies.
    pub policies: Vec<SlaPolicyVersionId>,
    /// Of the calendars in which the policies are counted.
    pub calendars: Vec<CalendarVersionId>,
}

/// The versions that these policies, which are all that are in effect, have overtaken: one statement.
pub async fn overtaken<'a>(
    db: &impl ConnectionTrait,
    in_effect: impl IntoIterator<Item = &'a Policy>,
) -> Result<Overtaken> {
    let (mut policies, mut calendars) = (Vec::new(), BTreeSet::new());
    for Policy { version, calendar } in in_effect {
        policies.push(version.id);
        calendars.extend(calendar.iter().map(|version| version.id).filter(|id| *id != calendar.latest().id));
    }
    let others = sla_policy_version::Entity::find()
        .select_only()
        .column(sla_policy_version::Column::Id)
        .filter(sla_policy_version::COLUMN.id.is_not_in(policies));
    let policies = others.into_tuple::<SlaPolicyVersionId>().all(db).await?;
    Ok(Overtaken { policies, calendars: calendars.into_iter().collect() })
}

/// Every version of some calendars.
pub async fn calendar_versions(
    db: &impl ConnectionTrait,
    ids: Vec<CalendarId>,
) -> Result<HashMap<CalendarId, CalendarVersions>> {
    let rows = calendar_version::Entity::find().filter(calendar_version::COLUMN.calendar_id.is_in(ids)).all(db).await?;
    let mut versions: HashMap<CalendarId, Vec<_>> = HashMap::new();
    for row in rows {
        versions.entry(row.calendar_id).or_default().push(Arc::new(read_calendar_version(row)?));
    }
    Ok(versions.into_iter().filter_map(|(id, versions)| Some((id, CalendarVersions::new(versions)?))).collect())
}

/// Some versions of calendars, ready to count with.
pub async fn calendar_versions_by_id(
    db: &impl ConnectionTrait,
    ids: Vec<CalendarVersionId>,
) -> Result<HashMap<CalendarVersionId, Arc<CalendarVersion>>> {
    let rows = calendar_version::Entity::find().filter(calendar_version::COLUMN.id.is_in(ids)).all(db).await?;
    rows.into_iter().map(|row| Ok((row.id, Arc::new(read_calendar_version(row)?)))).collect()
}

/// Some versions of policies.
pub async fn policy_versions_by_id(
    db: &impl ConnectionTrait,
    ids: Vec<SlaPolicyVersionId>,
) -> Result<HashMap<SlaPolicyVersionId, Arc<PolicyVersion>>> {
    let rows = sla_policy_version::Entity::find().filter(sla_policy_version::COLUMN.id.is_in(ids)).all(db).await?;
    rows.into_iter().map(|row| Ok((row.id, Arc::new(policy_version(row)?)))).collect()
}

/// The latest version of a stage's policy, in effect or not yet.
pub async fn latest_version(db: &impl ConnectionTrait, stage: Stage) -> Result<Option<PolicyVersion>> {
    let selection = sla_policy_version::Entity::find().filter(sla_policy_version::COLUMN.stage.eq(stage));
    let row = selection.order_by_desc(sla_policy_version::Column::Version).one(db).await?;
    row.map(policy_version).transpose()
}

/// The versions of some policies, the latest first.
pub async fn versions_of_policies(
    db: &impl ConnectionTrait,
    ids: &[SlaPolicyId],
) -> Result<Vec<sla_policy_version::Model>> {
    let selection =
        sla_policy_version::Entity::find().filter(sla_policy_version::COLUMN.policy_id.is_in(ids.iter().copied()));
    Ok(selection.order_by_desc(sla_policy_version::Column::Version).all(db).await?)
}

/// The versions of some calendars, the latest first.
pub async fn versions_of_calendars(
    db: &impl ConnectionTrait,
    ids: &[CalendarId],
) -> Result<Vec<calendar_version::Model>> {
    let selection =
        calendar_version::Entity::find().filter(calendar_version::COLUMN.calendar_id.is_in(ids.iter().copied()));
    Ok(selection.order_by_desc(calendar_version::Column::Version).all(db).await?)
}

/// Stores a new version of a policy.
pub async fn insert_version(db: &impl ConnectionTrait, row: sla_policy_version::Model) -> Result<()> {
    sla_policy_version::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a new version of a calendar.
pub async fn insert_calendar_version(db: &impl ConnectionTrait, row: calendar_version::Model) -> Result<()> {
    calendar_version::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// A version of a policy, from its row.
pub fn policy_version(row: sla_policy_version::Model) -> Result<PolicyVersion> {
    let sla_policy_version::Model { id, policy_id, stage, version, effective_at, terms, .. } = row;
    let terms = serde_json::from_value(terms).map_err(|error| StoreError::corrupt("policy", error))?;
    Ok(PolicyVersion { id, policy_id, stage, version, effective_at, terms: Arc::new(terms) })
}

/// A version of a calendar, from its row.
pub fn read_calendar_version(row: calendar_version::Model) -> Result<CalendarVersion> {
    let calendar_version::Model { id, calendar_id, version, effective_at, definition, .. } = row;
    let definition = serde_json::from_value(definition).map_err(|error| StoreError::corrupt("calendar", error))?;
    let calendar = WorkingCalendar::restore(definition).map_err(|error| StoreError::corrupt("calendar", error))?;
    Ok(CalendarVersion { id, calendar_id, version, effective_at, calendar })
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
