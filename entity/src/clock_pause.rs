//! Pauses of stage clocks.

use sea_orm::entity::prelude::*;

use crate::{
    id::{ClockPauseId, StageVisitId},
    vocab::PauseReason,
};

/// One pause of one visit's clock; a null `ended_at` is a pause that goes on.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clock_pause")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClockPauseId,
    pub visit_id: StageVisitId,
    pub reason: PauseReason,
    pub started_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    /// When it ends by itself.
    pub resume_at: Option<DateTimeUtc>,
    #[sea_orm(belongs_to, from = "visit_id", to = "id")]
    pub visit: BelongsTo<super::stage_visit::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
