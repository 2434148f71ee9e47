//! Reports.

use async_graphql::{ComplexObject, Context, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    id::{CompanyId, PersonId, TicketId},
    vocab::{Category, CompanyTier, DeEscalationReason, Priority, Stage, Team},
};

use crate::{
    domain::{
        process,
        report::{self, Figures, Group},
    },
    graphql::{
        context::loaders,
        error::ApiError,
        scalar::Duration,
        types::{
            directory::{Company, Person},
            ticket::Ticket,
        },
    },
    store::reports::Forecast,
};

/// What the clocks showed of the stays in stages that ended within a time.
#[derive(SimpleObject)]
pub struct SlaReport {
    /// Over all of them.
    total: SlaFigures,
    /// For each group that has any, in the order of the dimensions.
    groups: Vec<SlaReportGroup>,
    /// Time lost to de-escalation, by reason; one with two reasons counts for both.
    lost_by_reason: Vec<LostByReason>,
    /// Time lost to de-escalation, by who sent it back to whom.
    lost_by_teams: Vec<LostByTeams>,
    /// How delivery dates were kept.
    deliveries: DeliveryDatesKept,
}

/// The figures of a group of stays.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct SlaReportGroup {
    #[graphql(skip)]
    company_id: Option<CompanyId>,
    #[graphql(skip)]
    assignee_id: Option<PersonId>,
    /// The stage; null where it is not grouped by.
    stage: Option<Stage>,
    /// The team that owns the stage; null where it is not grouped by.
    team: Option<Team>,
    /// The tier of the ticket's company when the budget was decided; null where it was not known, or is not grouped by.
    tier: Option<CompanyTier>,
    /// The ticket's priority when the budget was decided; null where it had none, or is not grouped by.
    priority: Option<Priority>,
    /// The ticket's category; null where it is not grouped by.
    category: Option<Category>,
    /// The figures.
    figures: SlaFigures,
}

/// The figures of a group of stays.
#[ComplexObject]
impl SlaReportGroup {
    /// The ticket's company; null where it is not grouped by.
    async fn company(&self, context: &Context<'_>) -> Result<Option<Company>, ApiError> {
        let Some(id) = self.company_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Company))
    }

    /// Who had the ticket when it left the stage; null where nobody had, or it is not grouped by.
    async fn assignee(&self, context: &Context<'_>) -> Result<Option<Person>, ApiError> {
        let Some(id) = self.assignee_id else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Person::from))
    }
}

/// The figures of some stays. Working times are those of each stay's own calendar, without pauses; percentiles are by nearest rank.
#[derive(SimpleObject)]
pub struct SlaFigures {
    /// How many stays.
    visits: i64,
    /// Those that ended in time.
    met: i64,
    /// Those that ended late, excused or not.
    missed: i64,
    /// Those of the missed ones that a manager excused.
    excused: i64,
    /// Those without a budget or a date: neither met nor missed.
    without_clock: i64,
    /// Those in which pauses took working time.
    paused: i64,
    /// The working time that pauses took.
    paused_time: Duration,
    /// The working time that the stays took.
    working_time: Duration,
    /// Half of the stays took no more.
    median: Duration,
    /// Nine in ten of the stays took no more.
    p90: Duration,
    /// Nineteen in twenty of the stays took no more.
    p95: Duration,
}

/// The working time that de-escalations for a reason cost: of the stay that each ended, and of those that followed until the ticket was
/// back in that stage.
#[derive(SimpleObject)]
pub struct LostByReason {
    /// The reason.
    reason: DeEscalationReason,
    /// How many de-escalations.
    count: i64,
    /// The working time.
    time: Duration,
}

/// The working time that de-escalations from one team to another cost: of the stay that each ended, and of those that followed until
/// the ticket was back in that stage.
#[derive(SimpleObject)]
pub struct LostByTeams {
    /// The team that sent tickets back.
    from: Team,
    /// The team that they were sent to.
    to: Team,
    /// How many de-escalations.
    count: i64,
    /// The working time.
    time: Duration,
}

/// How delivery dates were kept by the tickets that were resolved within the time and whose client was told one.
#[derive(SimpleObject)]
pub struct DeliveryDatesKept {
    /// How many tickets.
    promised: i64,
    /// Those delivered by the date that was told last.
    kept: i64,
    /// Those delivered by the date that was told first.
    kept_first: i64,
}

/// A running clock that is late by then if nobody acts.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct BreachForecast {
    #[graphql(skip)]
    ticket_id: TicketId,
    /// The stage whose clock it is.
    stage: Stage,
    /// The team that owns the stage.
    team: Option<Team>,
    /// The due time that will be missed, or was.
    late_at: DateTime<Utc>,
    /// Whether it is late already.
    is_late: bool,
}

/// A running clock that is late by then if nobody acts.
#[ComplexObject]
impl BreachForecast {
    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        Ok(loaders(context)?.load_one(self.ticket_id).await?.map(Ticket::from))
    }
}

impl BreachForecast {
    /// As it stands at `now`.
    pub fn new(row: Forecast, now: DateTime<Utc>) -> Self {
        let Forecast { ticket_id, stage, late_at, .. } = row;
        Self { ticket_id, stage, team: process::stage(stage).owner, late_at, is_late: late_at < now }
    }
}

impl From<report::SlaReport> for SlaReport {
    fn from(report: report::SlaReport) -> Self {
        let by_reason = report.losses.by_reason.into_iter();
        let by_teams = report.losses.by_teams.into_iter();
        Self {
            total: report.total.into(),
            groups: report.groups.into_iter().map(SlaReportGroup::from).collect(),
            lost_by_reason: by_reason
                .map(|lost| LostByReason { reason: lost.key, count: lost.count, time: Duration(lost.time) })
                .collect(),
            lost_by_teams: by_teams
                .map(|lost| {
                    let (from, to) = lost.key;
                    LostByTeams { from, to, count: lost.count, time: Duration(lost.time) }
                })
                .collect(),
            deliveries: DeliveryDatesKept {
                promised: report.deliveries.promised,
                kept: report.deliveries.kept,
                kept_first: report.deliveries.kept_first,
            },
        }
    }
}

impl From<(Group, Figures)> for SlaReportGroup {
    fn from((group, figures): (Group, Figures)) -> Self {
        Self {
            company_id: group.company.map(|(id, _)| id),
            assignee_id: group.assignee.map(|(id, _)| id),
            stage: group.stage,
            team: group.team,
            tier: group.tier,
            priority: group.priority,
            category: group.category,
            figures: figures.into(),
        }
    }
}

impl From<Figures> for SlaFigures {
    fn from(figures: Figures) -> Self {
        Self {
            visits: figures.visits,
            met: figures.met,
            missed: figures.missed,
            excused: figures.excused,
            without_clock: figures.unclocked(),
            paused: figures.paused,
            paused_time: Duration(figures.paused_time),
            working_time: Duration(figures.working_time),
            median: Duration(figures.median),
            p90: Duration(figures.p90),
            p95: Duration(figures.p95),
        }
    }
}
