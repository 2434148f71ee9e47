//! Files that belong to a ticket; their bytes are kept elsewhere.

use sea_orm::{JoinType, QuerySelect, entity::prelude::*};

use crate::{
    id::{AttachmentId, CommentId, CompanyId, TicketId},
    vocab::{ActorKind, AttachmentState, Visibility},
};

/// One file.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttachmentId,
    pub ticket_id: TicketId,
    /// The comment that it illustrates.
    pub comment_id: Option<CommentId>,
    pub visibility: Visibility,
    pub uploader_kind: ActorKind,
    pub uploader_id: Option<Uuid>,
    pub file_name: String,
    /// The media type, as declared; its bytes were checked against it once it is ready.
    pub content_type: String,
    /// In bytes.
    pub size: i64,
    pub state: AttachmentState,
    pub requested_at: DateTimeUtc,
    /// Until when it can be uploaded.
    pub expires_at: DateTimeUtc,
    pub ready_at: Option<DateTimeUtc>,
    /// Under which name the attachment store keeps its bytes; null until they were checked.
    pub object: Option<String>,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The files that a contact's company can see, or all of them for staff; none that was removed.
    pub fn visible_to(company: Option<CompanyId>) -> Select<Self> {
        let kept = Self::find().filter(COLUMN.state.ne(AttachmentState::Removed));
        match company {
            Some(company) => kept
                .join(JoinType::InnerJoin, Relation::Ticket.def())
                .filter(super::ticket::COLUMN.company_id.eq(company))
                .filter(COLUMN.visibility.eq(Visibility::Client)),
            None => kept,
        }
    }
}
