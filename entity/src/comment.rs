//! What people say about a ticket.

use sea_orm::{JoinType, QuerySelect, entity::prelude::*};

use crate::{
    id::{ClarificationId, CommentId, CompanyId, TicketId},
    vocab::{ActorKind, Visibility},
};

/// One comment. A deleted one stays as a tombstone, without its words.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CommentId,
    pub ticket_id: TicketId,
    pub visibility: Visibility,
    pub author_kind: ActorKind,
    /// The person or contact; null for the system.
    pub author_id: Option<Uuid>,
    /// Null when it was deleted.
    #[sea_orm(column_type = "Text", nullable)]
    pub body: Option<String>,
    /// The question that it answered.
    pub clarification_id: Option<ClarificationId>,
    pub created_at: DateTimeUtc,
    pub edited_at: Option<DateTimeUtc>,
    pub deleted_at: Option<DateTimeUtc>,
    pub deleted_by_kind: Option<ActorKind>,
    pub deleted_by_id: Option<Uuid>,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The comments that a contact's company can see, or all of them for staff.
    pub fn visible_to(company: Option<CompanyId>) -> Select<Self> {
        match company {
            Some(company) => Self::find()
                .join(JoinType::InnerJoin, Relation::Ticket.def())
                .filter(super::ticket::COLUMN.company_id.eq(company))
                .filter(COLUMN.visibility.eq(Visibility::Client)),
            None => Self::find(),
        }
    }
}
