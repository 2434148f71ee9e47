//! Queries of the process, its SLA policies and calendars.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        context::{actor, service},
        error::ApiError,
        mutation::policies::{UpdateCalendarInput, UpdateSlaPolicyInput},
        types::{
            policy::{Calendar, SlaPolicy},
            preview::{ChangePreview, DuePreview, PreviewDueInput},
            process::Process,
        },
    },
    service::ServiceError,
};

/// Queries of the process, its SLA policies and calendars.
#[derive(Debug, Default)]
pub struct PolicyQueries;

/// Queries of the process, its SLA policies and calendars.
#[Object]
impl PolicyQueries {
    /// The process: stages, what each requires, transitions. Needs no token.
    async fn process(&self, context: &Context<'_>) -> Result<Process, ApiError> {
        Ok(Process { pipelines: service(context)?.pipelines().to_vec() })
    }

    /// The SLA policy of each stage, in the order of the process. For staff.
    async fn sla_policies(&self, context: &Context<'_>) -> Result<Vec<SlaPolicy>, ApiError> {
        let rows = service(context)?.sla_policies(actor(context)?).await?;
        Ok(rows.into_iter().map(|(policy, calendar)| SlaPolicy { policy, calendar }).collect())
    }

    /// The working calendars, by name. For staff.
    async fn calendars(&self, context: &Context<'_>) -> Result<Vec<Calendar>, ApiError> {
        Ok(service(context)?.calendars(actor(context)?).await?.into_iter().map(Calendar).collect())
    }

    /// When a stay in a stage would be due, and why, under the policy that holds when it begins. For staff.
    async fn preview_due(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The stay that is asked about.")] input: PreviewDueInput,
    ) -> Result<DuePreview, ApiError> {
        Ok(service(context)?.preview_due(actor(context)?, input.into()).await?.into())
    }

    /// What a change of a policy would do to running clocks. Nothing is written. For administrators.
    async fn preview_policy_change(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The change, as `updateSlaPolicy` takes it.")] input: UpdateSlaPolicyInput,
    ) -> Result<ChangePreview, ApiError> {
        let change = input.read().map_err(ServiceError::from)?;
        Ok(service(context)?.preview_policy_change(actor(context)?, change).await?.into())
    }

    /// What a change of a calendar would do to running clocks. Nothing is written. For administrators.
    async fn preview_calendar_change(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The change, as `updateCalendar` takes it.")] input: UpdateCalendarInput,
    ) -> Result<ChangePreview, ApiError> {
        let calendar = input.calendar();
        let change = input.read().map_err(ServiceError::from)?;
        Ok(service(context)?.preview_calendar_change(actor(context)?, calendar, change).await?.into())
    }
}
