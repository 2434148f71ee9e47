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
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, IntoSimpleExpr, Order, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, Query, WindowStatement},
};

use crate::{
    domain::{
        actor::Actor,
        event::{Event, EventData, ForClient, seen_by_client},
    },
    store::{ROWS, Result, StoreError, page::Page, tickets::of_tickets_in},
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

/// Appends what happened to several tickets, in one statement for some hundred.
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
    for some in rows.chunks(ROWS) {
        ticket_event::Entity::insert_many(some.to_vec()).exec_without_returning(db).await?;
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

/// Events of which clients see something.
pub(super) fn seen_by_clients() -> Condition {
    let seen = |how| EventKind::all().filter(move |kind| seen_by_client(*kind) == how);
    let kind = || ticket_event::COLUMN.kind;
    let said = Condition::all().add(kind().is_in(seen(ForClient::WhereItSaysSo))).add(Expr::cust(SAYS_SO));
    Condition::any().add(kind().is_in(seen(ForClient::Always))).add(said)
}

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
        let of_tickets = ticket_event::COLUMN.ticket_id.is_in(tickets.iter().copied());
        Condition::all().add(of_tickets).add_option(self.for_client.then(seen_by_clients))
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
