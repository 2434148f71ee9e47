//! Stays of tickets in stages, each with its own clock.

use sea_orm::entity::prelude::*;

use crate::{
    id::{CalendarId, StageVisitId, TicketId},
    vocab::{AlertLevel, Stage},
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
    /// When the scan must look at this clock next; null when it need not.
    pub next_alert_at: Option<DateTimeUtc>,
    /// The highest level recorded so far.
    pub alerted_level: Option<AlertLevel>,
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
