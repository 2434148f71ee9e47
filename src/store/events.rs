//! The append-only history.

use std::collections::{HashMap, HashSet};

use ::entity::{
    id::{CompanyId, TicketId},
    ticket_event,
    vocab::EventKind,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoSimpleExpr, Order, QueryFilter,
    QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, Query, WindowStatement},
};

use crate::{
    domain::{
        actor::Actor,
        event::{Event, EventData, ForClient, seen_by_client},
    },
    store::{Result, StoreError, page::Page, tickets::of_tickets_in},
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

/// All events of some tickets, in the order of the log.
pub async fn all_of_many(db: &impl ConnectionTrait, tickets: &[TicketId]) -> Result<Vec<ticket_event::Model>> {
    Ok(ticket_event::Entity::find()
        .filter(ticket_event::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .order_by_asc(ticket_event::Column::Id)
        .all(db)
        .await?)
}

/// Whether an event's data says that the client sees it; JSON's true reads as 1 on SQLite.
const SAYS_SO: &str = "CAST(data ->> 'client_sees' AS TEXT) IN ('true', '1')";

/// The part of a ticket's history that is asked for, by places in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventWindow {
    /// Only events after this one.
    pub after: Option<i64>,
    /// Only events before this one.
    pub before: Option<i64>,
    /// How many.
    pub size: u64,
    /// Whether they are the last of those, not the first.
    pub backward: bool,
    /// Whether only what clients see is asked for.
    pub for_client: bool,
}

impl EventWindow {
    fn of(&self, tickets: &[TicketId]) -> Condition {
        let mut events = Condition::all().add(ticket_event::COLUMN.ticket_id.is_in(tickets.iter().copied()));
        if self.for_client {
            let seen = |how| EventKind::all().filter(move |kind| seen_by_client(*kind) == how);
            let kind = || ticket_event::COLUMN.kind;
            let said = Condition::all().add(kind().is_in(seen(ForClient::WhereItSaysSo))).add(Expr::cust(SAYS_SO));
            events = events.add(Condition::any().add(kind().is_in(seen(ForClient::Always))).add(said));
        }
        events
    }
}

/// The part of each ticket's history, oldest first: one statement for all of them, and one for each end of the window that
/// an event was named for.
pub async fn of_many(
    db: &impl ConnectionTrait,
    tickets: &[TicketId],
    window: &EventWindow,
) -> Result<HashMap<TicketId, Page<ticket_event::Model>>> {
    let id = || Expr::col(ticket_event::Column::Id);
    let order = if window.backward { Order::Desc } else { Order::Asc };
    let after = window.after.map(|after| id().gt(after));
    let before = window.before.map(|before| id().lt(before));
    let places = Query::select()
        .column(ticket_event::Column::Id)
        .expr_window_as(
            Expr::cust("ROW_NUMBER()"),
            WindowStatement::partition_by(ticket_event::Column::TicketId)
                .order_by(ticket_event::Column::Id, order)
                .take(),
            "place",
        )
        .from(ticket_event::Entity)
        .cond_where(window.of(tickets).add_option(after).add_option(before))
        .take();
    let size = i64::try_from(window.size).unwrap_or(i64::MAX - 1);
    let wanted = Query::select()
        .column(ticket_event::Column::Id)
        .from_subquery(places, "placed")
        .and_where(Expr::col("place").lte(size + 1))
        .take();
    let rows = ticket_event::Entity::find()
        .filter(ticket_event::COLUMN.id.into_simple_expr().in_subquery(wanted))
        .order_by_asc(ticket_event::Column::Id)
        .all(db)
        .await?;
    let mut pages: HashMap<TicketId, Page<ticket_event::Model>> = HashMap::new();
    for row in rows {
        pages.entry(row.ticket_id).or_insert_with(Page::empty).rows.push(row);
    }
    let earlier = with_events(db, tickets, window, window.after.map(|after| id().lte(after))).await?;
    let later = with_events(db, tickets, window, window.before.map(|before| id().gte(before))).await?;
    for ticket in tickets {
        let page = pages.entry(*ticket).or_insert_with(Page::empty);
        page.has_previous = earlier.contains(ticket);
        page.has_next = later.contains(ticket);
        page.cut(window.size, window.backward);
    }
    Ok(pages)
}

/// Those of the tickets that have such an event; none where none is asked for.
async fn with_events(
    db: &impl ConnectionTrait,
    tickets: &[TicketId],
    window: &EventWindow,
    beyond: Option<Expr>,
) -> Result<HashSet<TicketId>> {
    let Some(beyond) = beyond else { return Ok(HashSet::new()) };
    let found = ticket_event::Entity::find()
        .select_only()
        .column(ticket_event::Column::TicketId)
        .distinct()
        .filter(window.of(tickets).add(beyond));
    Ok(found.into_tuple::<TicketId>().all(db).await?.into_iter().collect())
}

/// Some events of tickets that the scope contains.
pub async fn by_id(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[i64],
) -> Result<Vec<ticket_event::Model>> {
    let events = ticket_event::Entity::find().filter(ticket_event::COLUMN.id.is_in(ids.iter().copied()));
    Ok(of_tickets_in(events, ticket_event::Column::TicketId, scope).all(db).await?)
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
