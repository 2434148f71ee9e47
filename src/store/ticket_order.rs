//! How lists of tickets are sorted.
//!
//! Words sort in the order of the process, not of the alphabet: a lower stage, a more urgent priority and a worse severity
//! come first. Example: `[(Priority, Asc), (DueAt, Asc)]` is what to work on next.

use ::entity::{
    stage_visit, ticket,
    vocab::{Priority, Severity, Stage},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    Order,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    domain::ticket::Ticket,
    store::page::{Position, SortKey, Sorting},
};

/// What a list of tickets can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketSort {
    /// The number in the key, which is the order of filing.
    Number,
    CreatedAt,
    UpdatedAt,
    Priority,
    Severity,
    Stage,
    /// When the clock of its stage runs out.
    DueAt,
    EstimatedDeliveryDate,
    /// The delivery date that the client was told last.
    PromisedDeliveryDate,
    Subject,
}

/// One thing that a list of tickets is sorted by, and which way.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketOrder {
    pub sort: TicketSort,
    pub order: Order,
}

impl TicketOrder {
    /// Sorted by this, the least first.
    pub const fn ascending(sort: TicketSort) -> Self {
        Self { sort, order: Order::Asc }
    }

    /// How the database sorts.
    pub(super) fn sorting(&self) -> Sorting {
        let of_ticket = |column: ticket::Column| Expr::col((ticket::Entity, column));
        let (key, nullable) = match self.sort {
            TicketSort::Number => (of_ticket(ticket::Column::Number), false),
            TicketSort::CreatedAt => (of_ticket(ticket::Column::CreatedAt), false),
            TicketSort::UpdatedAt => (of_ticket(ticket::Column::UpdatedAt), false),
            TicketSort::Priority => (rank("priority", Priority::all().map(Priority::word)), true),
            TicketSort::Severity => (rank("severity", Severity::all().map(Severity::word)), true),
            TicketSort::Stage => (rank("stage", Stage::all().map(Stage::word)), false),
            TicketSort::DueAt => (Expr::col((stage_visit::Entity, stage_visit::Column::DueAt)), true),
            TicketSort::EstimatedDeliveryDate => (of_ticket(ticket::Column::EstimatedDeliveryDate), true),
            TicketSort::PromisedDeliveryDate => (of_ticket(ticket::Column::PromisedDeliveryDate), true),
            TicketSort::Subject => (of_ticket(ticket::Column::Subject), false),
        };
        Sorting { key, order: self.order.clone(), nullable }
    }

    fn key(&self, ticket: &Ticket, due_at: Option<DateTime<Utc>>) -> Option<SortKey> {
        match self.sort {
            TicketSort::Number => Some(SortKey::Number(ticket.number)),
            TicketSort::CreatedAt => Some(SortKey::Instant(ticket.created_at)),
            TicketSort::UpdatedAt => Some(SortKey::Instant(ticket.updated_at)),
            TicketSort::Priority => place(ticket.facts.priority?, Priority::all()),
            TicketSort::Severity => place(ticket.facts.severity?, Severity::all()),
            TicketSort::Stage => place(ticket.stage, Stage::all()),
            TicketSort::DueAt => due_at.map(SortKey::Instant),
            TicketSort::EstimatedDeliveryDate => ticket.facts.estimated_delivery_date.map(SortKey::Day),
            TicketSort::PromisedDeliveryDate => ticket.promised_delivery_date.map(SortKey::Day),
            TicketSort::Subject => Some(SortKey::Text(ticket.facts.subject.clone())),
        }
    }
}

/// Where a ticket stands in an order; `due_at` is the due time of its open visit.
pub fn position(orders: &[TicketOrder], ticket: &Ticket, due_at: Option<DateTime<Utc>>) -> Position {
    Position { keys: orders.iter().map(|order| order.key(ticket, due_at)).collect(), id: ticket.id.0 }
}

/// The place of a column's word in its list; null where the column is.
fn rank(column: &str, words: impl Iterator<Item = String>) -> SimpleExpr {
    let places: String = words.enumerate().map(|(place, word)| format!(" WHEN '{word}' THEN {place}")).collect();
    Expr::cust(format!("(CASE \"ticket\".\"{column}\"{places} END)"))
}

fn place<Word: PartialEq>(word: Word, mut words: impl Iterator<Item = Word>) -> Option<SortKey> {
    words.position(|other| other == word).and_then(|place| i64::try_from(place).ok()).map(SortKey::Number)
}
