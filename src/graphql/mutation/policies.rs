//! Mutations of SLA policies and calendars. For administrators.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::{id::CalendarId, vocab::Stage};

use crate::{
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::{self, parse_reference},
        mutation::payloads,
        types::policy::{Calendar, CalendarDefinitionInput, SlaPolicy},
    },
    service::policies::PolicyChange,
};

/// Mutations of policies.
#[derive(Debug, Default)]
pub struct PolicyMutations;

/// An SLA policy to be changed; what is left out stays.
#[derive(Debug, InputObject)]
struct UpdateSlaPolicyInput {
    /// The stage whose policy it is.
    stage: Stage,
    /// What the stage may take, in ISO 8601 days and time of the calendar: `P1D`, `PT4H`, `PT2S`. Null for none.
    budget: MaybeUndefined<String>,
    /// The calendar that it is counted in.
    calendar_id: Option<ID>,
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
struct UpdateCalendarInput {
    /// The calendar.
    calendar_id: ID,
    /// Its name.
    name: Option<String>,
    /// When people work; the whole definition.
    definition: Option<CalendarDefinitionInput>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
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
        let change = PolicyChange {
            stage: input.stage,
            budget: match input.budget {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            calendar_id: input.calendar_id.map(|id| parse_reference(&id)),
            expected_version: input.expected_version,
        };
        let changed = service(context)?.update_sla_policy(actor(context)?, change).await;
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
        let id: CalendarId = id::parse_reference(&input.calendar_id);
        let actor = actor(context)?;
        let changed = match input.definition.map(CalendarDefinitionInput::read).transpose() {
            Ok(definition) => {
                let name = input.name.as_deref();
                service(context)?.update_calendar(actor, id, name, definition, input.expected_version).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        payload(changed.map(Calendar))
    }
}
