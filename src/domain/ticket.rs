//! A ticket as the rules see it: with its company, contact, subtype and assignee at hand.
//!
//! Pure: imports the vocabulary. Example: `ticket.key()` is `L2-123`, and `ticket.knows(TicketField::CompanyTier)` asks the
//! company, not the ticket.

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    id::{CompanyId, ContactId, PersonId, TicketId},
    vocab::{ActorKind, CompanyTier, DeEscalationReason, Priority, Stage, TicketField, TicketSource},
};
use uuid::Uuid;

use crate::domain::{facts::Facts, process};

/// What the human keys of tickets start with.
pub const KEY_PREFIX: &str = "L2-";

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub id: TicketId,
    pub number: i64,
    pub version: i32,
    pub source: TicketSource,
    pub level_one_reference: Option<String>,
    pub company: Company,
    pub contact: Contact,
    pub assignee: Option<Assignee>,
    pub created_by_kind: ActorKind,
    pub created_by_id: Option<Uuid>,
    pub stage: Stage,
    /// The stage it was closed or transferred from; none while it is open.
    pub closed_from: Option<Stage>,
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was first closed as resolved; frozen.
    pub first_resolved_at: Option<DateTime<Utc>>,
    pub transferred_to: Option<String>,
    pub de_escalation_count: i32,
    pub de_escalation_reasons: Vec<DeEscalationReason>,
    pub proposed_priority: Option<Priority>,
    pub proposed_priority_reasons: Vec<String>,
    /// The delivery date that the client was told last.
    pub promised_delivery_date: Option<NaiveDate>,
    /// The delivery date that the client was told first.
    pub first_promised_date: Option<NaiveDate>,
    /// The day on which it was resolved; none while it is not.
    pub delivered_on: Option<NaiveDate>,
    pub facts: Facts,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The client company of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    pub id: CompanyId,
    pub name: String,
    pub tier: Option<CompanyTier>,
}

/// The contact who hears about a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub id: ContactId,
    pub name: String,
    pub email: String,
    pub locale: String,
    pub time_zone: String,
}

/// The person who works on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    pub id: PersonId,
    pub name: String,
}

impl Ticket {
    /// The human key, such as `L2-123`.
    pub fn key(&self) -> String {
        format!("{KEY_PREFIX}{}", self.number)
    }

    /// Whether it is worked on.
    pub fn is_open(&self) -> bool {
        process::is_open(self.stage)
    }

    /// Whether a fact that a stage requires is known.
    pub fn knows(&self, field: TicketField) -> bool {
        match field {
            TicketField::CompanyTier => self.company.tier.is_some(),
            TicketField::DeEscalationReasons => !self.de_escalation_reasons.is_empty(),
            TicketField::LevelOneReference => self.level_one_reference.is_some(),
            TicketField::Assignee => self.assignee.is_some(),
            TicketField::MergedPullRequest => {
                self.facts.pull_request.is_some() && self.facts.pull_request_merged_at.is_some()
            }
            field => self.facts.value(field).is_some(),
        }
    }
}

/// The number in a human key; any case, with or without blanks around it.
pub fn parse_key(key: &str) -> Option<i64> {
    let key = key.trim();
    let prefix = key.get(..KEY_PREFIX.len())?;
    let digits = key.get(KEY_PREFIX.len()..)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    (prefix.eq_ignore_ascii_case(KEY_PREFIX) && is_number).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
