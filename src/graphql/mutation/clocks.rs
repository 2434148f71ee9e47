//! Mutations of clocks and of the alerts that they raise.

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::vocab::PauseReason;

use crate::{
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::{self, parse_reference},
        mutation::payloads,
        scalar::in_range,
        types::{
            sla::{SlaAlert, StageVisit},
            ticket::Ticket,
        },
    },
    service::clocks::Pausing,
};

/// Mutations of clocks.
#[derive(Debug, Default)]
pub struct ClockMutations;

/// A pause of a clock.
#[derive(Debug, InputObject)]
struct PauseClockInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// Why; the stage's policy says which reasons there are.
    reason: PauseReason,
    /// What is waited for, in words.
    note: String,
    /// When the clock goes on by itself. Null: until somebody resumes it.
    #[graphql(validator(custom = "in_range"))]
    resume_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// The end of a pause.
#[derive(Debug, InputObject)]
struct ResumeClockInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A due time by hand.
#[derive(Debug, InputObject)]
struct OverrideDueTimeInput {
    /// The ticket, by id or key.
    ticket_id: ID,
    /// The due time; null gives it back to the clock.
    #[graphql(validator(custom = "in_range"))]
    due_at: Option<DateTime<Utc>>,
    /// Why.
    reason: String,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// An excuse.
#[derive(Debug, InputObject)]
struct ExcuseBreachInput {
    /// The visit that was late.
    visit_id: ID,
    /// Why it does not count.
    reason: String,
}

/// Taking charge of an alert.
#[derive(Debug, InputObject)]
struct AcknowledgeAlertInput {
    /// The alert.
    alert_id: ID,
    /// What is being done.
    note: String,
}

/// Putting off what follows an alert.
#[derive(Debug, InputObject)]
struct SnoozeAlertsInput {
    /// The alert.
    alert_id: ID,
    /// Until when the levels that follow wait.
    #[graphql(validator(custom = "in_range"))]
    until: DateTime<Utc>,
    /// Why.
    reason: String,
}

payloads! {
    /// What `pauseClock` answers.
    PauseClockPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `resumeClock` answers.
    ResumeClockPayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `overrideDueTime` answers.
    OverrideDueTimePayload {
        /// The ticket; null when refused.
        ticket: Ticket
    }
    /// What `excuseBreach` answers.
    ExcuseBreachPayload {
        /// The visit; null when refused.
        visit: StageVisit
    }
    /// What `acknowledgeAlert` answers.
    AcknowledgeAlertPayload {
        /// The alert; null when refused.
        alert: SlaAlert
    }
    /// What `snoozeAlerts` answers.
    SnoozeAlertsPayload {
        /// The alert; null when refused.
        alert: SlaAlert
    }
}

/// Mutations of clocks.
#[Object]
impl ClockMutations {
    /// Pauses the clock of a ticket's stage. For the stage's team and managers.
    async fn pause_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A pause of a clock.")] input: PauseClockInput,
    ) -> Result<PauseClockPayload, ApiError> {
        let ticket = id::ticket(context, &input.ticket_id).await?;
        let PauseClockInput { reason, note, resume_at, expected_version, .. } = input;
        let pausing = Pausing { reason, note, resume_at };
        let paused = service(context)?.pause_clock(actor(context)?, ticket, pausing, expected_version).await;
        payload(paused.map(Ticket::from))
    }

    /// Lets a clock go on that staff paused. For the stage's team and managers.
    async fn resume_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The end of a pause.")] input: ResumeClockInput,
    ) -> Result<ResumeClockPayload, ApiError> {
        let ticket = id::ticket(context, &input.ticket_id).await?;
        let resumed = service(context)?.resume_clock(actor(context)?, ticket, input.expected_version).await;
        payload(resumed.map(Ticket::from))
    }

    /// Sets the due time of a ticket's stage by hand, or gives it back to the clock. For managers.
    async fn override_due_time(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A due time by hand.")] input: OverrideDueTimeInput,
    ) -> Result<OverrideDueTimePayload, ApiError> {
        let ticket = id::ticket(context, &input.ticket_id).await?;
        let OverrideDueTimeInput { due_at, reason, expected_version, .. } = input;
        let service = service(context)?;
        let overridden = service.override_due_time(actor(context)?, ticket, due_at, &reason, expected_version).await;
        payload(overridden.map(Ticket::from))
    }

    /// Excuses the breach of a visit: it stays one, and reports show both. For managers.
    async fn excuse_breach(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An excuse.")] input: ExcuseBreachInput,
    ) -> Result<ExcuseBreachPayload, ApiError> {
        let service = service(context)?;
        let visit = parse_reference(&input.visit_id);
        let excused = service.excuse_breach(actor(context)?, visit, &input.reason).await;
        payload(excused.map(|visit| StageVisit::read(visit, service.clock().now())))
    }

    /// Takes charge of an alert. Mail of it that waits is not sent, but for a breach's; later levels still follow, and say who took it. For the stage's team and managers.
    async fn acknowledge_alert(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Taking charge of an alert.")] input: AcknowledgeAlertInput,
    ) -> Result<AcknowledgeAlertPayload, ApiError> {
        let alert = parse_reference(&input.alert_id);
        let acknowledged = service(context)?.acknowledge_alert(actor(context)?, alert, &input.note).await;
        payload(acknowledged.map(SlaAlert::from))
    }

    /// Puts off the levels that follow an alert. For the stage's team and managers.
    async fn snooze_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Putting off what follows an alert.")] input: SnoozeAlertsInput,
    ) -> Result<SnoozeAlertsPayload, ApiError> {
        let alert = parse_reference(&input.alert_id);
        let snoozed = service(context)?.snooze_alerts(actor(context)?, alert, input.until, &input.reason).await;
        payload(snoozed.map(SlaAlert::from))
    }
}
