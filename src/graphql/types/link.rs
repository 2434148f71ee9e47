//! Links between tickets, from either side.

use async_graphql::Object;
use chrono::{DateTime, Utc};
use entity::vocab::LinkRelation;

use crate::{graphql::types::ticket::Ticket, service::links::LinkView};

/// How a ticket relates to another one.
pub struct TicketLink(pub LinkView);

/// How a ticket relates to another one.
#[Object]
impl TicketLink {
    /// How it relates to the other one.
    async fn kind(&self) -> LinkRelation {
        self.0.relation
    }

    /// The other one.
    async fn ticket(&self) -> Ticket {
        self.0.other.clone().into()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
