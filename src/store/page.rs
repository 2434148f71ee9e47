//! Keyset paging: a page starts after a row, not after a number of rows, so that it costs the same at any depth.
//!
//! Example: `Keyset { after: Some((name, id)), first: 50 }` asks for the 50 rows that sort after that one.

use chrono::{DateTime, Datelike, Utc};
use sea_orm::{
    ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Value,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::Result;

/// What a list is sorted by, as a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortKey {
    /// A number.
    #[serde(rename = "n")]
    Number(i64),
    /// An instant.
    #[serde(rename = "i")]
    Instant(DateTime<Utc>),
    /// A name, which may well look like a number or an instant.
    #[serde(rename = "t")]
    Text(String),
}

/// Whether a text can be compared with stored ones: PostgreSQL keeps no NUL.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether an instant can be compared with stored ones: the databases agree on four-digit years only.
pub fn is_comparable(at: DateTime<Utc>) -> bool {
    (0..=9999).contains(&at.year())
}

impl Default for SortKey {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// Where a row stands in an order: its sort key, then its id, which breaks ties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The sort key.
    pub key: SortKey,
    /// The id.
    pub id: Uuid,
}

impl From<SortKey> for Value {
    fn from(key: SortKey) -> Self {
        match key {
            SortKey::Number(number) => number.into(),
            SortKey::Instant(at) => at.into(),
            SortKey::Text(text) => text.into(),
        }
    }
}

/// How a list is sorted and where its page starts.
#[derive(Clone, Debug)]
pub struct Keyset {
    /// What it is sorted by; never null.
    pub key: SimpleExpr,
    /// What breaks ties.
    pub id: SimpleExpr,
    /// Which way, for both.
    pub order: Order,
    /// The row before the page.
    pub after: Option<Position>,
    /// How many rows.
    pub first: u64,
}

/// Rows of a page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Whether more come after them.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// A page of what `rows`, asked for with one row too many, holds.
    pub(super) fn cut(mut rows: Vec<T>, first: u64) -> Self {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let has_next = rows.len() > first;
        rows.truncate(first);
        Self { rows, has_next }
    }

    /// A page of nothing.
    pub const fn empty() -> Self {
        Self { rows: Vec::new(), has_next: false }
    }

    /// The same page of something else.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(into).collect(), has_next: self.has_next }
    }
}

/// Sorts a selection, starts it after the position and asks for one row more than the page has.
pub fn paged<Q: QueryFilter + QueryOrder + QuerySelect>(selection: Q, keyset: &Keyset) -> Q {
    let sorted = selection
        .order_by(keyset.key.clone(), keyset.order.clone())
        .order_by(keyset.id.clone(), keyset.order.clone())
        .limit(keyset.first + 1);
    let Some(Position { key, id }) = &keyset.after else { return sorted };
    let row = Expr::tuple([keyset.key.clone(), keyset.id.clone()]);
    let start = Expr::tuple([Expr::val(Value::from(key.clone())), Expr::val(*id)]);
    match keyset.order {
        Order::Desc => sorted.filter(row.lt(start)),
        _ => sorted.filter(row.gt(start)),
    }
}

/// One page of a selection.
pub async fn fetch<E>(db: &impl ConnectionTrait, selection: Select<E>, keyset: &Keyset) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    Ok(Page::cut(paged(selection, keyset).all(db).await?, keyset.first))
}

/// How many rows a selection has in all.
pub async fn count<E>(db: &impl ConnectionTrait, selection: Select<E>) -> Result<u64>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    Ok(selection.count(db).await?)
}

/// Whether a selection has any row.
pub async fn exists<E>(db: &impl ConnectionTrait, selection: Select<E>) -> Result<bool>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    let found = selection.select_only().expr(Expr::val(1)).limit(1).into_tuple::<i32>().one(db).await?;
    Ok(found.is_some())
}
