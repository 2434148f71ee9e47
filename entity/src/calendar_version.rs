//! Versions of working calendars; a row never changes.

use sea_orm::entity::prelude::*;

use crate::id::{CalendarId, CalendarVersionId, PersonId};

/// One version of one calendar.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CalendarVersionId,
    pub calendar_id: CalendarId,
    /// Counts from 1.
    pub version: i32,
    /// `secondline::domain::calendar::CalendarDefinition`.
    pub definition: Json,
    /// From when on it holds, unless a higher version holds there.
    pub effective_at: DateTimeUtc,
    pub recorded_at: DateTimeUtc,
    /// Who wrote it; null for what an empty database starts with.
    pub recorded_by: Option<PersonId>,
}

impl ActiveModelBehavior for ActiveModel {}
