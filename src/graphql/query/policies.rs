//! Queries of the process, its SLA policies and calendars.

use async_graphql::{Context, Object};

use crate::graphql::{
    context::{actor, service},
    error::ApiError,
    types::{
        policy::{Calendar, SlaPolicy},
        process::Process,
    },
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
}
