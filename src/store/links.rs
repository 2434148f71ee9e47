//! Links between tickets.

use std::collections::BTreeSet;

use ::entity::{id::TicketId, ticket_link, vocab::LinkKind};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

use crate::store::Result;

/// A number of no meaning that everybody who changes links waits for.
const LINKS_LOCK: i64 = 7_231_004;

/// Keeps everybody else from changing links until the transaction ends, so that no two close a circle together. On SQLite a
/// transaction that writes is alone anyway.
pub async fn hold(db: &impl ConnectionTrait) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = format!("SELECT pg_advisory_xact_lock({LINKS_LOCK})");
        db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    }
    Ok(())
}

/// The links of some tickets, from either side, oldest first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<ticket_link::Model>> {
    let ids = || tickets.iter().copied();
    Ok(ticket_link::Entity::find()
        .filter(
            Condition::any()
                .add(ticket_link::COLUMN.ticket_id.is_in(ids()))
                .add(ticket_link::COLUMN.other_id.is_in(ids())),
        )
        .order_by_asc(ticket_link::Column::CreatedAt)
        .order_by_asc(ticket_link::Column::Id)
        .all(db)
        .await?)
}

/// All links of a kind that lead on from a ticket, however far: one statement per step.
pub async fn leading_on(
    db: &impl ConnectionTrait,
    kind: LinkKind,
    start: TicketId,
) -> Result<Vec<(TicketId, TicketId)>> {
    let mut links = Vec::new();
    let (mut seen, mut open) = (BTreeSet::from([start]), vec![start]);
    while !open.is_empty() {
        let found = ticket_link::Entity::find()
            .select_only()
            .column(ticket_link::Column::TicketId)
            .column(ticket_link::Column::OtherId)
            .filter(ticket_link::COLUMN.kind.eq(kind))
            .filter(ticket_link::COLUMN.ticket_id.is_in(open))
            .into_tuple::<(TicketId, TicketId)>()
            .all(db)
            .await?;
        open = found.iter().map(|(_, other)| *other).filter(|other| seen.insert(*other)).collect();
        links.extend(found);
    }
    Ok(links)
}

/// Stores a new link.
pub async fn insert(db: &impl ConnectionTrait, row: ticket_link::Model) -> Result<()> {
    ticket_link::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Removes a link; says whether there was one.
pub async fn remove(db: &impl ConnectionTrait, from: TicketId, to: TicketId, kind: LinkKind) -> Result<bool> {
    let result = ticket_link::Entity::delete_many()
        .filter(ticket_link::COLUMN.ticket_id.eq(from))
        .filter(ticket_link::COLUMN.other_id.eq(to))
        .filter(ticket_link::COLUMN.kind.eq(kind))
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}
