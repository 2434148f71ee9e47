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
    Condition, DbBackend, ExprTrait, Value,
    sea_query::{Expr, Func, LikeExpr, SimpleExpr},
};

use crate::{
    domain::{address::Address, search::Search},
    store::search,
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

/// What a text is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextComparison {
    /// To the letter.
    Exactly(Comparison<String>),
    /// It contains this, in any case.
    Contains(String),
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
    Subject(TextComparison),
    /// Whether the clock of the ticket's stage has run out by this instant.
    Breached {
        breached: bool,
        now: DateTime<Utc>,
    },
    /// What people search for: in what staff may find, or in what the contacts of one company may.
    Found {
        search: Search,
        within: Option<CompanyId>,
    },
    All(Vec<Criterion>),
    Any(Vec<Criterion>),
    Not(Vec<Criterion>),
}

impl Criterion {
    /// The condition, over a ticket joined with its open visit.
    pub(super) fn condition(&self, backend: DbBackend) -> Condition {
        use ticket::Column as Of;
        match self {
            Self::Number(comparison) => compare(of_ticket(Of::Number), comparison),
            Self::Stage(comparison) => compare(of_ticket(Of::Stage), comparison),
            Self::Category(comparison) => compare(of_ticket(Of::Category), comparison),
            Self::Severity(comparison) => compare(of_ticket(Of::Severity), comparison),
            Self::Priority(comparison) => compare(of_ticket(Of::Priority), comparison),
            Self::Source(comparison) => compare(of_ticket(Of::Source), comparison),
            Self::Company(comparison) => compare(of_ticket(Of::CompanyId), comparison),
            Self::Contact(comparison) => compare(of_ticket(Of::ContactId), comparison),
            Self::Assignee(comparison) => compare(of_ticket(Of::AssigneeId), comparison),
            Self::Subtype(comparison) => compare(of_ticket(Of::SubtypeId), comparison),
            Self::EstimatedDeliveryDate(comparison) => compare(of_ticket(Of::EstimatedDeliveryDate), comparison),
            Self::PromisedDeliveryDate(comparison) => compare(of_ticket(Of::PromisedDeliveryDate), comparison),
            Self::CreatedAt(comparison) => compare(of_ticket(Of::CreatedAt), comparison),
            Self::UpdatedAt(comparison) => compare(of_ticket(Of::UpdatedAt), comparison),
            Self::DueAt(comparison) => compare(of_visit(stage_visit::Column::DueAt), comparison),
            Self::Subject(comparison) => compare_text(of_ticket(Of::Subject), comparison),
            Self::Breached { breached, now } => breach(*breached, *now),
            Self::Found { search, within } => Condition::all().add(search::condition(search, *within, backend)),
            Self::All(criteria) => all(criteria, backend),
            Self::Any(criteria) => {
                criteria.iter().fold(Condition::any(), |any, criterion| any.add(criterion.condition(backend)))
            }
            Self::Not(criteria) => {
                // What is not known whether it holds does not hold.
                let holds = Func::coalesce([SimpleExpr::from(all(criteria, backend)), Expr::val(false)]);
                Condition::all().add(SimpleExpr::from(holds).not())
            }
        }
    }
}

fn of_ticket(column: ticket::Column) -> SimpleExpr {
    Expr::col((ticket::Entity, column))
}

fn of_visit(column: stage_visit::Column) -> SimpleExpr {
    Expr::col((stage_visit::Entity, column))
}

fn all(criteria: &[Criterion], backend: DbBackend) -> Condition {
    criteria.iter().fold(Condition::all(), |all, criterion| all.add(criterion.condition(backend)))
}

fn breach(breached: bool, now: DateTime<Utc>) -> Condition {
    let due_at = of_visit(stage_visit::Column::DueAt);
    let late =
        of_visit(stage_visit::Column::BreachedAt).is_not_null().or(due_at.clone().is_not_null().and(due_at.lt(now)));
    Condition::all().add(if breached { late } else { late.not() })
}

fn containing(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}

/// A text's comparison in SQL.
pub(super) fn compare_text(column: SimpleExpr, comparison: &TextComparison) -> Condition {
    match comparison {
        TextComparison::Exactly(comparison) => compare(column, comparison),
        TextComparison::Contains(text) => {
            let in_any_case = SimpleExpr::from(Func::lower(column.clone())).like(containing(&text.to_lowercase()));
            // The databases lower only the letters that they know; what is written as stored is found all the same.
            Condition::any().add(in_any_case).add(column.like(containing(text)))
        }
    }
}

/// A mail address's comparison in SQL: what is stored is folded already, so that only what is asked for is folded.
pub(super) fn compare_address(column: SimpleExpr, comparison: &TextComparison) -> Condition {
    let folded = |text: &String| String::from(Address::of(text));
    match comparison {
        TextComparison::Exactly(comparison) => compare(column, &comparison.map(folded)),
        TextComparison::Contains(text) => Condition::all().add(column.like(containing(&folded(text)))),
    }
}

/// A comparison in SQL.
pub(super) fn compare<T: Clone + Into<Value>>(column: SimpleExpr, comparison: &Comparison<T>) -> Condition {
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

impl<T> Comparison<T> {
    /// The same comparison with other values.
    fn map<Other>(&self, value: impl Fn(&T) -> Other) -> Comparison<Other> {
        match self {
            Self::Eq(other) => Comparison::Eq(value(other)),
            Self::Neq(other) => Comparison::Neq(value(other)),
            Self::In(others) => Comparison::In(others.iter().map(value).collect()),
            Self::Gt(other) => Comparison::Gt(value(other)),
            Self::Gte(other) => Comparison::Gte(value(other)),
            Self::Lt(other) => Comparison::Lt(value(other)),
            Self::Lte(other) => Comparison::Lte(value(other)),
            Self::IsNull(is_null) => Comparison::IsNull(*is_null),
        }
    }
}

impl<T: PartialOrd> Comparison<T> {
    /// Whether it holds for a value that is known.
    pub fn holds(&self, value: &T) -> bool {
        match self {
            Self::Eq(other) => value == other,
            Self::Neq(other) => value != other,
            Self::In(others) => others.contains(value),
            Self::Gt(other) => value > other,
            Self::Gte(other) => value >= other,
            Self::Lt(other) => value < other,
            Self::Lte(other) => value <= other,
            Self::IsNull(is_null) => !is_null,
        }
    }
}
