//! Queries of reports.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use entity::vocab::ReportDimension;

use crate::{
    graphql::{
        connection::{KeyKind, ListOrder, Listing, Paging, listing},
        context::{actor, service},
        error::ApiError,
        scalar::in_range,
        types::report::{BreachForecast, SlaReport},
    },
    service::queries::Counted,
    store::page::{Position, SortKey},
};

/// Queries of reports.
#[derive(Debug, Default)]
pub struct ReportQueries;

/// Queries of reports.
#[Object]
impl ReportQueries {
    /// What the clocks showed of the stays in stages that ended within a time. For managers and administrators. As a table for
    /// spreadsheets: `GET /reports/sla.csv`.
    async fn sla_report(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first instant of the time.", validator(custom = "in_range"))] from: DateTime<Utc>,
        #[graphql(desc = "The first instant after it; at most ten years later.", validator(custom = "in_range"))]
        to: DateTime<Utc>,
        #[graphql(desc = "What the stays are grouped by; nothing: only the total is answered.")] group_by: Option<
            Vec<ReportDimension>,
        >,
    ) -> Result<SlaReport, ApiError> {
        let group_by = group_by.unwrap_or_default();
        Ok(service(context)?.sla_report(actor(context)?, from, to, group_by).await?.into())
    }

    /// The running clocks that are late within some days if nobody acts, the first to be late first; those that are late already, too. A
    /// clock that is paused without an end is not among them: nobody knows when it goes on. For managers and administrators. As a table
    /// for spreadsheets: `GET /reports/forecast.csv`.
    async fn breach_forecast(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "So many times 24 hours from now on, 0 to 366.")] days: i32,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<BreachForecast>, ApiError> {
        let order = ListOrder::by("late", KeyKind::Instant);
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let service = service(context)?;
        let (found, until) = service.breach_forecast(actor(context)?, days, window).await?;
        let now = service.clock().now();
        Ok(listing(found, &order, Counted::LateBy(until), |row| {
            (Position::new(SortKey::Instant(row.late_at), row.visit_id.0), BreachForecast::new(row, now))
        }))
    }
}
