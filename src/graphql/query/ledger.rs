//! Queries of what was told to whom, and of who did what.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        connection::{KeyKind, ListOrder, Listing, Paging, listing},
        context::{actor, service},
        error::ApiError,
        filter::{NoticesFilter, SlaAlertFilter},
        types::{
            audit::{AuditEntry, AuditLogFilter},
            notice::Notice,
            sla::SlaAlert,
        },
    },
    service::queries::Counted,
    store::page::{Position, SortKey},
};

/// Queries of alerts, notices and the audit log.
#[derive(Debug, Default)]
pub struct LedgerQueries;

/// Queries of alerts, notices and the audit log.
#[Object]
impl LedgerQueries {
    /// SLA alerts, the latest first. For staff.
    async fn sla_alerts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which alerts.")] filter: Option<SlaAlertFilter>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<SlaAlert>, ApiError> {
        let order = latest_first();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let filter = filter.unwrap_or_default().criteria(context).await?;
        let found = service(context)?.alerts(actor(context)?, &filter, window).await?;
        Ok(listing(found, &order, Counted::Alerts(filter), |row| {
            (Position::new(SortKey::Instant(row.detected_at), row.id.0), SlaAlert::from(row))
        }))
    }

    /// The ledger of mails, the latest first. For staff.
    async fn notices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which notices.")] filter: Option<NoticesFilter>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Notice>, ApiError> {
        let order = latest_first();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let filter = filter.unwrap_or_default().criteria(context).await?;
        let found = service(context)?.notices(actor(context)?, &filter, window).await?;
        Ok(listing(found, &order, Counted::Notices(filter), |row| {
            (Position::new(SortKey::Instant(row.row.created_at), row.row.id.0), Notice::from(row))
        }))
    }

    /// Who changed what, the latest first. For administrators, and integrations with `audit:read`.
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which entries.")] filter: Option<AuditLogFilter>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<AuditEntry>, ApiError> {
        let order = latest_first();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let filter = filter.unwrap_or_default().read()?;
        let found = service(context)?.audit_log(actor(context)?, &filter, window).await?;
        Ok(listing(found, &order, Counted::Audit(filter), |row| {
            (Position::new(SortKey::Instant(row.at), row.id.0), AuditEntry(row))
        }))
    }
}

fn latest_first() -> ListOrder {
    ListOrder::by("-time", KeyKind::Instant)
}
