//! SLA alerts: a level that a visit's clock reached, once.

use sea_orm::entity::prelude::*;

use crate::{
    id::{PersonId, SlaAlertId, StageVisitId, TicketId},
    vocab::{AlertCause, AlertLevel, AlertOutcome, Stage, Team},
};

/// One level reached by one visit; the pair is unique.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_alert")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SlaAlertId,
    pub visit_id: StageVisitId,
    pub ticket_id: TicketId,
    pub stage: Stage,
    pub team: Team,
    pub level: AlertLevel,
    pub outcome: AlertOutcome,
    /// The computed instant at which the clock reached the level.
    pub reached_at: DateTimeUtc,
    /// When the scan saw it.
    pub detected_at: DateTimeUtc,
    /// The visit's due time.
    pub due_at: DateTimeUtc,
    /// What made it come when it came; null for alerts from before this was kept.
    pub cause: Option<AlertCause>,
    /// Why people were told otherwise than usual, or not at all.
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    /// When somebody took charge of it.
    pub acknowledged_at: Option<DateTimeUtc>,
    pub acknowledged_by: Option<PersonId>,
    /// What they said.
    #[sea_orm(column_type = "Text", nullable)]
    pub acknowledgement: Option<String>,
    #[sea_orm(belongs_to, from = "ticket_id", to = "id")]
    pub ticket: BelongsTo<super::ticket::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
