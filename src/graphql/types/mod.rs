//! The object types of the API, each a thin wrapper over a domain value or a row.

pub mod attachment;
pub mod audit;
pub mod comment;
pub mod directory;
pub mod history;
pub mod link;
pub mod notice;
pub mod policy;
pub mod preview;
pub mod process;
pub mod promise;
pub mod rate_limit;
pub mod report;
pub mod sla;
pub mod ticket;
pub mod watcher;

use async_graphql::{ID, Interface};

use self::{
    attachment::Attachment,
    audit::AuditEntry,
    comment::Comment,
    directory::{Company, Contact, Person, TicketSubtype},
    history::TicketEvent,
    notice::Notice,
    policy::{Calendar, SlaPolicy},
    sla::{SlaAlert, StageVisit},
    ticket::{Clarification, Ticket},
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
    Clarification(Clarification),
    StageVisit(StageVisit),
    TicketEvent(Box<TicketEvent>),
    Comment(Comment),
    Attachment(Attachment),
    AuditEntry(AuditEntry),
}
