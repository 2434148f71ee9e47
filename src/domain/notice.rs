//! What people are told, as facts. Which words say it is `crate::notice`'s matter, and which wire carries it is
//! `crate::delivery`'s.
//!
//! Pure: imports the vocabulary and working time. A row of the outbox is complete in itself: [`NoticeContent`] holds everything a
//! mail needs, as it was when the change was made. Example: entering Fixing makes a `DeliveryDateSet` for the ticket's contact.

use chrono::{DateTime, NaiveDate, Utc};
use entity::vocab::{AlertCause, AlertLevel, DeEscalationReason, NoticeKind, PauseReason, Priority, Stage, Visibility};
use serde::{Deserialize, Serialize};

use crate::domain::calendar::timeline::Timeline;

/// So many alerts to one recipient at once are mails of their own; more become one digest.
pub const MOST_SINGLE_ALERTS: usize = 5;
/// So many alerts of a digest, and tickets of a drift, are listed; of more, only the number is told.
const MOST_LISTED: usize = 100;

/// Everything a mail says, apart from its recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeContent {
    /// The ticket that it is about; none for what is about several.
    #[serde(flatten)]
    pub ticket: Option<TicketLabel>,
    /// What is being told.
    pub facts: NoticeFacts,
}

/// How people know a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketLabel {
    /// The ticket's human key, such as `L2-123`.
    pub ticket_key: String,
    /// The ticket's subject.
    pub ticket_subject: String,
    /// The name of the client company.
    pub company_name: String,
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
    SlaWarning {
        stage: Stage,
        #[serde(default = "warning")]
        level: AlertLevel,
        due_at: DateTime<Utc>,
        assignee: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledged: Option<Acknowledgement>,
    },
    /// To owner team and its managers: the clock of this stage ran out at `due_at`.
    SlaBreach {
        stage: Stage,
        due_at: DateTime<Utc>,
        assignee: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledged: Option<Acknowledgement>,
    },
    /// To all managers: the stage is still breached.
    SlaEscalation {
        stage: Stage,
        level: AlertLevel,
        due_at: DateTime<Utc>,
        assignee: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledged: Option<Acknowledgement>,
    },
    /// To Tech's managers and the Project Manager: the promised day is over and the ticket is still in Fixing.
    DeliveryOverdue {
        date: NaiveDate,
        due_at: DateTime<Utc>,
        assignee: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acknowledged: Option<Acknowledgement>,
    },
    /// To whoever may read it and hears of the ticket: a comment.
    CommentAdded { body: String, author: String, visibility: Visibility },
    /// To the assignee: the ticket is theirs now.
    Assigned { stage: Stage, assigned_by: String },
    /// To watching staff: the ticket moved to another stage.
    TicketMoved { from: Stage, to: Stage, moved_by: String },
    /// To staff: several alerts in place of a mail each, of which the first are listed; how many there are, and why they came.
    SlaDigest { alerts: Vec<DigestedAlert>, total: usize, found_late: usize, changed: usize },
    /// To the managers of both teams: the ticket was de-escalated, for the `count`th time.
    DeEscalationLoop { from: Stage, to: Stage, count: i32, reasons: Vec<DeEscalationReason> },
    /// To the owner: the pause ended by itself, and the clock runs out at `due_at`.
    PauseEnded { stage: Stage, reasons: Vec<PauseReason>, due_at: Option<DateTime<Utc>> },
    /// To administrators: the stored clocks of these tickets are not what their history says; the first are listed.
    ClockDrift { tickets: Vec<DriftedTicket>, total: usize },
    /// To owner team and Project Manager: what the client was to be told and was not, and whether a pause was undone.
    ClientNotTold { what: NoticeKind, contact: String, cause: String, clock_goes_on: bool },
    /// To administrators: mails fail in numbers; how, one line each.
    MailTrouble { troubles: Vec<String> },
}

/// Who took charge of a lower level before this one was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The level of which they were told.
    pub level: AlertLevel,
    /// Their name; `None` for an integration.
    pub by: Option<String>,
    /// When they did.
    pub at: DateTime<Utc>,
}

/// The level of a warning that was written before warnings kept theirs.
const fn warning() -> AlertLevel {
    AlertLevel::Warning
}

/// One alert of a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestedAlert {
    /// Its ticket.
    pub ticket: TicketLabel,
    /// The stage whose clock it is about.
    pub stage: Stage,
    /// How far it has climbed.
    pub level: AlertLevel,
    /// When the clock runs out, or ran out.
    pub due_at: DateTime<Utc>,
    /// Why it came when it came.
    pub cause: AlertCause,
    /// Who had taken charge of a lower level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

/// A ticket whose stored clocks are not what its history says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftedTicket {
    /// Its human key.
    pub ticket_key: String,
    /// What differs.
    pub differences: Vec<String>,
}

/// What a visit shows when mail about it is about to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisitState {
    /// Whether the ticket left the stage.
    pub is_left: bool,
    /// When its clock runs out; none while it is paused.
    pub due_at: Option<DateTime<Utc>>,
    /// The highest level of its alerts that somebody acknowledged.
    pub acknowledged: Option<AlertLevel>,
    /// Whether a manager excused its breach.
    pub is_excused: bool,
}

/// When mail that can wait leaves: at once for an Urgent ticket, else when its recipient works next.
pub fn leaves_at(priority: Option<Priority>, hours: &Timeline, now: DateTime<Utc>) -> DateTime<Utc> {
    if priority == Some(Priority::Urgent) {
        return now;
    }
    hours.open_intervals(now).next().map_or(now, |open| open.start)
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
            Self::SlaDigest { .. } => NoticeKind::SlaDigest,
            Self::DeEscalationLoop { .. } => NoticeKind::DeEscalationLoop,
            Self::PauseEnded { .. } => NoticeKind::PauseEnded,
            Self::ClockDrift { .. } => NoticeKind::ClockDrift,
            Self::ClientNotTold { .. } => NoticeKind::ClientNotTold,
            Self::MailTrouble { .. } => NoticeKind::MailTrouble,
        }
    }

    /// Several alerts as one, the highest levels first and of each level what ran out first.
    pub fn digest(mut alerts: Vec<DigestedAlert>) -> Self {
        alerts.sort_by(|one, other| other.level.cmp(&one.level).then(one.due_at.cmp(&other.due_at)));
        let caused_by = |cause| alerts.iter().filter(|alert| alert.cause == cause).count();
        let (found_late, changed) = (caused_by(AlertCause::Downtime), caused_by(AlertCause::Change));
        let total = alerts.len();
        alerts.truncate(MOST_LISTED);
        Self::SlaDigest { alerts, total, found_late, changed }
    }

    /// Tickets whose clocks drifted.
    pub fn drift(mut tickets: Vec<DriftedTicket>) -> Self {
        let total = tickets.len();
        tickets.truncate(MOST_LISTED);
        Self::ClockDrift { tickets, total }
    }

    /// Why it is no longer true of the visit that it is about; none while it is.
    pub fn outlived_by(&self, visit: &VisitState) -> Option<&'static str> {
        match self {
            _ if visit.is_left => Some("the ticket had left the stage"),
            _ if self.is_repeat_after(visit.acknowledged) => Some("somebody had taken charge of it"),
            Self::SlaWarning { due_at, .. } if visit.due_at != Some(*due_at) => {
                Some("its clock had been moved or paused")
            }
            Self::SlaBreach { .. } | Self::SlaEscalation { .. } | Self::DeliveryOverdue { .. } if visit.is_excused => {
                Some("the breach had been excused")
            }
            _ => None,
        }
    }

    /// Returns true if whoever acknowledged a level has spared the others this: its own alert, or a lower one. Never a breach, of
    /// which managers hear whoever took it.
    fn is_repeat_after(&self, acknowledged: Option<AlertLevel>) -> bool {
        self.alert_level().is_some_and(|level| level != AlertLevel::Breach && acknowledged >= Some(level))
    }

    /// The level of the alert that it tells of; `None` for what is no alert.
    pub const fn alert_level(&self) -> Option<AlertLevel> {
        match self {
            Self::SlaWarning { level, .. } | Self::SlaEscalation { level, .. } => Some(*level),
            Self::SlaBreach { .. } | Self::DeliveryOverdue { .. } => Some(AlertLevel::Breach),
            _ => None,
        }
    }

    /// Who had taken charge of a lower level of the alert that it tells of.
    pub const fn acknowledged(&self) -> Option<&Acknowledgement> {
        match self {
            Self::SlaWarning { acknowledged, .. }
            | Self::SlaBreach { acknowledged, .. }
            | Self::SlaEscalation { acknowledged, .. }
            | Self::DeliveryOverdue { acknowledged, .. } => acknowledged.as_ref(),
            _ => None,
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
            | Self::TicketMoved { .. }
            | Self::SlaDigest { .. }
            | Self::DeEscalationLoop { .. }
            | Self::PauseEnded { .. }
            | Self::ClockDrift { .. }
            | Self::ClientNotTold { .. }
            | Self::MailTrouble { .. } => false,
        }
    }
}
