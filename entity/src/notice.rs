//! The outbox, and the ledger of what was told to whom.

use sea_orm::entity::prelude::*;

use crate::{
    id::{ClarificationId, CommentId, ContactId, NoticeId, PersonId, SlaAlertId, StageVisitId, TicketId},
    vocab::{NoticeKind, NoticeState},
};

/// One mail to one recipient, complete in itself.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NoticeId,
    /// Null for what is about several tickets.
    pub ticket_id: Option<TicketId>,
    /// The visit that an SLA notice is about: it is cancelled when that visit has ended.
    pub visit_id: Option<StageVisitId>,
    /// The question that a request is about: it is cancelled when that question was answered.
    pub clarification_id: Option<ClarificationId>,
    /// The comment that it tells of: it is cancelled when that comment was deleted.
    pub comment_id: Option<CommentId>,
    /// The alert that it tells.
    pub alert_id: Option<SlaAlertId>,
    /// The digest that told it in its place.
    pub digest_id: Option<NoticeId>,
    pub kind: NoticeKind,
    /// The contact it goes to; exactly one of contact and person is set.
    pub contact_id: Option<ContactId>,
    /// The person it goes to.
    pub person_id: Option<PersonId>,
    pub to_name: String,
    pub to_address: String,
    pub locale: String,
    pub time_zone: String,
    /// `secondline::domain::notice::NoticeContent`.
    pub content: Json,
    /// What makes this notice the same notice; unique.
    #[sea_orm(unique)]
    pub dedupe_key: String,
    pub state: NoticeState,
    pub attempts: i32,
    /// How many of the attempts its recipient was refused for good.
    pub refusals: i32,
    pub next_attempt_at: DateTimeUtc,
    /// When its state or its next attempt was last decided; null where that was when it was written.
    pub decided_at: Option<DateTimeUtc>,
    /// Until when one worker has claimed it.
    pub leased_until: Option<DateTimeUtc>,
    /// Which claim holds the lease: only its holder may settle.
    pub lease: Option<Uuid>,
    /// Why it waits, failed, was cancelled, or told in a digest.
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    pub created_at: DateTimeUtc,
    pub sent_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
