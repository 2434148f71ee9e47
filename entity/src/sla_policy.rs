//! SLA policies, one per stage.

use sea_orm::entity::prelude::*;

use crate::{
    id::{CalendarId, SlaPolicyId},
    vocab::Stage,
};

/// The budget of a stage and the calendar it is counted in.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_policy")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SlaPolicyId,
    #[sea_orm(unique)]
    pub stage: Stage,
    /// ISO 8601, such as `P1D`. Null for an explicit none, and for Fixing, whose deadline is a date.
    pub budget: Option<String>,
    pub calendar_id: CalendarId,
    pub version: i32,
    pub updated_at: DateTimeUtc,
    #[sea_orm(belongs_to, from = "calendar_id", to = "id")]
    pub calendar: BelongsTo<super::calendar::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
