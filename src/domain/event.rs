//! What happened to a ticket, as its append-only history tells it.
//!
//! Pure: imports only the vocabulary. Values are kept as people read them, as they were. Example: a rejected fix is one
//! `TicketMoved` event with `move_kind`, both stages and the reason.

use chrono::{DateTime, Utc};
use entity::{
    id::{AttachmentId, CommentId, SlaAlertId, TicketId},
    vocab::{
        AlertLevel, DeEscalationReason, EventKind, LinkRelation, MoveKind, NoticeKind, PauseReason, Stage, TicketField,
    },
};
use serde::{Deserialize, Serialize};

use crate::domain::clock_change::ClockChange;

/// One thing that happened; who and when are added where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing.
    pub kind: EventKind,
    /// What it needs to be understood.
    pub data: EventData,
}

/// What an event needs to be understood; what does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventData {
    /// Facts before and after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// The move that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub move_kind: Option<MoveKind>,
    /// The stage before the move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_stage: Option<Stage>,
    /// The stage after the move, or the stage that an alert is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_stage: Option<Stage>,
    /// The pipeline of a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Why, in the actor's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why a ticket was de-escalated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub de_escalation_reasons: Vec<DeEscalationReason>,
    /// The question, the answer, or the reasons of a proposed priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why the clock stands still, or stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<PauseReason>,
    /// Until when the clock, or alerts, wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The due time before a manager set another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_before: Option<DateTime<Utc>>,
    /// The due time that a manager set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_after: Option<DateTime<Utc>>,
    /// The alert that was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<SlaAlertId>,
    /// How far that alert has climbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_level: Option<AlertLevel>,
    /// The comment; its words are read from it, so that those of a deleted one are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment_id: Option<CommentId>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<AttachmentId>,
    /// What the mail was about that did not reach the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_kind: Option<NoticeKind>,
    /// How it relates to the other ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<LinkRelation>,
    /// The other ticket of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_ticket_id: Option<TicketId>,
    /// What it did to the clocks of the ticket, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clock: Vec<ClockChange>,
    /// Whether contacts of the company see it, where that differs within a kind.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_sees: bool,
}

/// One fact before and after, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which fact.
    pub field: TicketField,
    /// What it was; null for not known.
    pub before: Option<String>,
    /// What it is; null for not known.
    pub after: Option<String>,
}

/// Which events of a kind a client's contact sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForClient {
    /// All.
    Always,
    /// Those whose data says that the client sees them.
    WhereItSaysSo,
    /// None.
    Never,
}

/// Which events of a kind a client's contact sees.
pub const fn seen_by_client(kind: EventKind) -> ForClient {
    match kind {
        EventKind::TicketCreated
        | EventKind::TicketMoved
        | EventKind::TicketTransferred
        | EventKind::ClarificationRequested
        | EventKind::ClarificationAnswered
        | EventKind::DeliveryDateChanged => ForClient::Always,
        EventKind::CommentAdded
        | EventKind::CommentEdited
        | EventKind::CommentDeleted
        | EventKind::TicketLinked
        | EventKind::TicketUnlinked
        | EventKind::AttachmentAdded
        | EventKind::AttachmentRemoved => ForClient::WhereItSaysSo,
        EventKind::FactsChanged
        | EventKind::TicketAssigned
        | EventKind::PriorityProposed
        | EventKind::SlaAlertRaised
        | EventKind::ClockRecomputed
        | EventKind::PolicyFollowed
        | EventKind::ClockPaused
        | EventKind::ClockResumed
        | EventKind::DueTimeOverridden
        | EventKind::BreachExcused
        | EventKind::SlaAlertAcknowledged
        | EventKind::SlaAlertsSnoozed
        | EventKind::ClientNotTold => ForClient::Never,
    }
}

/// What a client's contact sees of an event: stages, questions, answers and promised dates; no internal facts or reasons, and
/// not which way back a ticket took.
pub fn for_client(kind: EventKind, data: &EventData) -> Option<EventData> {
    let is_promise = |change: &&FieldChange| change.field == TicketField::EstimatedDeliveryDate;
    let is_seen = match seen_by_client(kind) {
        ForClient::Always => true,
        ForClient::WhereItSaysSo => data.client_sees,
        ForClient::Never => false,
    };
    is_seen.then(|| match kind {
        EventKind::TicketMoved | EventKind::TicketTransferred => EventData {
            from_stage: data.from_stage,
            to_stage: data.to_stage,
            move_kind: data.move_kind.filter(|kind| !goes_back(*kind)),
            ..EventData::default()
        },
        EventKind::ClarificationRequested | EventKind::ClarificationAnswered => {
            EventData { text: data.text.clone(), ..EventData::default() }
        }
        EventKind::DeliveryDateChanged => {
            let changes = data.changes.iter().filter(is_promise).cloned().collect();
            EventData { changes, ..EventData::default() }
        }
        _ => EventData {
            comment_id: data.comment_id,
            attachment_id: data.attachment_id,
            relation: data.relation,
            other_ticket_id: data.other_ticket_id,
            ..EventData::default()
        },
    })
}

const fn goes_back(kind: MoveKind) -> bool {
    matches!(kind, MoveKind::DeEscalate | MoveKind::ReturnToReplicating | MoveKind::RejectFix)
}
