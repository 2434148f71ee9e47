//! What people are told, as facts. Which words say it is `crate::notice`'s matter, and which wire carries it is
//! `crate::delivery`'s.
//!
//! Pure: imports only the vocabulary. A row of the outbox is complete in itself: [`NoticeContent`] holds everything a mail
//! needs, as it was when the change was made. Example: entering Fixing makes a `DeliveryDateSet` for the ticket's contact.

use chrono::{DateTime, NaiveDate, Utc};
use entity::vocab::{AlertLevel, NoticeKind, Stage, Visibility};
use serde::{Deserialize, Serialize};

/// Everything a mail says, apart from its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeContent {
    /// The ticket's human key, such as `L2-123`.
    pub ticket_key: String,
    /// The ticket's subject.
    pub ticket_subject: String,
    /// The name of the client company.
    pub company_name: String,
    /// What is being told.
    pub facts: NoticeFacts,
}

/// What is being told, one variant per [`NoticeKind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoticeFacts {
    /// To the client: the fix is promised for this day.
    DeliveryDateSet { date: NaiveDate },
    /// To the client: the promised day changed.
    DeliveryDateChanged { old: NaiveDate, new: NaiveDate },
    /// To the client: the fix is delivered.
    Delivered { resolution_notes: String },
    /// To the client: closed without a fix.
    ClosedUnresolved { resolution_notes: String },
    /// To the client: a question.
    ClarificationRequested { question: String },
    /// To the owner: the client's answer.
    ClarificationAnswered { question: String, answer: String, answered_by: String },
    /// To assignee and owner team: the clock of this stage runs out at `due_at`.
    SlaWarning { stage: Stage, due_at: DateTime<Utc>, assignee: Option<String> },
    /// To owner team and its managers: the clock of this stage ran out at `due_at`.
    SlaBreach { stage: Stage, due_at: DateTime<Utc>, assignee: Option<String> },
    /// To all managers: the stage is still breached.
    SlaEscalation { stage: Stage, level: AlertLevel, due_at: DateTime<Utc>, assignee: Option<String> },
    /// To Tech's managers and the Project Manager: the promised day is over and the ticket is still in Fixing.
    DeliveryOverdue { date: NaiveDate, due_at: DateTime<Utc>, assignee: Option<String> },
    /// To whoever may read it and hears of the ticket: a comment.
    CommentAdded { body: String, author: String, visibility: Visibility },
    /// To the assignee: the ticket is theirs now.
    Assigned { stage: Stage, assigned_by: String },
    /// To watching staff: the ticket moved to another stage.
    TicketMoved { from: Stage, to: Stage, moved_by: String },
}

impl NoticeFacts {
    /// The kind under which the ledger lists it.
    pub const fn kind(&self) -> NoticeKind {
        match self {
            Self::DeliveryDateSet { .. } => NoticeKind::DeliveryDateSet,
            Self::DeliveryDateChanged { .. } => NoticeKind::DeliveryDateChanged,
            Self::Delivered { .. } => NoticeKind::Delivered,
            Self::ClosedUnresolved { .. } => NoticeKind::ClosedUnresolved,
            Self::ClarificationRequested { .. } => NoticeKind::ClarificationRequested,
            Self::ClarificationAnswered { .. } => NoticeKind::ClarificationAnswered,
            Self::SlaWarning { .. } => NoticeKind::SlaWarning,
            Self::SlaBreach { .. } => NoticeKind::SlaBreach,
            Self::SlaEscalation { .. } => NoticeKind::SlaEscalation,
            Self::DeliveryOverdue { .. } => NoticeKind::DeliveryOverdue,
            Self::CommentAdded { .. } => NoticeKind::CommentAdded,
            Self::Assigned { .. } => NoticeKind::Assigned,
            Self::TicketMoved { .. } => NoticeKind::TicketMoved,
        }
    }

    /// Whether a client's contact may get it; the others speak of SLAs, stages and staff.
    pub const fn is_for_clients(&self) -> bool {
        match self {
            Self::DeliveryDateSet { .. }
            | Self::DeliveryDateChanged { .. }
            | Self::Delivered { .. }
            | Self::ClosedUnresolved { .. }
            | Self::ClarificationRequested { .. } => true,
            Self::CommentAdded { visibility, .. } => matches!(visibility, Visibility::Client),
            Self::ClarificationAnswered { .. }
            | Self::SlaWarning { .. }
            | Self::SlaBreach { .. }
            | Self::SlaEscalation { .. }
            | Self::DeliveryOverdue { .. }
            | Self::Assigned { .. }
            | Self::TicketMoved { .. } => false,
        }
    }
}
