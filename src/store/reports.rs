//! Reports, computed where the rows are. One text serves both databases, but for how each takes a list of JSON apart.

use ::entity::{
    id::{CompanyId, PersonId, StageVisitId, TicketId},
    stage_visit,
    vocab::{Category, CompanyTier, DeEscalationReason, Priority, ReportDimension, Stage, Team},
};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Order, QueryFilter, Statement, Value, sea_query::Expr,
};

use crate::{
    domain::{
        process,
        report::{Deliveries, Figures, Group, Losses, Lost, ReportRequest},
    },
    store::{
        Result, StoreError,
        page::{Keyset, Page, Window, fetch},
    },
};

/// Visits that ended in the time of the report, ranked by their working time in each group. `{…}` are the dimensions: what a group is
/// not made by is null for all.
const FIGURES: &str = "
WITH ended AS (
    SELECT {stage} AS stage, {team} AS team, {company} AS company_id, {tier} AS tier, {priority} AS priority,
        {assignee} AS assignee_id, {category} AS category,
        visit.due_at, visit.breached_at, visit.excused_at, COALESCE(visit.elapsed_us, 0) AS elapsed_us,
        COALESCE(visit.paused_us, 0) AS paused_us
    FROM stage_visit AS visit JOIN ticket ON ticket.id = visit.ticket_id
    WHERE visit.left_at >= $1 AND visit.left_at < $2
), ranked AS (
    SELECT ended.*,
        ROW_NUMBER() OVER (PARTITION BY stage, team, company_id, tier, priority, assignee_id, category ORDER BY elapsed_us)
            AS number,
        COUNT(*) OVER (PARTITION BY stage, team, company_id, tier, priority, assignee_id, category) AS visits
    FROM ended
), figures AS (
    SELECT stage, team, company_id, tier, priority, assignee_id, category,
        COUNT(*) AS visits,
        COUNT(CASE WHEN breached_at IS NULL AND due_at IS NOT NULL THEN 1 END) AS met,
        COUNT(breached_at) AS missed,
        COUNT(CASE WHEN breached_at IS NOT NULL AND excused_at IS NOT NULL THEN 1 END) AS excused,
        COUNT(CASE WHEN paused_us > 0 THEN 1 END) AS paused,
        CAST(SUM(paused_us) AS bigint) AS paused_time,
        CAST(SUM(elapsed_us) AS bigint) AS working_time,
        MAX(CASE WHEN number = (visits * 50 + 99) / 100 THEN elapsed_us END) AS median,
        MAX(CASE WHEN number = (visits * 90 + 99) / 100 THEN elapsed_us END) AS p90,
        MAX(CASE WHEN number = (visits * 95 + 99) / 100 THEN elapsed_us END) AS p95
    FROM ranked
    GROUP BY stage, team, company_id, tier, priority, assignee_id, category
)
SELECT figures.*, company.name AS company_name, person.name AS assignee_name
FROM figures LEFT JOIN company ON company.id = figures.company_id LEFT JOIN person ON person.id = figures.assignee_id
LIMIT {limit}";

/// Each de-escalation in the time of the report, and the working time that it cost.
const LOST: &str = "
WITH lost AS (
    SELECT visit.stage AS sent_from, event.data->>'to_stage' AS sent_to,
        event.data->'de_escalation_reasons' AS reasons,
        COALESCE(visit.elapsed_us, 0) + COALESCE((
            SELECT SUM(later.elapsed_us) FROM stage_visit AS later
            WHERE later.ticket_id = visit.ticket_id AND later.entered_at >= visit.left_at AND later.left_at IS NOT NULL
                AND NOT EXISTS (
                    SELECT 1 FROM stage_visit AS back
                    WHERE back.ticket_id = visit.ticket_id AND back.stage = visit.stage
                        AND back.entered_at >= visit.left_at AND back.entered_at <= later.entered_at
                )
        ), 0) AS time
    FROM stage_visit AS visit
    JOIN ticket_event AS event ON event.ticket_id = visit.ticket_id AND event.happened_at = visit.left_at
    WHERE visit.left_at >= $1 AND visit.left_at < $2
        AND event.kind = 'TICKET_MOVED' AND event.data->>'move_kind' = 'DE_ESCALATE'
        AND event.data->>'from_stage' = visit.stage
)";
const LOST_BY_STAGES: &str = "
SELECT sent_from, sent_to, COUNT(*) AS count, CAST(SUM(time) AS bigint) AS time FROM lost
GROUP BY sent_from, sent_to ORDER BY sent_from, sent_to";
/// PostgreSQL, and SQLite.
const LOST_BY_REASON: [&str; 2] = [
    "SELECT reason.value AS reason, COUNT(*) AS count, CAST(SUM(time) AS bigint) AS time
     FROM lost CROSS JOIN LATERAL jsonb_array_elements_text(reasons) AS reason (value) GROUP BY reason.value",
    "SELECT reason.value AS reason, COUNT(*) AS count, SUM(time) AS time
     FROM lost CROSS JOIN json_each(reasons) AS reason GROUP BY reason.value",
];

/// Tickets that were resolved in the time of the report, and whose client was told a date.
const DELIVERIES: &str = "
SELECT COUNT(*) AS promised,
    COUNT(CASE WHEN delivered_on <= promised_delivery_date THEN 1 END) AS kept,
    COUNT(CASE WHEN delivered_on <= first_promised_date THEN 1 END) AS kept_first
FROM ticket
WHERE closed_at >= $1 AND closed_at < $2 AND stage = 'CLOSED_RESOLVED' AND promised_delivery_date IS NOT NULL";

#[derive(Debug, FromQueryResult)]
struct FiguresRow {
    stage: Option<String>,
    team: Option<String>,
    company_id: Option<CompanyId>,
    company_name: Option<String>,
    tier: Option<String>,
    priority: Option<String>,
    assignee_id: Option<PersonId>,
    assignee_name: Option<String>,
    category: Option<String>,
    visits: i64,
    met: i64,
    missed: i64,
    excused: i64,
    paused: i64,
    paused_time: i64,
    working_time: i64,
    median: i64,
    p90: i64,
    p95: i64,
}

/// The figures of each group, up to `limit` of them, in no order.
pub async fn figures(db: &impl ConnectionTrait, request: &ReportRequest, limit: u64) -> Result<Vec<(Group, Figures)>> {
    let teams = Stage::all().filter_map(|stage| Some((stage, process::stage(stage).owner?)));
    let teams = teams.map(|(stage, team)| format!("WHEN '{}' THEN '{}'", stage.word(), team.word()));
    let team = format!("CASE visit.stage {} END", teams.collect::<Vec<_>>().join(" "));
    let sql = [
        ("{stage}", ReportDimension::Stage, "visit.stage", "text"),
        ("{team}", ReportDimension::Team, team.as_str(), "text"),
        ("{company}", ReportDimension::Company, "ticket.company_id", "uuid"),
        ("{tier}", ReportDimension::Tier, "visit.tier", "text"),
        ("{priority}", ReportDimension::Priority, "visit.priority", "text"),
        ("{assignee}", ReportDimension::Assignee, "visit.assignee_id", "uuid"),
        ("{category}", ReportDimension::Category, "ticket.category", "text"),
    ]
    .iter()
    .fold(FIGURES.replace("{limit}", &limit.to_string()), |sql, (place, dimension, column, of_type)| {
        let is_wanted = request.group_by.contains(dimension);
        let nothing = format!("CAST(NULL AS {of_type})");
        sql.replace(place, if is_wanted { column } else { &nothing })
    });
    let rows = FiguresRow::find_by_statement(over(db, request, &sql)).all(db).await?;
    rows.into_iter().map(read).collect()
}

fn read(row: FiguresRow) -> Result<(Group, Figures)> {
    let group = Group {
        stage: word(row.stage, Stage::parse)?,
        team: word(row.team, Team::parse)?,
        company: row.company_id.map(|id| (id, row.company_name.unwrap_or_default())),
        tier: word(row.tier, CompanyTier::parse)?,
        priority: word(row.priority, Priority::parse)?,
        assignee: row.assignee_id.map(|id| (id, row.assignee_name.unwrap_or_default())),
        category: word(row.category, Category::parse)?,
    };
    let figures = Figures {
        visits: row.visits,
        met: row.met,
        missed: row.missed,
        excused: row.excused,
        paused: row.paused,
        paused_time: TimeDelta::microseconds(row.paused_time),
        working_time: TimeDelta::microseconds(row.working_time),
        median: TimeDelta::microseconds(row.median),
        p90: TimeDelta::microseconds(row.p90),
        p95: TimeDelta::microseconds(row.p95),
    };
    Ok((group, figures))
}

/// Time lost to de-escalation: two statements.
pub async fn losses(db: &impl ConnectionTrait, request: &ReportRequest) -> Result<Losses> {
    #[derive(FromQueryResult)]
    struct ByStages {
        sent_from: String,
        sent_to: String,
        count: i64,
        time: i64,
    }
    #[derive(FromQueryResult)]
    struct ByReason {
        reason: String,
        count: i64,
        time: i64,
    }
    let rows = ByStages::find_by_statement(over(db, request, &format!("{LOST}{LOST_BY_STAGES}"))).all(db).await?;
    let mut losses = Losses::default();
    for row in rows {
        let team = |stage| known(stage, Stage::parse).map(|stage| process::stage(stage).owner);
        if let (Some(from), Some(to)) = (team(row.sent_from)?, team(row.sent_to)?) {
            losses.by_teams.push(Lost { key: (from, to), count: row.count, time: TimeDelta::microseconds(row.time) });
        }
    }
    let [postgres, sqlite] = LOST_BY_REASON;
    let by_reason = if db.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite };
    let rows = ByReason::find_by_statement(over(db, request, &format!("{LOST}{by_reason}"))).all(db).await?;
    for row in rows {
        let key = known(row.reason, DeEscalationReason::parse)?;
        losses.by_reason.push(Lost { key, count: row.count, time: TimeDelta::microseconds(row.time) });
    }
    losses.by_reason.sort_by_key(|lost| lost.key);
    Ok(losses)
}

/// How delivery dates were kept.
pub async fn deliveries(db: &impl ConnectionTrait, request: &ReportRequest) -> Result<Deliveries> {
    #[derive(FromQueryResult)]
    struct Row {
        promised: i64,
        kept: i64,
        kept_first: i64,
    }
    let row = Row::find_by_statement(over(db, request, DELIVERIES)).one(db).await?;
    Ok(row.map_or_else(Deliveries::default, |Row { promised, kept, kept_first }| Deliveries {
        promised,
        kept,
        kept_first,
    }))
}

/// A running clock that is late by an instant if nobody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub visit_id: StageVisitId,
    pub ticket_id: TicketId,
    pub stage: Stage,
    /// When it is late, or was.
    pub late_at: DateTime<Utc>,
}

/// A page of the running clocks that are late by then, the first to be late first.
pub async fn late_by(db: &impl ConnectionTrait, until: DateTime<Utc>, window: Window) -> Result<Page<Forecast>> {
    let late_at = Expr::col((stage_visit::Entity, stage_visit::Column::LateAt));
    let id = Expr::col((stage_visit::Entity, stage_visit::Column::Id));
    let keyset = Keyset::by(late_at, Order::Asc, id, window);
    let page = fetch(db, stage_visit::Entity::find().filter(stage_visit::COLUMN.late_at.lt(until)), &keyset).await?;
    Ok(page.with_rows(|rows| {
        rows.into_iter()
            .filter_map(|row| {
                let late_at = row.late_at?;
                Some(Forecast { visit_id: row.id, ticket_id: row.ticket_id, stage: row.stage, late_at })
            })
            .collect()
    }))
}

/// How many running clocks are late by then.
pub async fn count_late_by(db: &impl ConnectionTrait, until: DateTime<Utc>) -> Result<u64> {
    super::page::count(db, stage_visit::Entity::find().filter(stage_visit::COLUMN.late_at.lt(until))).await
}

fn over(db: &impl ConnectionTrait, request: &ReportRequest, sql: &str) -> Statement {
    let window = [request.from, request.to].map(Value::from);
    Statement::from_sql_and_values(db.get_database_backend(), sql, window)
}

fn word<T>(text: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    text.map(|text| known(text, parse)).transpose()
}

fn known<T>(text: String, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    parse(&text).ok_or_else(|| StoreError::corrupt("report", format!("{text} is no word of ours")))
}
