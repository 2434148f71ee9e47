//! Bearer tokens. Only their hash is stored.

use sea_orm::entity::prelude::*;

use crate::id::{AccessTokenId, ContactId, PersonId};

/// A token of a person, of a contact, or, where neither is set, of an integration.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccessTokenId,
    pub name: String,
    pub person_id: Option<PersonId>,
    pub contact_id: Option<ContactId>,
    /// The scopes, as a JSON list of words; null where the owner's rights are not restricted.
    pub scopes: Option<Json>,
    /// SHA-256 of the token, in lower-case hex.
    #[sea_orm(unique)]
    pub token_hash: String,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
