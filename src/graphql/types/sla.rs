//! Clocks and alerts.

use std::{collections::BTreeMap, sync::Arc};

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    id::StageVisitId,
    sla_alert,
    vocab::{AlertCause, AlertLevel, AlertOutcome, PauseReason, SegmentKind, SlaStatus, Stage, Team},
};

use crate::{
    domain::{
        actor::{Action, may},
        explain::{Explanation, explain},
        visit::Visit,
    },
    graphql::{
        context::{actor, loaders},
        error::ApiError,
        event_cursor::EventCursor,
        loader::NoticesOfAlert,
        scalar::{Date, Duration},
        types::{directory::Person, notice::Notice, ticket::Ticket},
    },
    service::feed::Heard,
};

/// What a stage's clock shows. Instants are absolute, so that a front end counts down alone.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Sla {
    #[graphql(skip)]
    read: Arc<(Visit, DateTime<Utc>)>,
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
    /// The due time that a manager set by hand; no pause moves it.
    override_due_at: Option<DateTime<Utc>>,
    /// The version of the stage's policy that it follows.
    policy_version: i32,
    /// Since when somebody has taken charge of its alerts: no further level follows.
    acknowledged_at: Option<DateTime<Utc>>,
    /// Until when its alerts wait.
    snoozed_until: Option<DateTime<Utc>>,
}

/// What a stage's clock shows. Instants are absolute, so that a front end counts down alone.
#[ComplexObject]
impl Sla {
    /// Why it is due then.
    async fn explain(&self) -> SlaExplanation {
        let (visit, now) = self.read.as_ref();
        explain(visit, *now).into()
    }
}

/// Why a due time is what it is: stretches that follow one another from the entry on, without a gap.
#[derive(SimpleObject)]
pub struct SlaExplanation {
    /// The stretches, in order.
    segments: Vec<SlaSegment>,
    /// Where they end: the due time; while paused, the due time if the clock went on now; without a clock, now.
    until: DateTime<Utc>,
    /// The working time in them; for a clock with a budget, the budget.
    counted: Duration,
}

/// A stretch of a visit, and whether its time counts.
#[derive(SimpleObject)]
pub struct SlaSegment {
    /// From when.
    from: DateTime<Utc>,
    /// Up to when; the next one begins there.
    to: DateTime<Utc>,
    /// Its working time.
    counted: Duration,
    /// Whether it counts, and why not.
    why: SegmentKind,
    /// The holiday that closes it, by name.
    holiday: Option<String>,
    /// Why the clock stood still.
    pause_reason: Option<PauseReason>,
}

impl From<Explanation> for SlaExplanation {
    fn from(explanation: Explanation) -> Self {
        let segments = explanation.segments.into_iter().map(|segment| SlaSegment {
            from: segment.from,
            to: segment.to,
            counted: Duration(segment.counted()),
            why: segment.kind,
            holiday: segment.holiday,
            pause_reason: segment.pause_reason,
        });
        Self { segments: segments.collect(), until: explanation.until, counted: Duration(explanation.counted) }
    }
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
            time_zone: visit.timeline.zone().name(),
            override_due_at: visit.override_due_at,
            policy_version: visit.policy.version,
            acknowledged_at: visit.acknowledged_at,
            snoozed_until: visit.snoozed_until,
            read: Arc::new((visit.clone(), now)),
        }
    }
}

/// The clocks of a ticket over all its stages.
#[derive(SimpleObject)]
pub struct SlaTotals {
    /// The time that the ticket was open, round the clock; that in which it was closed, before a reopening, is left out. Of a closed
    /// ticket: its time to resolution.
    open_time: Duration,
    /// The working time that its stages took, without pauses.
    working_time: Duration,
    /// The same for each stage that it was in, in the order of the process.
    stages: Vec<StageTotal>,
}

/// What a ticket spent in a stage, over all its visits.
#[derive(SimpleObject)]
pub struct StageTotal {
    /// The stage.
    stage: Stage,
    /// How often the ticket came there.
    visits: usize,
    /// The working time that they took, without pauses.
    working_time: Duration,
    /// How many of them were late.
    late: usize,
}

impl SlaTotals {
    /// Of all visits of a ticket. While a ticket is closed no visit runs, so that no closed time is in them.
    pub fn of(visits: &[Visit], now: DateTime<Utc>) -> Self {
        let mut stages: BTreeMap<Stage, StageTotal> = BTreeMap::new();
        let (mut open_time, mut working_time) = (TimeDelta::zero(), TimeDelta::zero());
        for visit in visits {
            let reading = visit.reading(now);
            let away: TimeDelta = visit.away().sum();
            open_time += visit.left_at.unwrap_or(now) - visit.entered_at - away;
            working_time += reading.elapsed;
            let total = stages.entry(visit.stage).or_insert_with(|| StageTotal {
                stage: visit.stage,
                visits: 0,
                working_time: Duration(TimeDelta::zero()),
                late: 0,
            });
            total.visits += 1;
            total.working_time.0 += reading.elapsed;
            total.late += usize::from(reading.breached_at.is_some());
        }
        Self {
            open_time: Duration(open_time),
            working_time: Duration(working_time),
            stages: stages.into_values().collect(),
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
    /// When a manager excused its breach, which stays one.
    excused_at: Option<DateTime<Utc>>,
    /// Why it was excused.
    excuse: Option<String>,
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
    /// When it ends, or was to end, by itself.
    resume_at: Option<DateTime<Utc>>,
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
            excused_at: visit.excuse.as_ref().map(|excuse| excuse.at),
            excuse: visit.excuse.map(|excuse| excuse.reason),
            pauses: visit
                .pauses
                .into_iter()
                .map(|pause| ClockPause {
                    reason: pause.reason,
                    started_at: pause.started_at,
                    ended_at: pause.ended_at,
                    resume_at: pause.resume_at,
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

    /// Why it came when it came; null for one that was recorded before causes were.
    async fn cause(&self) -> Option<AlertCause> {
        self.row.cause
    }

    /// Why nobody was told, where a higher level was told in its place.
    async fn detail(&self) -> Option<&str> {
        self.row.detail.as_deref()
    }

    /// When somebody took charge of it.
    async fn acknowledged_at(&self) -> Option<DateTime<Utc>> {
        self.row.acknowledged_at
    }

    /// Who took charge of it; null for an integration.
    async fn acknowledged_by(&self, context: &Context<'_>) -> Result<Option<Person>, ApiError> {
        let Some(id) = self.row.acknowledged_by else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Person::from))
    }

    /// What they said.
    async fn acknowledgement(&self) -> Option<&str> {
        self.row.acknowledgement.as_deref()
    }

    /// The mails that tell it, one per recipient. Empty for whoever does not see the ledger.
    async fn notices(&self, context: &Context<'_>) -> Result<Vec<Notice>, ApiError> {
        if !may(actor(context)?, Action::SeeNotices) {
            return Ok(Vec::new());
        }
        let rows = loaders(context)?.load_one(NoticesOfAlert(self.row.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(Notice::from).collect())
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
