//! SLA alerts.

use ::entity::{
    id::{SlaAlertId, TicketId},
    sla_alert,
    vocab::{AlertLevel, Stage},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

use crate::store::{
    Result,
    page::{Keyset, Page, Position, fetch},
};

/// Stores new alerts. A level that the visit has recorded already is not recorded twice.
pub async fn insert_many(db: &impl ConnectionTrait, alerts: Vec<sla_alert::Model>) -> Result<()> {
    if !alerts.is_empty() {
        let rows = alerts.into_iter().map(IntoActiveModel::into_active_model);
        let known = OnConflict::columns([sla_alert::Column::VisitId, sla_alert::Column::Level]).do_nothing().to_owned();
        sla_alert::Entity::insert_many(rows).on_conflict(known).exec_without_returning(db).await?;
    }
    Ok(())
}

/// One alert.
pub async fn find(db: &impl ConnectionTrait, id: SlaAlertId) -> Result<Option<sla_alert::Model>> {
    Ok(sla_alert::Entity::find_by_id(id).one(db).await?)
}

/// All alerts of some tickets, oldest first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<sla_alert::Model>> {
    Ok(sla_alert::Entity::find()
        .filter(sla_alert::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(sla_alert::Column::DetectedAt)
        .order_by_asc(sla_alert::Column::Id)
        .all(db)
        .await?)
}

/// A page of alerts, the latest first.
pub async fn page(
    db: &impl ConnectionTrait,
    stage: Option<Stage>,
    level: Option<AlertLevel>,
    after: Option<Position>,
    first: u64,
) -> Result<Page<sla_alert::Model>> {
    let mut selection = sla_alert::Entity::find();
    if let Some(stage) = stage {
        selection = selection.filter(sla_alert::COLUMN.stage.eq(stage));
    }
    if let Some(level) = level {
        selection = selection.filter(sla_alert::COLUMN.level.eq(level));
    }
    let keyset = Keyset {
        key: Expr::col((sla_alert::Entity, sla_alert::Column::DetectedAt)),
        id: Expr::col((sla_alert::Entity, sla_alert::Column::Id)),
        order: Order::Desc,
        after,
        first,
    };
    fetch(db, selection, &keyset).await
}
