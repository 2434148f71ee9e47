//! The object types of the API, each a thin wrapper over a domain value or a row.

pub mod attachment;
pub mod comment;
pub mod directory;
pub mod history;
pub mod link;
pub mod notice;
pub mod policy;
pub mod process;
pub mod sla;
pub mod ticket;
pub mod watcher;

use async_graphql::{ID, Interface};

use self::{
    attachment::Attachment,
    comment::Comment,
    directory::{Company, Contact, Person, TicketSubtype},
    notice::Notice,
    policy::{Calendar, SlaPolicy},
    sla::SlaAlert,
    ticket::Ticket,
};

/// Anything with an id that `node` finds.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The opaque id."))]
pub enum Node {
    Ticket(Ticket),
    Company(Company),
    Contact(Contact),
    Person(Person),
    TicketSubtype(TicketSubtype),
    SlaAlert(SlaAlert),
    Notice(Notice),
    Calendar(Calendar),
    SlaPolicy(SlaPolicy),
    Comment(Comment),
    Attachment(Attachment),
}
