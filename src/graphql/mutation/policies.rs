//! Mutations of SLA policies and calendars. For administrators.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};
use entity::{
    id::CalendarId,
    vocab::{PauseReason, Reentry, Stage},
};

use crate::{
    domain::refusal::Refusal,
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::parse_reference,
        mutation::payloads,
        types::policy::{Calendar, CalendarDefinitionInput, SlaAlertRule, SlaBudget, SlaPolicy},
    },
    service::policies::{CalendarChange, PolicyChange},
};

/// Mutations of policies.
#[derive(Debug, Default)]
pub struct PolicyMutations;

/// An SLA policy to be changed; what is left out stays.
#[derive(Debug, InputObject)]
pub struct UpdateSlaPolicyInput {
    /// The stage whose policy it is.
    stage: Stage,
    /// What the stage may take where no other budget is more specific, in ISO 8601 days and time of the calendar: `P1D`, `PT4H`,
    /// `PT2S`. Null for none.
    budget: MaybeUndefined<String>,
    /// All budgets: one without priority and tier for all tickets, and more specific ones.
    budgets: Option<Vec<SlaBudget>>,
    /// The calendar that it is counted in.
    calendar_id: Option<ID>,
    /// When people are told, in the order of the levels; BREACH must be among them.
    alerts: Option<Vec<SlaAlertRule>>,
    /// Why staff may pause the clock.
    pause_reasons: Option<Vec<PauseReason>>,
    /// What a return to the stage does.
    reentry: Option<Reentry>,
    /// From when on running clocks follow; now where left out.
    effective_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A calendar to be made.
#[derive(Debug, InputObject)]
struct CreateCalendarInput {
    /// Its name; unique.
    name: String,
    /// When people work.
    definition: CalendarDefinitionInput,
}

/// A calendar to be changed; what is left out stays.
#[derive(Debug, InputObject)]
pub struct UpdateCalendarInput {
    /// The calendar.
    calendar_id: ID,
    /// Its name.
    name: Option<String>,
    /// When people work; the whole definition.
    definition: Option<CalendarDefinitionInput>,
    /// From when on it holds, which may be over: running clocks are counted anew from then on. Now where left out.
    effective_at: Option<DateTime<Utc>>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

impl UpdateSlaPolicyInput {
    /// The change, or what cannot be read.
    pub fn read(self) -> Result<PolicyChange, Refusal> {
        let budgets = self.budgets.map(|budgets| budgets.into_iter().map(SlaBudget::read).collect());
        let alerts = self.alerts.map(|alerts| alerts.into_iter().map(SlaAlertRule::read).collect());
        Ok(PolicyChange {
            stage: self.stage,
            budget: match self.budget {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            budgets: budgets.transpose()?,
            calendar_id: self.calendar_id.map(|id| parse_reference(&id)),
            alerts: alerts.transpose()?,
            pause_reasons: self.pause_reasons,
            reentry: self.reentry,
            effective_at: self.effective_at,
            expected_version: self.expected_version,
        })
    }
}

impl UpdateCalendarInput {
    /// The calendar.
    pub fn calendar(&self) -> CalendarId {
        parse_reference(&self.calendar_id)
    }

    /// The change, or what cannot be read.
    pub fn read(self) -> Result<CalendarChange, Refusal> {
        Ok(CalendarChange {
            name: self.name,
            definition: self.definition.map(CalendarDefinitionInput::read).transpose()?,
            effective_at: self.effective_at,
            expected_version: self.expected_version,
        })
    }
}

payloads! {
    /// What `updateSlaPolicy` answers.
    UpdateSlaPolicyPayload {
        /// The policy; null when refused.
        sla_policy: SlaPolicy
    }
    /// What `createCalendar` answers.
    CreateCalendarPayload {
        /// The calendar; null when refused.
        calendar: Calendar
    }
    /// What `updateCalendar` answers.
    UpdateCalendarPayload {
        /// The calendar; null when refused.
        calendar: Calendar
    }
}

/// Mutations of policies.
#[Object]
impl PolicyMutations {
    /// Changes the SLA of a stage. Its running clocks follow from now on; finished ones never change.
    async fn update_sla_policy(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An SLA policy to be changed; what is left out stays.")] input: UpdateSlaPolicyInput,
    ) -> Result<UpdateSlaPolicyPayload, ApiError> {
        let service = service(context)?;
        let actor = actor(context)?;
        let changed = match input.read() {
            Ok(change) => service.update_sla_policy(actor, change).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(changed.map(|(policy, calendar)| SlaPolicy { policy, calendar }))
    }

    /// Makes a calendar.
    async fn create_calendar(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A calendar to be made.")] input: CreateCalendarInput,
    ) -> Result<CreateCalendarPayload, ApiError> {
        let actor = actor(context)?;
        let made = match input.definition.read() {
            Ok(definition) => service(context)?.create_calendar(actor, &input.name, definition).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(made.map(Calendar))
    }

    /// Changes a calendar. The running clocks that are counted in it follow from now on.
    async fn update_calendar(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A calendar to be changed; what is left out stays.")] input: UpdateCalendarInput,
    ) -> Result<UpdateCalendarPayload, ApiError> {
        let id = input.calendar();
        let actor = actor(context)?;
        let changed = match input.read() {
            Ok(change) => service(context)?.update_calendar(actor, id, change).await,
            Err(refusal) => Err(refusal.into()),
        };
        payload(changed.map(Calendar))
    }
}
