//! How tickets relate to each other.

use sea_orm::entity::prelude::*;

use crate::{
    id::{TicketId, TicketLinkId},
    vocab::{ActorKind, LinkKind},
};

/// One ticket that duplicates, or is caused by, another one.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TicketLinkId,
    /// The duplicate, or the effect.
    pub ticket_id: TicketId,
    /// The original, or the cause.
    pub other_id: TicketId,
    pub kind: LinkKind,
    pub created_at: DateTimeUtc,
    pub created_by_kind: ActorKind,
    pub created_by_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
