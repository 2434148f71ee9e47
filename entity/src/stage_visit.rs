//! Stays of tickets in stages, each with its own clock.

use sea_orm::entity::prelude::*;

use crate::{
    id::{CalendarId, CalendarVersionId, PersonId, SlaPolicyVersionId, StageVisitId, TicketId},
    vocab::{AlertLevel, CompanyTier, Priority, Stage},
};

/// One stay of one ticket in one stage. A ticket has at most one visit that has not been left.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stage_visit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StageVisitId,
    pub ticket_id: TicketId,
    pub stage: Stage,
    pub entered_at: DateTimeUtc,
    pub left_at: Option<DateTimeUtc>,
    pub calendar_id: CalendarId,
    /// The policy that it follows.
    pub policy_version_id: SlaPolicyVersionId,
    /// The latest of its calendar versions.
    pub calendar_version_id: CalendarVersionId,
    /// The calendar versions that it went through, as `secondline::domain::clock_change::EraRef`.
    pub eras: Json,
    /// The ticket's priority when its budget was decided.
    pub priority: Option<Priority>,
    /// The tier of its company then.
    pub tier: Option<CompanyTier>,
    /// ISO 8601, in days and time of the calendar, such as `P1D`. Null where the stage has no budget of its own.
    pub budget: Option<String>,
    /// The day whose end is the deadline; only Fixing has one.
    pub deadline_on: Option<Date>,
    /// Null while paused before it was due, and where there is no clock.
    pub due_at: Option<DateTimeUtc>,
    /// The due time of the day the stage was entered: no later change moves it.
    pub original_due_at: Option<DateTimeUtc>,
    pub warns_at: Option<DateTimeUtc>,
    /// The due time that was missed; once set, it stays.
    pub breached_at: Option<DateTimeUtc>,
    /// Working time spent, in microseconds; set when the stage is left, so that no edit of a calendar rewrites it.
    pub elapsed_us: Option<i64>,
    /// Of that visit, the working time that its pauses took, in microseconds; set when the stage is left.
    pub paused_us: Option<i64>,
    /// Who had the ticket when it left the stage.
    pub assignee_id: Option<PersonId>,
    /// When the clock, which runs, is late if nobody acts; null where nobody knows.
    pub late_at: Option<DateTimeUtc>,
    /// When the scan must look at this clock next; null when it need not.
    pub next_alert_at: Option<DateTimeUtc>,
    /// The highest level recorded so far.
    pub alerted_level: Option<AlertLevel>,
    /// The due time that a manager set by hand.
    pub override_due_at: Option<DateTimeUtc>,
    /// Since when somebody has taken charge: no further alert follows.
    pub acknowledged_at: Option<DateTimeUtc>,
    /// Until when alerts wait.
    pub snoozed_until: Option<DateTimeUtc>,
    /// When a change of policy, calendar or due time last moved the clock.
    pub moved_at: Option<DateTimeUtc>,
    /// When a manager excused the breach.
    pub excused_at: Option<DateTimeUtc>,
    pub excused_by: Option<PersonId>,
    /// Why it was excused.
    #[sea_orm(column_type = "Text", nullable)]
    pub excuse: Option<String>,
    /// The version of the time-zone database with which it was last computed.
    #[sea_orm(column_type = "Text", nullable)]
    pub tzdb: Option<String>,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Visits that have not been left.
    pub fn open() -> Select<Self> {
        Self::find().filter(COLUMN.left_at.is_null())
    }
}
