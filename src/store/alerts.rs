//! SLA alerts.

use std::collections::HashMap;

use ::entity::{
    id::{PersonId, SlaAlertId, StageVisitId, TicketId},
    sla_alert,
    vocab::{AlertLevel, Stage, Team},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, IntoSimpleExpr, Order, QueryFilter,
    QueryOrder, Select,
    sea_query::{Expr, OnConflict},
};

use crate::store::{
    ROWS, Result,
    criteria::{Comparison, compare},
    page::{Keyset, Page, Window, fetch},
};

/// One thing that a caller asks of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertCriterion {
    Ticket(Comparison<TicketId>),
    Stage(Comparison<Stage>),
    Team(Comparison<Team>),
    Level(Comparison<AlertLevel>),
    DetectedAt(Comparison<DateTime<Utc>>),
}

/// Which alerts a caller asks for: those that meet every criterion.
pub type AlertFilter = Vec<AlertCriterion>;

/// Stores new alerts. A level that the visit has recorded already is not recorded twice.
pub async fn insert_many(db: &impl ConnectionTrait, alerts: Vec<sla_alert::Model>) -> Result<()> {
    for some in alerts.chunks(ROWS) {
        let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
        let known = OnConflict::columns([sla_alert::Column::VisitId, sla_alert::Column::Level]).do_nothing().to_owned();
        sla_alert::Entity::insert_many(rows).on_conflict(known).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Notes who took charge of an alert.
pub async fn acknowledge(
    db: &impl ConnectionTrait,
    id: SlaAlertId,
    by: Option<PersonId>,
    note: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sla_alert::Entity::update_many()
        .col_expr(sla_alert::Column::AcknowledgedAt, Expr::val(now))
        .col_expr(sla_alert::Column::AcknowledgedBy, Expr::val(by))
        .col_expr(sla_alert::Column::Acknowledgement, Expr::val(note))
        .filter(sla_alert::COLUMN.id.eq(id))
        .exec(db)
        .await?;
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

/// The alerts of some visits that somebody acknowledged, lowest level first.
pub async fn acknowledged(db: &impl ConnectionTrait, visits: &[StageVisitId]) -> Result<Vec<sla_alert::Model>> {
    let mut alerts = Vec::new();
    for some in visits.chunks(ROWS) {
        let rows = sla_alert::Entity::find()
            .filter(sla_alert::COLUMN.visit_id.is_in(some.iter().copied()))
            .filter(sla_alert::COLUMN.acknowledged_at.is_not_null())
            .all(db)
            .await?;
        alerts.extend(rows);
    }
    alerts.sort_by_key(|alert| (alert.visit_id, alert.level));
    Ok(alerts)
}

/// A page of alerts, the latest first.
pub async fn page(
    db: &impl ConnectionTrait,
    filter: &[AlertCriterion],
    window: Window,
) -> Result<Page<sla_alert::Model>> {
    let detected_at = Expr::col((sla_alert::Entity, sla_alert::Column::DetectedAt));
    let id = Expr::col((sla_alert::Entity, sla_alert::Column::Id));
    let keyset = Keyset::by(detected_at, Order::Desc, id, window);
    fetch(db, selection(filter), &keyset).await
}

/// How many alerts the filter finds.
pub async fn count(db: &impl ConnectionTrait, filter: &[AlertCriterion]) -> Result<u64> {
    super::page::count(db, selection(filter)).await
}

impl AlertCriterion {
    /// Whether an alert meets it.
    pub fn holds(&self, alert: &sla_alert::Model) -> bool {
        match self {
            Self::Ticket(ticket) => ticket.holds(&alert.ticket_id),
            Self::Stage(stage) => stage.holds(&alert.stage),
            Self::Team(team) => team.holds(&alert.team),
            Self::Level(level) => level.holds(&alert.level),
            Self::DetectedAt(at) => at.holds(&alert.detected_at),
        }
    }

    fn condition(&self) -> Condition {
        match self {
            Self::Ticket(ticket) => compare(sla_alert::COLUMN.ticket_id.into_simple_expr(), ticket),
            Self::Stage(stage) => compare(sla_alert::COLUMN.stage.into_simple_expr(), stage),
            Self::Team(team) => compare(sla_alert::COLUMN.team.into_simple_expr(), team),
            Self::Level(level) => compare(sla_alert::COLUMN.level.into_simple_expr(), level),
            Self::DetectedAt(at) => compare(sla_alert::COLUMN.detected_at.into_simple_expr(), at),
        }
    }
}

fn selection(filter: &[AlertCriterion]) -> Select<sla_alert::Entity> {
    filter.iter().fold(sla_alert::Entity::find(), |selection, criterion| selection.filter(criterion.condition()))
}
