//! The log of events as its subscribers read it: in order, and only as far as nothing can come in between any more.
//!
//! PostgreSQL numbers events before they are committed: the number of one that is not there to be read belongs to a transaction
//! that runs, or was rolled back. Whoever reads the log passes such a gap only once those [`Writers`] have ended that ran when
//! it was seen. On SQLite writers come one after the other, and nothing can be missing. Example: [`after`] reads what is new,
//! [`writers`] says whom a gap may belong to, [`between`] reads for a subscriber what is known to be complete.

use std::time::Duration;

use ::entity::{
    id::{CompanyId, TicketId},
    ticket_event,
    vocab::EventKind,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    RuntimeErr, Statement,
    sqlx::{
        self,
        postgres::{PgListener, PgPoolOptions},
    },
};

use crate::store::{Database, Result, StoreError, events::seen_by_clients, tickets::of_tickets_in};

/// Where servers on one PostgreSQL tell each other that there are new events.
const CHANNEL: &str = "secondline_events";

/// A database that does not let us connect for so long is tried again later.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The transactions that hold the lock that every writer of events takes before it numbers the first one, and keeps to its end.
const HOLDERS: &str = "FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND relation = 'ticket_event'::regclass";

/// Which events a reader of the log wants; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this ticket.
    pub ticket: Option<TicketId>,
    /// Of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Of this company's tickets: the scope of a contact.
    pub scope: Option<CompanyId>,
    /// Only those of which clients see something.
    pub for_client: bool,
}

impl LogFilter {
    /// Whether an event of a ticket of this company is wanted, as far as that shows without reading what it says.
    pub fn wants(&self, event: &ticket_event::Model, company: CompanyId) -> bool {
        self.ticket.is_none_or(|ticket| ticket == event.ticket_id)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
            && self.scope.is_none_or(|scope| scope == company)
    }

    fn condition(&self) -> Condition {
        let of = ticket_event::COLUMN;
        Condition::all()
            .add_option(self.ticket.map(|ticket| of.ticket_id.eq(ticket)))
            .add_option(self.kinds.as_ref().map(|kinds| of.kind.is_in(kinds.iter().copied())))
            .add_option(self.for_client.then(seen_by_clients))
    }
}

/// The number of the last event that can be read; zero where there is none.
pub async fn highest(db: &impl ConnectionTrait) -> Result<i64> {
    let last = ticket_event::Entity::find().select_only().column_as(ticket_event::COLUMN.id.max(), "last");
    Ok(last.into_tuple::<Option<i64>>().one(db).await?.flatten().unwrap_or(0))
}

/// Up to `limit` events after a position, in order. One that is missing in between may still come.
pub async fn after(db: &impl ConnectionTrait, position: i64, limit: u64) -> Result<Vec<ticket_event::Model>> {
    let events = ticket_event::Entity::find().filter(ticket_event::COLUMN.id.gt(position));
    Ok(events.order_by_asc(ticket_event::Column::Id).limit(limit).all(db).await?)
}

/// Up to `limit` events that are wanted of those after a position, up to another one, in order.
pub async fn between(
    db: &impl ConnectionTrait,
    filter: &LogFilter,
    (after, to): (i64, i64),
    limit: u64,
) -> Result<Vec<ticket_event::Model>> {
    let events = ticket_event::Entity::find()
        .filter(ticket_event::COLUMN.id.gt(after))
        .filter(ticket_event::COLUMN.id.lte(to))
        .filter(filter.condition());
    let events = of_tickets_in(events, ticket_event::Column::TicketId, filter.scope);
    Ok(events.order_by_asc(ticket_event::Column::Id).limit(limit).all(db).await?)
}

/// Transactions that had written events, or were about to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writers(Vec<String>);

/// Who writes events now. Whatever number was given out before belongs to one of them, or to a transaction that has ended.
pub async fn writers(db: &impl ConnectionTrait) -> Result<Writers> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(Writers::default());
    }
    let sql = format!("SELECT DISTINCT virtualtransaction {HOLDERS}");
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let names = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?;
    Ok(Writers(names))
}

/// Whether all of them have ended, so that what they wrote can be read.
pub async fn have_ended(db: &impl ConnectionTrait, Writers(names): &Writers) -> Result<bool> {
    if names.is_empty() {
        return Ok(true);
    }
    let sql = format!("SELECT NOT EXISTS (SELECT 1 {HOLDERS} AND virtualtransaction = ANY($1))");
    let row =
        db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [names.clone().into()])).await?;
    row.map_or(Ok(true), |row| Ok(row.try_get_by_index(0)?))
}

/// Tells the other servers that there are new events. On SQLite there are no others.
///
/// Not by the transaction that writes them: PostgreSQL lets those that tell something commit one at a time only.
pub async fn tell(db: &impl ConnectionTrait) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = format!("SELECT pg_notify('{CHANNEL}', '')");
        db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    }
    Ok(())
}

/// Hears when any server tells of new events.
pub struct Listener(PgListener);

/// Begins to listen, on a connection beside those of the pool; none on SQLite, where nobody else tells anything.
pub async fn listen(db: &Database) -> Result<Option<Listener>> {
    let Some(options) = db.postgres_options() else { return Ok(None) };
    let own = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_WITHIN);
    let own = own.connect_with(options).await.map_err(lost)?;
    let mut listener = PgListener::connect_with(&own).await.map_err(lost)?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await.map_err(lost)?;
    Ok(Some(Listener(listener)))
}

impl Listener {
    /// Waits until something is told. An error is the end: what was told meanwhile is lost.
    pub async fn hear(&mut self) -> Result<()> {
        match self.0.try_recv().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(lost(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())),
            Err(error) => Err(lost(error)),
        }
    }
}

/// The connection to hear the other servers by says nothing any more.
pub fn silent() -> StoreError {
    lost(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
}

fn lost(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}
