//! SLA alerts.

use std::collections::HashMap;

use ::entity::{
    id::{SlaAlertId, TicketId},
    sla_alert,
    vocab::{AlertLevel, Stage, Team},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, QueryFilter, QueryOrder, Select,
    sea_query::{Expr, OnConflict},
};

use crate::store::{
    Result,
    page::{Keyset, Page, Position, fetch},
};

/// Which alerts a caller asks for; what is absent does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    pub stage: Option<Stage>,
    pub team: Option<Team>,
    pub level: Option<AlertLevel>,
}

/// Stores new alerts. A level that the visit has recorded already is not recorded twice.
pub async fn insert_many(db: &impl ConnectionTrait, alerts: Vec<sla_alert::Model>) -> Result<()> {
    if !alerts.is_empty() {
        let rows = alerts.into_iter().map(IntoActiveModel::into_active_model);
        let known = OnConflict::columns([sla_alert::Column::VisitId, sla_alert::Column::Level]).do_nothing().to_owned();
        sla_alert::Entity::insert_many(rows).on_conflict(known).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Some alerts.
pub async fn by_id(db: &impl ConnectionTrait, ids: &[SlaAlertId]) -> Result<HashMap<SlaAlertId, sla_alert::Model>> {
    let rows = sla_alert::Entity::find().filter(sla_alert::COLUMN.id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
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
    filter: &AlertFilter,
    after: Option<Position>,
    first: u64,
) -> Result<Page<sla_alert::Model>> {
    let keyset = Keyset {
        key: Expr::col((sla_alert::Entity, sla_alert::Column::DetectedAt)),
        id: Expr::col((sla_alert::Entity, sla_alert::Column::Id)),
        order: Order::Desc,
        after,
        first,
    };
    fetch(db, filter.selection(), &keyset).await
}

/// How many alerts the filter finds.
pub async fn count(db: &impl ConnectionTrait, filter: &AlertFilter) -> Result<u64> {
    super::page::count(db, filter.selection()).await
}

impl AlertFilter {
    fn selection(&self) -> Select<sla_alert::Entity> {
        let mut selection = sla_alert::Entity::find();
        if let Some(stage) = self.stage {
            selection = selection.filter(sla_alert::COLUMN.stage.eq(stage));
        }
        if let Some(team) = self.team {
            selection = selection.filter(sla_alert::COLUMN.team.eq(team));
        }
        if let Some(level) = self.level {
            selection = selection.filter(sla_alert::COLUMN.level.eq(level));
        }
        selection
    }
}
