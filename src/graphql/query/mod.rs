//! What front ends ask, by topic.

mod directory;
mod events;
mod ledger;
mod node;
mod policies;
mod reports;
mod tickets;

use async_graphql::MergedObject;

/// The queries.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    tickets::TicketQueries,
    directory::DirectoryQueries,
    policies::PolicyQueries,
    ledger::LedgerQueries,
    events::EventQueries,
    node::NodeQueries,
    reports::ReportQueries,
);
