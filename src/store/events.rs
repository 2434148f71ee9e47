//! The append-only history.

use ::entity::{id::TicketId, ticket_event};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::{
    domain::{
        actor::Actor,
        event::{Event, EventData},
    },
    store::{Result, StoreError},
};

/// Appends what happened to a ticket.
pub async fn append(
    db: &impl ConnectionTrait,
    ticket: TicketId,
    actor: &Actor,
    now: DateTime<Utc>,
    events: &[Event],
) -> Result<()> {
    append_many(db, actor, now, events.iter().map(|event| (ticket, event))).await
}

/// Appends what happened to several tickets, in one statement.
pub async fn append_many<'a>(
    db: &impl ConnectionTrait,
    actor: &Actor,
    now: DateTime<Utc>,
    events: impl IntoIterator<Item = (TicketId, &'a Event)>,
) -> Result<()> {
    let rows = events
        .into_iter()
        .map(|(ticket, event)| {
            Ok(ticket_event::ActiveModel {
                ticket_id: Set(ticket),
                happened_at: Set(now),
                actor_kind: Set(actor.kind()),
                actor_id: Set(actor.uuid()),
                kind: Set(event.kind),
                data: Set(serde_json::to_value(&event.data).map_err(|error| StoreError::corrupt("event", error))?),
                ..Default::default()
            })
        })
        .collect::<Result<Vec<_>>>()?;
    if !rows.is_empty() {
        ticket_event::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

/// What an event's row says.
pub fn data(row: &ticket_event::Model) -> Result<EventData> {
    serde_json::from_value(row.data.clone()).map_err(|error| StoreError::corrupt("event", error))
}

/// All events of some tickets, oldest first.
pub async fn of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<ticket_event::Model>> {
    Ok(ticket_event::Entity::find()
        .filter(ticket_event::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(ticket_event::Column::Id)
        .all(db)
        .await?)
}

/// The position of the latest event that readers may pass; zero where there is none.
pub async fn latest(db: &impl ConnectionTrait) -> Result<i64> {
    let row = settled(db).order_by_desc(ticket_event::Column::Id).limit(1).one(db).await?;
    Ok(row.map_or(0, |event| event.id))
}

/// Up to `limit` events after a position, in order, none of which a running transaction can still precede.
pub async fn after(db: &impl ConnectionTrait, position: i64, limit: u64) -> Result<Vec<ticket_event::Model>> {
    Ok(settled(db)
        .filter(ticket_event::COLUMN.id.gt(position))
        .order_by_asc(ticket_event::Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

/// On PostgreSQL a sequence is not commit order: an event counts once every transaction that began before it has ended.
/// On SQLite writers come one after the other.
fn settled(db: &impl ConnectionTrait) -> sea_orm::Select<ticket_event::Entity> {
    let events = ticket_event::Entity::find();
    match db.get_database_backend() {
        DbBackend::Postgres => {
            events.filter(Expr::cust("ticket_event.written_by < pg_snapshot_xmin(pg_current_snapshot())"))
        }
        _ => events,
    }
}
