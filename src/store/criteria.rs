//! What callers can ask of tickets, and the conditions that say it in SQL.
//!
//! A negative answer includes what is not known: `priority != URGENT` finds tickets without a priority too.

use ::entity::{
    id::{CompanyId, ContactId, PersonId, TicketSubtypeId},
    stage_visit, ticket,
    vocab::{Category, Priority, Severity, Stage, TicketSource},
};
use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{
    Condition, ExprTrait, Value,
    sea_query::{Expr, Func, LikeExpr, SimpleExpr},
};

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison<T> {
    Eq(T),
    Neq(T),
    In(Vec<T>),
    Gt(T),
    Gte(T),
    Lt(T),
    Lte(T),
    /// Whether it is not known.
    IsNull(bool),
}

/// One thing that a caller asks of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    Number(Comparison<i64>),
    Stage(Comparison<Stage>),
    Category(Comparison<Category>),
    Severity(Comparison<Severity>),
    Priority(Comparison<Priority>),
    Source(Comparison<TicketSource>),
    Company(Comparison<CompanyId>),
    Contact(Comparison<ContactId>),
    Assignee(Comparison<PersonId>),
    Subtype(Comparison<TicketSubtypeId>),
    EstimatedDeliveryDate(Comparison<NaiveDate>),
    /// The delivery date that the client was told last.
    PromisedDeliveryDate(Comparison<NaiveDate>),
    CreatedAt(Comparison<DateTime<Utc>>),
    UpdatedAt(Comparison<DateTime<Utc>>),
    /// When the clock of the ticket's stage runs out.
    DueAt(Comparison<DateTime<Utc>>),
    /// The subject is this text.
    Subject(Comparison<String>),
    /// The subject contains this text, in any case.
    SubjectContains(String),
    /// Whether the clock of the ticket's stage has run out by this instant.
    Breached {
        breached: bool,
        now: DateTime<Utc>,
    },
    All(Vec<Criterion>),
    Any(Vec<Criterion>),
}

impl Criterion {
    /// The condition, over a ticket joined with its open visit.
    pub(super) fn condition(&self) -> Condition {
        let of_ticket = |column: ticket::Column| Expr::col((ticket::Entity, column));
        let of_visit = |column: stage_visit::Column| Expr::col((stage_visit::Entity, column));
        match self {
            Self::Number(comparison) => compare(of_ticket(ticket::Column::Number), comparison),
            Self::Stage(comparison) => compare(of_ticket(ticket::Column::Stage), comparison),
            Self::Category(comparison) => compare(of_ticket(ticket::Column::Category), comparison),
            Self::Severity(comparison) => compare(of_ticket(ticket::Column::Severity), comparison),
            Self::Priority(comparison) => compare(of_ticket(ticket::Column::Priority), comparison),
            Self::Source(comparison) => compare(of_ticket(ticket::Column::Source), comparison),
            Self::Company(comparison) => compare(of_ticket(ticket::Column::CompanyId), comparison),
            Self::Contact(comparison) => compare(of_ticket(ticket::Column::ContactId), comparison),
            Self::Assignee(comparison) => compare(of_ticket(ticket::Column::AssigneeId), comparison),
            Self::Subtype(comparison) => compare(of_ticket(ticket::Column::SubtypeId), comparison),
            Self::EstimatedDeliveryDate(comparison) => {
                compare(of_ticket(ticket::Column::EstimatedDeliveryDate), comparison)
            }
            Self::PromisedDeliveryDate(comparison) => {
                compare(of_ticket(ticket::Column::PromisedDeliveryDate), comparison)
            }
            Self::CreatedAt(comparison) => compare(of_ticket(ticket::Column::CreatedAt), comparison),
            Self::UpdatedAt(comparison) => compare(of_ticket(ticket::Column::UpdatedAt), comparison),
            Self::DueAt(comparison) => compare(of_visit(stage_visit::Column::DueAt), comparison),
            Self::Subject(comparison) => compare(of_ticket(ticket::Column::Subject), comparison),
            Self::SubjectContains(text) => {
                let subject = of_ticket(ticket::Column::Subject);
                let in_any_case = SimpleExpr::from(Func::lower(subject.clone())).like(containing(&text.to_lowercase()));
                // The databases lower only the letters that they know; what is written as stored is found all the same.
                Condition::any().add(in_any_case).add(subject.like(containing(text)))
            }
            Self::Breached { breached, now } => {
                let due_at = of_visit(stage_visit::Column::DueAt);
                let late = of_visit(stage_visit::Column::BreachedAt)
                    .is_not_null()
                    .or(due_at.clone().is_not_null().and(due_at.lt(*now)));
                Condition::all().add(if *breached { late } else { late.not() })
            }
            Self::All(criteria) => {
                criteria.iter().fold(Condition::all(), |all, criterion| all.add(criterion.condition()))
            }
            Self::Any(criteria) => {
                criteria.iter().fold(Condition::any(), |any, criterion| any.add(criterion.condition()))
            }
        }
    }
}

fn containing(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}

fn compare<T: Clone + Into<Value>>(column: SimpleExpr, comparison: &Comparison<T>) -> Condition {
    let value = |value: &T| Expr::val(value.clone().into());
    Condition::all().add(match comparison {
        Comparison::Eq(other) => column.eq(value(other)),
        Comparison::Neq(other) => column.clone().ne(value(other)).or(column.is_null()),
        Comparison::In(others) => column.is_in(others.iter().map(value)),
        Comparison::Gt(other) => column.gt(value(other)),
        Comparison::Gte(other) => column.gte(value(other)),
        Comparison::Lt(other) => column.lt(value(other)),
        Comparison::Lte(other) => column.lte(value(other)),
        Comparison::IsNull(true) => column.is_null(),
        Comparison::IsNull(false) => column.is_not_null(),
    })
}
