//! Working calendars.

use sea_orm::entity::prelude::*;

use crate::id::CalendarId;

/// A calendar that policies name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CalendarId,
    #[sea_orm(unique)]
    pub name: String,
    /// `secondline::domain::calendar::CalendarDefinition`.
    pub definition: Json,
    pub version: i32,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
