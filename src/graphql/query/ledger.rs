//! Queries of what was told to whom: alerts and notices.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        connection::{Listing, listing, page_request},
        context::{actor, service},
        error::ApiError,
        filter::{NoticesFilter, SlaAlertFilter},
        types::{notice::Notice, sla::SlaAlert},
    },
    service::queries::Counted,
    store::{
        alerts::AlertFilter,
        notices::NoticeFilter,
        page::{Position, SortKey},
    },
};

const BY_TIME: &str = "-time";

/// Queries of alerts and notices.
#[derive(Debug, Default)]
pub struct LedgerQueries;

/// Queries of alerts and notices.
#[Object]
impl LedgerQueries {
    /// SLA alerts, the latest first. For staff.
    async fn sla_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which alerts.")] filter: Option<SlaAlertFilter>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<SlaAlert>, ApiError> {
        let filter = AlertFilter::from(filter.unwrap_or_default());
        let page = page_request(BY_TIME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.alerts(actor(context)?, &filter, page).await?;
        Ok(listing(found, BY_TIME, Counted::Alerts(filter), has_previous, |row| {
            (Position { key: SortKey::Instant(row.detected_at), id: row.id.0 }, SlaAlert(row))
        }))
    }

    /// The ledger of mails, the latest first. For staff.
    async fn notices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which notices.")] filter: Option<NoticesFilter>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Notice>, ApiError> {
        let filter = NoticeFilter::from(filter.unwrap_or_default());
        let page = page_request(BY_TIME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.notices(actor(context)?, &filter, page).await?;
        Ok(listing(found, BY_TIME, Counted::Notices(filter), has_previous, |row| {
            (Position { key: SortKey::Instant(row.row.created_at), id: row.row.id.0 }, Notice::from(row))
        }))
    }
}
