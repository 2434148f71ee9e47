//! How tickets are sorted.

use async_graphql::{Enum, InputObject};
use sea_orm::Order;

use crate::{
    graphql::{
        connection::{KeyKind, ListOrder},
        error::ApiError,
    },
    store::ticket_order::{self, TicketSort},
};

/// A list is sorted by so many things, beside the id.
const ORDERS_LIMIT: usize = 3;

/// What tickets are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum TicketOrderField {
    /// The number in the key, which is the order of filing.
    Number,
    /// When it was filed.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// How soon it is worked on, the most urgent first; tickets without a priority come last. For staff.
    Priority,
    /// How badly it hurts, the worst first; tickets without a severity come last.
    Severity,
    /// Where it stands, in the order of the process.
    Stage,
    /// When the clock of its stage runs out; tickets without a due time come last. For staff.
    SlaDueAt,
    /// The day on which the fix is expected, for contacts the promised day; tickets without one come last.
    EstimatedDeliveryDate,
    /// The subject, as the database sorts texts.
    Subject,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// The least, or the earliest, first.
    Asc,
    /// The most, or the latest, first.
    Desc,
}

/// How tickets are sorted. What is not known comes last in either direction; the id breaks ties.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct TicketOrder {
    /// By what.
    pub field: TicketOrderField,
    /// Which way.
    pub direction: OrderDirection,
}

impl TicketOrder {
    /// The order of tickets when the caller does not say: the latest first.
    pub const LATEST_FIRST: Self = Self { field: TicketOrderField::Number, direction: OrderDirection::Desc };
    /// The order of the board's columns.
    pub const BY_DUE_TIME: Self = Self { field: TicketOrderField::SlaDueAt, direction: OrderDirection::Asc };
}

/// The orders for the store, and what cursors of such a list are like. What only staff see cannot be sorted by others.
pub fn read_orders(
    orders: &[TicketOrder],
    is_internal: bool,
) -> Result<(Vec<ticket_order::TicketOrder>, ListOrder), ApiError> {
    if orders.len() > ORDERS_LIMIT {
        return Err(ApiError::bad_input(format!("orderBy has at most {ORDERS_LIMIT} members")));
    }
    let orders = if orders.is_empty() { &[TicketOrder::LATEST_FIRST] } else { orders };
    let (mut read, mut names, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for order in orders {
        let hidden = matches!(order.field, TicketOrderField::SlaDueAt | TicketOrderField::Priority);
        if hidden && !is_internal {
            return Err(ApiError::bad_input("SLA_DUE_AT and PRIORITY are for staff to sort by"));
        }
        let (sort, name, kind, nullable) = sort(order.field, is_internal);
        let (order, sign) = match order.direction {
            OrderDirection::Asc => (Order::Asc, ""),
            OrderDirection::Desc => (Order::Desc, "-"),
        };
        let order = ticket_order::TicketOrder { sort, order };
        if read.iter().any(|other: &ticket_order::TicketOrder| other.sort == sort) {
            return Err(ApiError::bad_input("orderBy names each field once"));
        }
        read.push(order);
        names.push(format!("{sign}{name}"));
        keys.push((kind, nullable));
    }
    Ok((read, ListOrder::of(&names.join(","), keys)))
}

/// What the field is in the store, its name in cursors, and what its values are like.
const fn sort(field: TicketOrderField, is_internal: bool) -> (TicketSort, &'static str, KeyKind, bool) {
    match field {
        TicketOrderField::Number => (TicketSort::Number, "number", KeyKind::Number, false),
        TicketOrderField::CreatedAt => (TicketSort::CreatedAt, "created", KeyKind::Instant, false),
        TicketOrderField::UpdatedAt => (TicketSort::UpdatedAt, "updated", KeyKind::Instant, false),
        TicketOrderField::Priority => (TicketSort::Priority, "priority", KeyKind::Number, true),
        TicketOrderField::Severity => (TicketSort::Severity, "severity", KeyKind::Number, true),
        TicketOrderField::Stage => (TicketSort::Stage, "stage", KeyKind::Number, false),
        TicketOrderField::SlaDueAt => (TicketSort::DueAt, "due", KeyKind::Instant, true),
        TicketOrderField::EstimatedDeliveryDate if is_internal => {
            (TicketSort::EstimatedDeliveryDate, "delivery", KeyKind::Day, true)
        }
        TicketOrderField::EstimatedDeliveryDate => (TicketSort::PromisedDeliveryDate, "promise", KeyKind::Day, true),
        TicketOrderField::Subject => (TicketSort::Subject, "subject", KeyKind::Text, false),
    }
}
