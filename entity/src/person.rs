//! Staff.

use sea_orm::entity::prelude::*;

use crate::id::{CalendarId, PersonId};

/// A member of staff. Their teams are [`crate::person_team`] rows.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PersonId,
    pub name: String,
    #[sea_orm(unique)]
    pub email: String,
    pub locale: String,
    pub time_zone: String,
    /// When they work, so that alerts wait for it; null where they work when their team does.
    pub calendar_id: Option<CalendarId>,
    pub administrator: bool,
    /// A person who left keeps their history, but neither signs in nor gets mail.
    pub active: bool,
    /// The subject of the OpenID Connect provider's tokens, once they signed in with one.
    #[sea_orm(unique)]
    pub oidc_subject: Option<String>,
    pub version: i32,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
