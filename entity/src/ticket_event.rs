//! The append-only history of tickets, which subscribers hear as well.

use sea_orm::entity::prelude::*;

use crate::{
    id::TicketId,
    vocab::{ActorKind, EventKind},
};

/// One thing that happened to one ticket. Rows are never changed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_event")]
pub struct Model {
    /// The position in the log, counted by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    pub ticket_id: TicketId,
    pub happened_at: DateTimeUtc,
    pub actor_kind: ActorKind,
    /// The person or contact; null for the system.
    pub actor_id: Option<Uuid>,
    pub kind: EventKind,
    /// What the kind needs to be understood, as `secondline::domain::event::EventData`.
    pub data: Json,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
