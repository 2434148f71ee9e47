//! Who watches a ticket.

use async_graphql::Object;
use chrono::{DateTime, Utc};
use entity::ticket_watcher;

use crate::{
    graphql::types::directory::{Contact, Person},
    service::queries::WithNames,
};

/// Somebody who hears of a ticket's comments, stages and closing.
pub struct TicketWatcher(pub WithNames<ticket_watcher::Model>);

/// Somebody who hears of a ticket's comments, stages and closing.
#[Object]
impl TicketWatcher {
    /// The member of staff, unless it is a contact.
    async fn person(&self) -> Option<Person> {
        self.0.person.clone().map(Person::from)
    }

    /// The contact, unless it is a member of staff.
    async fn contact(&self) -> Option<Contact> {
        self.0.contact.clone().map(Contact)
    }

    /// Since when.
    async fn added_at(&self) -> DateTime<Utc> {
        self.0.row.added_at
    }
}
