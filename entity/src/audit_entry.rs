//! The append-only audit log: who changed what, from where.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AccessTokenId, AuditEntryId, ContactId, PersonId},
    vocab::{ActorKind, AuditAction},
};

/// One change. Rows are never changed, but for words that are erased wherever they are kept.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEntryId,
    pub at: DateTimeUtc,
    pub actor_kind: ActorKind,
    /// The person, the contact, or the token of the integration; null for the system.
    pub actor_id: Option<Uuid>,
    /// What the actor was called then.
    pub actor_name: Option<String>,
    pub action: AuditAction,
    /// The opaque id of what was changed, such as `ticket_0199f3…`.
    pub target: String,
    /// What differs, as it was; null where there was nothing before.
    pub before: Option<Json>,
    /// What differs, as it is now.
    pub after: Option<Json>,
    /// The network address that the request came from.
    pub address: Option<String>,
    pub request_id: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The opaque id of the actor; none for the system.
    pub fn actor(&self) -> Option<String> {
        let id = self.actor_id?;
        match self.actor_kind {
            ActorKind::Person => Some(PersonId(id).to_string()),
            ActorKind::Contact => Some(ContactId(id).to_string()),
            ActorKind::Integration => Some(AccessTokenId(id).to_string()),
            ActorKind::System => None,
        }
    }
}
