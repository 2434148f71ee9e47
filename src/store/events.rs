//! The append-only history.

use ::entity::{id::TicketId, ticket_event};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement, sea_query::Expr,
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

/// The position of the latest event after which a reader may begin; zero where there is none.
pub async fn latest(db: &impl ConnectionTrait) -> Result<i64> {
    let row = settled(db).order_by_desc(ticket_event::Column::Id).limit(1).one(db).await?;
    Ok(row.map_or(0, |event| event.id))
}

/// Up to `limit` events after a position, in order. Where one is missing it may still come: see [`running_now`].
pub async fn after(db: &impl ConnectionTrait, position: i64, limit: u64) -> Result<Vec<ticket_event::Model>> {
    Ok(ticket_event::Entity::find()
        .filter(ticket_event::COLUMN.id.gt(position))
        .order_by_asc(ticket_event::Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

/// The transactions that run at an instant: those with a lower number than this, which is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningNow(Option<i64>);

/// Notes which transactions run now, so that one can see when they [`have_ended`].
///
/// PostgreSQL numbers events before they are committed: the number of one that is not there to be read belongs to a
/// transaction that runs, or was rolled back. On SQLite writers come one after the other, and nothing can be missing.
pub async fn running_now(db: &impl ConnectionTrait) -> Result<RunningNow> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(RunningNow(None));
    }
    // A snapshot's own limit will not do: it is the number after the last one that *ended*.
    let number = Statement::from_string(DbBackend::Postgres, "SELECT pg_current_xact_id()::text::bigint");
    let row = db.query_one_raw(number).await?;
    Ok(RunningNow(row.map(|row| row.try_get_by_index(0)).transpose()?))
}

/// Whether all transactions that ran then have ended, so that what they wrote can be read.
pub async fn have_ended(db: &impl ConnectionTrait, RunningNow(number): RunningNow) -> Result<bool> {
    let Some(number) = number else { return Ok(true) };
    let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > $1";
    let row = db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [number.into()])).await?;
    row.map_or(Ok(true), |row| Ok(row.try_get_by_index(0)?))
}

/// Events of transactions before every one that runs.
fn settled(db: &impl ConnectionTrait) -> sea_orm::Select<ticket_event::Entity> {
    let events = ticket_event::Entity::find();
    match db.get_database_backend() {
        DbBackend::Postgres => {
            events.filter(Expr::cust("ticket_event.written_by < pg_snapshot_xmin(pg_current_snapshot())"))
        }
        _ => events,
    }
}
