//! Stage visits with their pauses and calendars.

use std::collections::{BTreeSet, HashMap};

use ::entity::{
    clock_pause,
    id::{CalendarId, CompanyId, PersonId, SlaPolicyVersionId, StageVisitId, TicketId},
    stage_visit, ticket,
    vocab::Stage,
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationTrait, Select,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};

use crate::{
    domain::{
        clock_change::{EraRef, Library},
        visit::{Excuse, Rank, Visit, VisitPause},
    },
    store::{
        ROWS, Result, StoreError,
        policies::{self, Overtaken},
    },
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

/// When a visit of a ticket, or a pause of its clock, began or ended last; `None` where it has none.
pub async fn latest_instant(db: &impl ConnectionTrait, ticket: TicketId) -> Result<Option<DateTime<Utc>>> {
    type Instant = Option<DateTime<Utc>>;
    let visits = stage_visit::Entity::find().filter(stage_visit::COLUMN.ticket_id.eq(ticket)).all(db).await?;
    let pauses = clock_pause::Entity::find()
        .select_only()
        .column_as(clock_pause::COLUMN.started_at.max(), "started_at")
        .column_as(clock_pause::COLUMN.ended_at.max(), "ended_at")
        .filter(clock_pause::COLUMN.visit_id.is_in(visits.iter().map(|visit| visit.id)));
    let (paused, resumed) = pauses.into_tuple::<(Instant, Instant)>().one(db).await?.unwrap_or_default();
    let visited = visits.iter().flat_map(|visit| [Some(visit.entered_at), visit.left_at]);
    Ok(visited.chain([paused, resumed]).flatten().max())
}

/// Whether a running visit still follows a version that was overtaken.
pub async fn lags_behind(db: &impl ConnectionTrait, overtaken: &Overtaken) -> Result<bool> {
    match behind(overtaken) {
        Some(selection) => super::page::exists(db, selection).await,
        None => Ok(false),
    }
}

/// Up to `limit` of those visits, held until the transaction ends. Those that somebody else holds are left out.
pub async fn claim_behind(db: &impl ConnectionTrait, overtaken: &Overtaken, limit: u64) -> Result<Vec<Visit>> {
    match behind(overtaken) {
        Some(selection) => load(db, claimed(db, selection.limit(limit))).await,
        None => Ok(Vec::new()),
    }
}

/// By the indexes of running visits. Both databases use them for versions that are named, but not for ones that a subquery finds.
fn behind(Overtaken { policies, calendars }: &Overtaken) -> Option<Select<stage_visit::Entity>> {
    let of = stage_visit::COLUMN;
    let policies = (!policies.is_empty()).then(|| of.policy_version_id.is_in(policies.iter().copied()));
    let calendars = (!calendars.is_empty()).then(|| of.calendar_version_id.is_in(calendars.iter().copied()));
    let either = Condition::any().add_option(policies).add_option(calendars);
    (!either.is_empty()).then(|| stage_visit::Entity::open().filter(either))
}

/// The running visits of a company's tickets, held until the transaction ends.
pub async fn lock_open_of_company(db: &impl ConnectionTrait, company: CompanyId) -> Result<Vec<Visit>> {
    let tickets = ticket::Entity::find().select_only().column(ticket::Column::Id);
    let tickets = tickets.filter(ticket::COLUMN.company_id.eq(company)).into_query();
    let of_company = Expr::col(stage_visit::Column::TicketId).in_subquery(tickets);
    let mut selection = stage_visit::Entity::open().filter(of_company).order_by_asc(stage_visit::Column::Id);
    if db.get_database_backend() == DbBackend::Postgres {
        selection = selection.lock_exclusive();
    }
    load(db, selection).await
}

/// Up to `limit` tickets with a pause that ends by itself by `now`.
pub async fn tickets_to_wake(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<TicketId>> {
    Ok(clock_pause::Entity::find()
        .select_only()
        .column(stage_visit::Column::TicketId)
        .filter(clock_pause::COLUMN.ended_at.is_null())
        .filter(clock_pause::COLUMN.resume_at.is_not_null())
        .filter(clock_pause::COLUMN.resume_at.lte(now))
        .join(JoinType::InnerJoin, clock_pause::Relation::StageVisit.def())
        .order_by_asc(clock_pause::Column::ResumeAt)
        .limit(limit)
        .into_tuple::<TicketId>()
        .all(db)
        .await?)
}

/// Which running visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenVisits {
    /// Those in a stage.
    InStage(Stage),
    /// Those that are counted in a calendar.
    CountedIn(CalendarId),
}

/// Up to `limit` running visits after an id, in the order of ids.
pub async fn open_after(
    db: &impl ConnectionTrait,
    which: OpenVisits,
    after: Option<StageVisitId>,
    limit: u64,
) -> Result<Vec<Visit>> {
    let mut selection = stage_visit::Entity::open().order_by_asc(stage_visit::Column::Id).limit(limit);
    selection = match which {
        OpenVisits::InStage(stage) => selection.filter(stage_visit::COLUMN.stage.eq(stage)),
        OpenVisits::CountedIn(calendar) => selection.filter(stage_visit::COLUMN.calendar_id.eq(calendar)),
    };
    if let Some(after) = after {
        selection = selection.filter(stage_visit::COLUMN.id.gt(after));
    }
    load(db, selection).await
}

/// Excuses the breach of a visit, once.
pub async fn excuse(
    db: &impl ConnectionTrait,
    id: StageVisitId,
    by: Option<PersonId>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let result = stage_visit::Entity::update_many()
        .col_expr(stage_visit::Column::ExcusedAt, Expr::val(now))
        .col_expr(stage_visit::Column::ExcusedBy, Expr::val(by))
        .col_expr(stage_visit::Column::Excuse, Expr::val(reason))
        .filter(stage_visit::COLUMN.id.eq(id))
        .filter(stage_visit::COLUMN.excused_at.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

fn claimed(db: &impl ConnectionTrait, selection: Select<stage_visit::Entity>) -> Select<stage_visit::Entity> {
    if db.get_database_backend() == DbBackend::Postgres {
        selection.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
    } else {
        selection
    }
}

/// Up to `limit` visits that the scan must look at, the longest due first, held until the transaction ends. Those that
/// another replica holds are left to it.
pub async fn claim_due(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<Visit>> {
    let selection = stage_visit::Entity::find()
        .filter(stage_visit::COLUMN.next_alert_at.is_not_null())
        .filter(stage_visit::COLUMN.next_alert_at.lte(now))
        .order_by_asc(stage_visit::Column::NextAlertAt)
        .limit(limit);
    load(db, claimed(db, selection)).await
}

/// Stores visits, new or changed, with their pauses: two statements for some hundred.
pub async fn save_many(db: &impl ConnectionTrait, visits: &[Visit]) -> Result<()> {
    let columns = [
        stage_visit::Column::LeftAt,
        stage_visit::Column::CalendarId,
        stage_visit::Column::PolicyVersionId,
        stage_visit::Column::CalendarVersionId,
        stage_visit::Column::Eras,
        stage_visit::Column::Priority,
        stage_visit::Column::Tier,
        stage_visit::Column::OverrideDueAt,
        stage_visit::Column::AcknowledgedAt,
        stage_visit::Column::SnoozedUntil,
        stage_visit::Column::MovedAt,
        stage_visit::Column::Tzdb,
        stage_visit::Column::Budget,
        stage_visit::Column::DeadlineOn,
        stage_visit::Column::DueAt,
        stage_visit::Column::OriginalDueAt,
        stage_visit::Column::WarnsAt,
        stage_visit::Column::BreachedAt,
        stage_visit::Column::ElapsedUs,
        stage_visit::Column::PausedUs,
        stage_visit::Column::AssigneeId,
        stage_visit::Column::LateAt,
        stage_visit::Column::NextAlertAt,
        stage_visit::Column::AlertedLevel,
    ];
    for some in visits.chunks(ROWS) {
        let rows = some.iter().map(|visit| Ok(to_row(visit)?.into_active_model().reset_all()));
        stage_visit::Entity::insert_many(rows.collect::<Result<Vec<_>>>()?)
            .on_conflict(OnConflict::column(stage_visit::Column::Id).update_columns(columns).to_owned())
            .exec_without_returning(db)
            .await?;
    }
    let pauses: Vec<_> =
        visits.iter().flat_map(|visit| visit.pauses.iter().map(|pause| pause_row(visit.id, pause))).collect();
    for some in pauses.chunks(ROWS) {
        let rows = some.iter().map(|row| row.clone().into_active_model().reset_all());
        let ended = OnConflict::column(clock_pause::Column::Id).update_column(clock_pause::Column::EndedAt).to_owned();
        clock_pause::Entity::insert_many(rows).on_conflict(ended).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Stores a visit, new or changed, with its pauses.
pub async fn save(db: &impl ConnectionTrait, visit: &Visit) -> Result<()> {
    save_many(db, std::slice::from_ref(visit)).await
}

fn pause_row(visit_id: StageVisitId, pause: &VisitPause) -> clock_pause::Model {
    let VisitPause { id, reason, started_at, ended_at, resume_at } = *pause;
    clock_pause::Model { id, visit_id, reason, started_at, ended_at, resume_at }
}

/// Four statements, however many visits: the visits, their pauses, their policies, their calendars.
async fn load(db: &impl ConnectionTrait, selection: Select<stage_visit::Entity>) -> Result<Vec<Visit>> {
    let rows = selection.all(db).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut pauses: HashMap<StageVisitId, Vec<VisitPause>> = HashMap::new();
    let pause_rows = clock_pause::Entity::find()
        .filter(clock_pause::COLUMN.visit_id.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(clock_pause::Column::StartedAt)
        .order_by_asc(clock_pause::Column::Id)
        .all(db)
        .await?;
    for clock_pause::Model { id, visit_id, reason, started_at, ended_at, resume_at } in pause_rows {
        pauses.entry(visit_id).or_default().push(VisitPause { id, reason, started_at, ended_at, resume_at });
    }
    let eras = rows.iter().map(eras_of).collect::<Result<Vec<_>>>()?;
    let library = library(db, rows.iter().map(|row| row.policy_version_id), eras.iter().flatten()).await?;
    rows.into_iter().zip(eras).map(|(row, eras)| from_row(row, &eras, &mut pauses, &library)).collect()
}

/// The versions of policies and calendars that are named: two statements.
pub async fn library<'a>(
    db: &impl ConnectionTrait,
    policies: impl IntoIterator<Item = SlaPolicyVersionId>,
    eras: impl IntoIterator<Item = &'a EraRef>,
) -> Result<Library> {
    let policies: BTreeSet<_> = policies.into_iter().collect();
    let calendars: BTreeSet<_> = eras.into_iter().map(|era| era.version).collect();
    Ok(Library {
        policies: policies::policy_versions_by_id(db, policies.into_iter().collect()).await?,
        calendars: policies::calendar_versions_by_id(db, calendars.into_iter().collect()).await?,
    })
}

fn eras_of(row: &stage_visit::Model) -> Result<Vec<EraRef>> {
    serde_json::from_value(row.eras.clone()).map_err(|error| StoreError::corrupt("stage visit", error))
}

fn from_row(
    row: stage_visit::Model,
    eras: &[EraRef],
    pauses: &mut HashMap<StageVisitId, Vec<VisitPause>>,
    library: &Library,
) -> Result<Visit> {
    let corrupt = |error| StoreError::corrupt("stage visit", error);
    let budget = row.budget.as_deref().map(str::parse).transpose();
    Ok(Visit {
        id: row.id,
        ticket_id: row.ticket_id,
        stage: row.stage,
        entered_at: row.entered_at,
        left_at: row.left_at,
        policy: library.policy(row.policy_version_id).map_err(corrupt)?,
        rank: Rank { priority: row.priority, tier: row.tier },
        timeline: library.timeline(eras).map_err(corrupt)?,
        budget: budget.map_err(|error| StoreError::corrupt("budget", error))?,
        deadline_on: row.deadline_on,
        override_due_at: row.override_due_at,
        pauses: pauses.remove(&row.id).unwrap_or_default(),
        due_at: row.due_at,
        original_due_at: row.original_due_at,
        warns_at: row.warns_at,
        breached_at: row.breached_at,
        elapsed: row.elapsed_us.map(TimeDelta::microseconds),
        paused: row.paused_us.map(TimeDelta::microseconds),
        assignee: row.assignee_id,
        late_at: row.late_at,
        next_alert_at: row.next_alert_at,
        alerted_level: row.alerted_level,
        acknowledged_at: row.acknowledged_at,
        snoozed_until: row.snoozed_until,
        moved_at: row.moved_at,
        excuse: row.excused_at.map(|at| Excuse { at, by: row.excused_by, reason: row.excuse.unwrap_or_default() }),
    })
}

/// An excuse is no part of the clock: [`excuse`] alone stores it.
fn to_row(visit: &Visit) -> Result<stage_visit::Model> {
    let eras: Vec<_> = visit.timeline.eras().map(EraRef::from).collect();
    let latest = visit.timeline.latest();
    Ok(stage_visit::Model {
        id: visit.id,
        ticket_id: visit.ticket_id,
        stage: visit.stage,
        entered_at: visit.entered_at,
        left_at: visit.left_at,
        calendar_id: latest.calendar_id,
        policy_version_id: visit.policy.id,
        calendar_version_id: latest.id,
        eras: serde_json::to_value(eras).map_err(|error| StoreError::corrupt("stage visit", error))?,
        priority: visit.rank.priority,
        tier: visit.rank.tier,
        budget: visit.budget.map(|length| length.to_string()),
        deadline_on: visit.deadline_on,
        due_at: visit.due_at,
        original_due_at: visit.original_due_at,
        warns_at: visit.warns_at,
        breached_at: visit.breached_at,
        elapsed_us: visit.elapsed.and_then(|elapsed| elapsed.num_microseconds()),
        paused_us: visit.paused.and_then(|paused| paused.num_microseconds()),
        assignee_id: visit.assignee,
        late_at: visit.late_at,
        next_alert_at: visit.next_alert_at,
        alerted_level: visit.alerted_level,
        override_due_at: visit.override_due_at,
        acknowledged_at: visit.acknowledged_at,
        snoozed_until: visit.snoozed_until,
        moved_at: visit.moved_at,
        excused_at: None,
        excused_by: None,
        excuse: None,
        tzdb: Some(chrono_tz::IANA_TZDB_VERSION.to_owned()),
    })
}
