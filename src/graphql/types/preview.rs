//! What would be: answers to questions about due times and about edits.

use async_graphql::{ComplexObject, Context, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    id::TicketId,
    vocab::{CompanyTier, Priority, Stage},
};

use crate::{
    domain::{sla::Pause, visit::Rank},
    graphql::{
        context::loaders,
        error::ApiError,
        scalar::{Date, in_range},
        types::{sla::SlaExplanation, ticket::Ticket},
    },
    service::previews,
};

/// A stay in a stage that is asked about.
#[derive(Debug, InputObject)]
pub struct PreviewDueInput {
    /// The stage.
    stage: Stage,
    /// When it would begin.
    #[graphql(validator(custom = "in_range"))]
    entered_at: DateTime<Utc>,
    /// The ticket's priority.
    priority: Option<Priority>,
    /// The tier of its company.
    tier: Option<CompanyTier>,
    /// In Fixing, the Estimated Delivery Date.
    estimated_delivery_date: Option<Date>,
    /// When its clock would stand still.
    #[graphql(default)]
    pauses: Vec<PauseInput>,
}

/// A pause that is asked about.
#[derive(Debug, InputObject)]
pub struct PauseInput {
    /// From when.
    #[graphql(validator(custom = "in_range"))]
    from: DateTime<Utc>,
    /// Until when; later than `from`.
    #[graphql(validator(custom = "in_range"))]
    until: DateTime<Utc>,
}

impl From<PreviewDueInput> for previews::DueQuestion {
    fn from(input: PreviewDueInput) -> Self {
        Self {
            stage: input.stage,
            entered_at: input.entered_at,
            rank: Rank { priority: input.priority, tier: input.tier },
            delivery_date: input.estimated_delivery_date.map(|date| date.0),
            pauses: input.pauses.iter().map(|pause| Pause { from: pause.from, until: Some(pause.until) }).collect(),
        }
    }
}

/// When a stay would be due, and why.
#[derive(SimpleObject)]
pub struct DuePreview {
    /// When its clock would run out; null where there is no clock.
    due_at: Option<DateTime<Utc>>,
    /// When its owners would be warned.
    warns_at: Option<DateTime<Utc>>,
    /// The budget that it would have, such as `P1D`.
    budget: Option<String>,
    /// The version of the policy that says so.
    policy_version: i32,
    /// Why it would be due then.
    explain: SlaExplanation,
}

impl From<previews::DueAnswer> for DuePreview {
    fn from(answer: previews::DueAnswer) -> Self {
        let visit = answer.visit;
        Self {
            due_at: visit.due_at,
            warns_at: visit.warns_at,
            budget: visit.budget.map(|budget| budget.to_string()),
            policy_version: visit.policy.version,
            explain: answer.explanation.into(),
        }
    }
}

/// What an edit would do to running clocks.
#[derive(SimpleObject)]
pub struct ChangePreview {
    /// Running clocks that would follow.
    affected: usize,
    /// Those whose due time would be another one.
    moved: usize,
    /// Those that would be late at once, and are not.
    newly_late: usize,
    /// Those that are late, and would not be by their new due time; their breach stays recorded.
    no_longer_late: usize,
    /// Whether all running clocks were looked at; of very many, only the first are.
    is_complete: bool,
    /// The first of those that would move.
    clocks: Vec<MovedClock>,
}

/// A running clock that an edit would move.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MovedClock {
    #[graphql(skip)]
    ticket_id: TicketId,
    /// Its stage.
    stage: Stage,
    /// When it is due; null while paused, and where there is no clock.
    due_before: Option<DateTime<Utc>>,
    /// When it would be due.
    due_after: Option<DateTime<Utc>>,
    /// Whether it would be late at once, and is not.
    becomes_late: bool,
    /// Whether it is late, and would not be by its new due time.
    is_no_longer_late: bool,
}

/// A running clock that an edit would move.
#[ComplexObject]
impl MovedClock {
    /// The ticket.
    async fn ticket(&self, context: &Context<'_>) -> Result<Option<Ticket>, ApiError> {
        Ok(loaders(context)?.load_one(self.ticket_id).await?.map(Ticket::from))
    }
}

impl From<previews::ChangePreview> for ChangePreview {
    fn from(preview: previews::ChangePreview) -> Self {
        let previews::ChangePreview { affected, moved, newly_late, no_longer_late, is_complete, clocks } = preview;
        let clocks = clocks.into_iter().map(|clock| MovedClock {
            ticket_id: clock.ticket_id,
            stage: clock.stage,
            due_before: clock.due_before,
            due_after: clock.due_after,
            becomes_late: clock.becomes_late,
            is_no_longer_late: clock.is_no_longer_late,
        });
        Self { affected, moved, newly_late, no_longer_late, is_complete, clocks: clocks.collect() }
    }
}
