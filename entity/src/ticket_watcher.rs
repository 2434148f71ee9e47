//! Who hears about a ticket without being its contact, assignee or owner.

use sea_orm::entity::prelude::*;

use crate::id::{ContactId, PersonId, TicketId, TicketWatcherId};

/// One person or contact who watches one ticket.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_watcher")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TicketWatcherId,
    pub ticket_id: TicketId,
    /// The member of staff; exactly one of person and contact is set.
    pub person_id: Option<PersonId>,
    /// The contact, of the ticket's company.
    pub contact_id: Option<ContactId>,
    pub added_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
