//! Questions to clients and their answers.

use sea_orm::entity::prelude::*;

use crate::{
    id::{ClarificationId, ContactId, PersonId, TicketId},
    vocab::ActorKind,
};

/// A question that was mailed to a ticket's contact. At most one per ticket is unanswered.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clarification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClarificationId,
    pub ticket_id: TicketId,
    pub contact_id: ContactId,
    #[sea_orm(column_type = "Text")]
    pub question: String,
    pub asked_at: DateTimeUtc,
    /// The person who asked, who is told of the answer when the ticket has no assignee.
    pub asked_by: Option<PersonId>,
    #[sea_orm(column_type = "Text", nullable)]
    pub answer: Option<String>,
    pub answered_at: Option<DateTimeUtc>,
    pub answered_by_kind: Option<ActorKind>,
    pub answered_by_id: Option<Uuid>,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
