//! Clocks and alerts.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    id::StageVisitId,
    sla_alert,
    vocab::{AlertLevel, AlertOutcome, PauseReason, SlaStatus, Stage, Team},
};

use crate::{
    domain::visit::Visit,
    graphql::{
        context::loaders,
        error::ApiError,
        event_cursor::EventCursor,
        scalar::{Date, Duration},
        types::ticket::Ticket,
    },
    service::feed::Heard,
};

/// What a stage's clock shows. Instants are absolute, so that a front end counts down alone.
#[derive(SimpleObject)]
pub struct Sla {
    /// Where the clock stands.
    status: SlaStatus,
    /// When it runs out; null while it is paused, and where there is no clock.
    due_at: Option<DateTime<Utc>>,
    /// When it would run out if it were resumed now; null unless it is paused.
    due_if_resumed_at: Option<DateTime<Utc>>,
    /// When its owners are warned.
    warns_at: Option<DateTime<Utc>>,
    /// The due time that was missed; nothing undoes it.
    breached_at: Option<DateTime<Utc>>,
    /// What the stage may take, in ISO 8601 days and time of its calendar, such as `P1D`. Null where the deadline is a date.
    budget: Option<String>,
    /// The promised day whose end is the deadline, in Fixing.
    deadline_on: Option<Date>,
    /// The working time used, without pauses.
    elapsed: Duration,
    /// The working time left; negative when it is over. Null where there is no clock, and once it has stopped.
    remaining: Option<Duration>,
    /// The zone of the calendar that counts it.
    time_zone: &'static str,
}

impl Sla {
    /// What a visit's clock shows at `now`.
    pub fn read(visit: &Visit, now: DateTime<Utc>) -> Self {
        let reading = visit.reading(now);
        Self {
            status: reading.status,
            due_at: reading.due_at,
            due_if_resumed_at: reading.due_if_resumed_at,
            warns_at: reading.warns_at,
            breached_at: reading.breached_at,
            budget: visit.budget.map(|length| length.to_string()),
            deadline_on: visit.deadline_on.map(Date),
            elapsed: Duration(reading.elapsed),
            remaining: reading.remaining.map(Duration),
            time_zone: visit.calendar.zone().name(),
        }
    }
}

/// One stay of a ticket in a stage, with its own clock.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct StageVisit {
    #[graphql(skip)]
    visit: StageVisitId,
    /// The stage.
    stage: Stage,
    /// When the ticket entered.
    entered_at: DateTime<Utc>,
    /// When it left; null while it is there.
    left_at: Option<DateTime<Utc>>,
    /// What its clock shows; frozen once the stage was left.
    sla: Sla,
    /// The first due time that it had; nothing moves it.
    original_due_at: Option<DateTime<Utc>>,
    /// When the clock stood still.
    pauses: Vec<ClockPause>,
}

/// One stay of a ticket in a stage, with its own clock.
#[ComplexObject]
impl StageVisit {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.visit.to_string().into()
    }
}

/// A time in which a clock stood still.
#[derive(SimpleObject)]
pub struct ClockPause {
    /// Why.
    reason: PauseReason,
    /// From when.
    started_at: DateTime<Utc>,
    /// Until when; null while it goes on.
    ended_at: Option<DateTime<Utc>>,
}

impl StageVisit {
    /// The visit, with its clock at `now`.
    pub fn read(visit: Visit, now: DateTime<Utc>) -> Self {
        Self {
            visit: visit.id,
            stage: visit.stage,
            entered_at: visit.entered_at,
            left_at: visit.left_at,
            sla: Sla::read(&visit, now),
            original_due_at: visit.original_due_at,
            pauses: visit
                .pauses
                .into_iter()
                .map(|pause| ClockPause {
                    reason: pause.reason,
                    started_at: pause.started_at,
                    ended_at: pause.ended_at,
                })
                .collect(),
        }
    }
}

/// A level that a stage's clock reached; each level of a visit is recorded once.
pub struct SlaAlert {
    row: sla_alert::Model,
    /// The event that tells of it, where a subscriber hears it.
    heard: Option<Arc<Heard>>,
}

impl From<sla_alert::Model> for SlaAlert {
    fn from(row: sla_alert::Model) -> Self {
        Self { row, heard: None }
    }
}

impl SlaAlert {
    /// The alert that an event tells of; none for other events.
    pub fn of_event(heard: Arc<Heard>) -> Option<Self> {
        let row = heard.alert.clone()?;
        Some(Self { row, heard: Some(heard) })
    }

    /// The stored alert.
    pub const fn row(&self) -> &sla_alert::Model {
        &self.row
    }
}

/// A level that a stage's clock reached; each level of a visit is recorded once.
#[Object]
impl SlaAlert {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// How far it has climbed.
    async fn level(&self) -> AlertLevel {
        self.row.level
    }

    /// Whether people were told, or a higher level in its place.
    async fn outcome(&self) -> AlertOutcome {
        self.row.outcome
    }

    /// The stage whose clock it is.
    async fn stage(&self) -> Stage {
        self.row.stage
    }

    /// The team that owns the stage.
    async fn team(&self) -> Team {
        self.row.team
    }

    /// The instant at which the clock reached the level, as computed.
    async fn reached_at(&self) -> DateTime<Utc> {
        self.row.reached_at
    }

    /// When the scan saw it.
    async fn detected_at(&self) -> DateTime<Utc> {
        self.row.detected_at
    }

    /// When the clock runs out, or ran out.
    async fn due_at(&self) -> DateTime<Utc> {
        self.row.due_at
    }

    /// Where it stands in the log of events, as a subscription hears it: `slaAlerts(after: …)` goes on from here. Null elsewhere.
    async fn cursor(&self) -> Option<String> {
        self.heard.as_ref().map(|heard| EventCursor(heard.id()).to_string())
    }

    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        match &self.heard {
            Some(heard) => Ok(Some(heard.ticket.as_ref().clone().into())),
            None => Ok(loaders(context)?.load_one(self.row.ticket_id).await?.map(Ticket::from)),
        }
    }
}
