//! What happened to a ticket, as its append-only history tells it.
//!
//! Pure: imports only the vocabulary. Values are kept as people read them, as they were. Example: a rejected fix is one
//! `TicketMoved` event with `move_kind`, both stages and the reason.

use entity::{
    id::SlaAlertId,
    vocab::{AlertLevel, DeEscalationReason, EventKind, MoveKind, Stage, TicketField},
};
use serde::{Deserialize, Serialize};

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
    /// The alert that was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<SlaAlertId>,
    /// How far that alert has climbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_level: Option<AlertLevel>,
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

/// Whether a client's contact sees events of this kind.
pub const fn is_for_client(kind: EventKind) -> bool {
    match kind {
        EventKind::TicketCreated
        | EventKind::TicketMoved
        | EventKind::TicketTransferred
        | EventKind::ClarificationRequested
        | EventKind::ClarificationAnswered
        | EventKind::DeliveryDateChanged => true,
        EventKind::FactsChanged
        | EventKind::TicketAssigned
        | EventKind::PriorityProposed
        | EventKind::SlaAlertRaised
        | EventKind::ClockRecomputed => false,
    }
}

/// What a client's contact sees of an event: stages, questions, answers and promised dates; no internal facts or reasons, and
/// not which way back a ticket took.
pub fn for_client(kind: EventKind, data: &EventData) -> Option<EventData> {
    let is_promise = |change: &&FieldChange| change.field == TicketField::EstimatedDeliveryDate;
    is_for_client(kind).then(|| match kind {
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
        _ => EventData::default(),
    })
}

const fn goes_back(kind: MoveKind) -> bool {
    matches!(kind, MoveKind::DeEscalate | MoveKind::ReturnToReplicating | MoveKind::RejectFix)
}
