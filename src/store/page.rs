//! Keyset paging: a page starts beside a row, not after a number of rows, so that it costs the same at any depth.
//!
//! A list is sorted by up to a few keys, each its own way, and by the id at last; what is not known comes last. A page reads
//! forward or backward, and its rows always stand in the order of the list. Example: a [`Window`] with `before` and
//! `backward` is the page in front of a row.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sea_orm::{
    Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, Value,
    sea_query::{Expr, NullOrdering, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{domain::instant::is_in_range, store::Result};

/// What a list is sorted by, as a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortKey {
    /// A number.
    #[serde(rename = "n")]
    Number(i64),
    /// An instant.
    #[serde(rename = "i")]
    Instant(DateTime<Utc>),
    /// A day.
    #[serde(rename = "d")]
    Day(NaiveDate),
    /// A name, which may well look like a number or an instant.
    #[serde(rename = "t")]
    Text(String),
}

/// Whether a text can be compared with stored ones: PostgreSQL keeps no NUL.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether an instant can be compared with stored ones: the databases agree on the years 1 to 9999 only.
pub fn is_comparable(at: DateTime<Utc>) -> bool {
    is_in_range(at)
}

impl SortKey {
    /// Whether it can be compared with stored values: a cursor may have been made up.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Instant(at) => is_comparable(*at),
            Self::Day(day) => (0..=9999).contains(&day.year()),
            Self::Text(text) => is_storable(text),
        }
    }
}

impl From<SortKey> for Value {
    fn from(key: SortKey) -> Self {
        match key {
            SortKey::Number(number) => number.into(),
            SortKey::Instant(at) => at.into(),
            SortKey::Day(day) => day.into(),
            SortKey::Text(text) => text.into(),
        }
    }
}

/// Where a row stands in an order: its sort keys, none where one is not known, then its id, which breaks ties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The sort keys.
    pub keys: Vec<Option<SortKey>>,
    /// The id.
    pub id: Uuid,
}

impl Position {
    /// The position in an order by one key that is always known.
    pub fn new(key: SortKey, id: Uuid) -> Self {
        Self { keys: vec![Some(key)], id }
    }
}

/// The part of a list that a page shows.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Only rows after this one.
    pub after: Option<Position>,
    /// Only rows before this one.
    pub before: Option<Position>,
    /// How many rows.
    pub size: u64,
    /// Whether they are the last of those, not the first.
    pub backward: bool,
    /// Whether it is asked if rows come before the page.
    pub looks_back: bool,
    /// Whether it is asked if rows come after the page.
    pub looks_on: bool,
}

impl Window {
    /// The first rows of a list.
    pub fn first(size: u64) -> Self {
        Self { size, looks_on: true, ..Self::default() }
    }
}

/// One thing that a list is sorted by.
#[derive(Clone, Debug)]
pub struct Sorting {
    /// By what.
    pub key: SimpleExpr,
    /// Which way.
    pub order: Order,
    /// Whether it may not be known; such rows come last, whichever way the others are sorted.
    pub nullable: bool,
}

/// How a list is sorted, and the part of it that is asked for.
#[derive(Clone, Debug)]
pub struct Keyset {
    /// What it is sorted by, the first first.
    pub sortings: Vec<Sorting>,
    /// What breaks ties, the same way as the last sorting.
    pub id: SimpleExpr,
    /// The part.
    pub window: Window,
}

/// Rows of a page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, in the order of the list.
    pub rows: Vec<T>,
    /// Whether more come before them.
    pub has_previous: bool,
    /// Whether more come after them.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// A page of nothing.
    pub const fn empty() -> Self {
        Self { rows: Vec::new(), has_previous: false, has_next: false }
    }

    /// Takes away the one row too many that was asked for, at the end that the page is read towards.
    pub(super) fn cut(&mut self, size: u64, backward: bool) {
        let surplus = self.rows.len().saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
        if backward {
            self.rows.drain(..surplus);
            self.has_previous |= surplus > 0;
        } else {
            self.rows.truncate(self.rows.len() - surplus);
            self.has_next |= surplus > 0;
        }
    }

    /// The same page of something else.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        self.with_rows(|rows| rows.into_iter().map(into).collect())
    }

    /// The same page with what its rows are turned into, one for one.
    pub fn with_rows<U>(self, into: impl FnOnce(Vec<T>) -> Vec<U>) -> Page<U> {
        Page { rows: into(self.rows), has_previous: self.has_previous, has_next: self.has_next }
    }
}

impl Keyset {
    /// A list that is sorted by one thing that is always known.
    pub fn by(key: SimpleExpr, order: Order, id: SimpleExpr, window: Window) -> Self {
        Self { sortings: vec![Sorting { key, order, nullable: false }], id, window }
    }

    /// The rows of the window and one more, in the direction that it reads.
    pub fn apply<Q: QueryFilter + QueryOrder + QuerySelect>(&self, selection: Q) -> Q {
        let backward = self.window.backward;
        let mut selection = selection;
        for Sorting { key, order, nullable } in &self.sortings {
            let order = towards(order, backward);
            let nulls = if backward { NullOrdering::First } else { NullOrdering::Last };
            selection = if *nullable {
                selection.order_by_with_nulls(key.clone(), order, nulls)
            } else {
                selection.order_by(key.clone(), order)
            };
        }
        selection = selection.order_by(self.id.clone(), towards(&self.id_order(), backward));
        if let Some(after) = &self.window.after {
            selection = selection.filter(self.beside(after, Ordering::Greater, false));
        }
        if let Some(before) = &self.window.before {
            selection = selection.filter(self.beside(before, Ordering::Less, false));
        }
        selection.limit(self.window.size + 1)
    }

    /// The page of the rows that [`Self::apply`] found. Whether any stand beyond the window is looked up when asked for.
    pub async fn page<E, T>(&self, db: &impl ConnectionTrait, all: Select<E>, mut rows: Vec<T>) -> Result<Page<T>>
    where
        E: EntityTrait,
        E::Model: FromQueryResult + Send + Sync,
    {
        let Window { after, before, size, backward, looks_back, looks_on } = &self.window;
        if *backward {
            rows.reverse();
        }
        let mut page = Page { rows, has_previous: false, has_next: false };
        page.cut(*size, *backward);
        if let Some(after) = after.as_ref().filter(|_| *looks_back && !page.has_previous) {
            page.has_previous = exists(db, all.clone().filter(self.beside(after, Ordering::Less, true))).await?;
        }
        if let Some(before) = before.as_ref().filter(|_| *looks_on && !page.has_next) {
            page.has_next = exists(db, all.filter(self.beside(before, Ordering::Greater, true))).await?;
        }
        Ok(page)
    }

    fn id_order(&self) -> Order {
        self.sortings.last().map_or(Order::Asc, |sorting| sorting.order.clone())
    }

    /// The rows on one side of a position, with the row itself or without.
    fn beside(&self, position: &Position, side: Ordering, with_itself: bool) -> Condition {
        let is_plain = |sorting: &Sorting| !sorting.nullable && sorting.order == self.id_order();
        if self.sortings.iter().all(is_plain) {
            return Condition::all().add(self.beside_plainly(position, side, with_itself));
        }
        let mut beside = Condition::any();
        let mut equal = Condition::all();
        for (Sorting { key, order, nullable }, at) in self.sortings.iter().zip(&position.keys) {
            let further = match (at, side) {
                // What is not known comes last: nothing after it, everything known before it.
                (None, Ordering::Greater) => None,
                (None, _) => Some(key.clone().is_not_null()),
                (Some(at), Ordering::Greater) if *nullable => {
                    Some(compare(key, order, side, at).or(key.clone().is_null()))
                }
                (Some(at), _) => Some(compare(key, order, side, at)),
            };
            if let Some(further) = further {
                beside = beside.add(equal.clone().add(further));
            }
            equal = equal.add(match at {
                Some(at) => key.clone().eq(Value::from(at.clone())),
                None => key.clone().is_null(),
            });
        }
        let further = match (towards(&self.id_order(), side == Ordering::Less), with_itself) {
            (Order::Desc, false) => self.id.clone().lt(position.id),
            (Order::Desc, true) => self.id.clone().lte(position.id),
            (_, false) => self.id.clone().gt(position.id),
            (_, true) => self.id.clone().gte(position.id),
        };
        beside.add(equal.add(further))
    }

    /// The same where everything is known and sorted one way: one comparison, which an index answers.
    fn beside_plainly(&self, position: &Position, side: Ordering, with_itself: bool) -> SimpleExpr {
        let keys = self.sortings.iter().map(|sorting| sorting.key.clone());
        let row = Expr::tuple(keys.chain([self.id.clone()]));
        let at = position.keys.iter().flatten().map(|key| Expr::val(Value::from(key.clone())));
        let at = Expr::tuple(at.chain([Expr::val(position.id)]));
        match (towards(&self.id_order(), side == Ordering::Less), with_itself) {
            (Order::Desc, false) => row.lt(at),
            (Order::Desc, true) => row.lte(at),
            (_, false) => row.gt(at),
            (_, true) => row.gte(at),
        }
    }
}

fn compare(key: &SimpleExpr, order: &Order, side: Ordering, at: &SortKey) -> SimpleExpr {
    let at = Value::from(at.clone());
    match towards(order, side == Ordering::Less) {
        Order::Desc => key.clone().lt(at),
        _ => key.clone().gt(at),
    }
}

/// The order, or its reverse.
const fn towards(order: &Order, reversed: bool) -> Order {
    match (order, reversed) {
        (Order::Desc, false) | (Order::Asc, true) => Order::Desc,
        _ => Order::Asc,
    }
}

/// One page of a selection.
pub async fn fetch<E>(db: &impl ConnectionTrait, selection: Select<E>, keyset: &Keyset) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Send + Sync,
{
    let rows = keyset.apply(selection.clone()).all(db).await?;
    keyset.page(db, selection, rows).await
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
