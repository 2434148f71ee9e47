//! What people say about tickets.

use std::collections::{HashMap, HashSet};

use ::entity::{
    comment,
    id::{CommentId, CompanyId, TicketId},
    vocab::Visibility,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, Order, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, Query, SimpleExpr, WindowStatement},
};

use crate::store::{
    Result, StoreError,
    page::{Page, Position, SortKey, Window},
};

/// Where a comment stands among those of its ticket.
type Place = (DateTime<Utc>, CommentId);

/// Which comments of a ticket a caller asks for, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// Only those after this one.
    pub after: Option<Place>,
    /// Only those before this one.
    pub before: Option<Place>,
    /// How many.
    pub size: u64,
    /// Whether they are the last of those, not the first.
    pub backward: bool,
    /// Whether it is asked if others come before them.
    pub looks_back: bool,
    /// Whether it is asked if others come after them.
    pub looks_on: bool,
}

impl From<Window> for Stretch {
    fn from(window: Window) -> Self {
        let Window { after, before, size, backward, looks_back, looks_on } = window;
        let place = |position: Position| match position.keys.into_iter().next() {
            Some(Some(SortKey::Instant(at))) => Some((at, CommentId(position.id))),
            _ => None,
        };
        Self { after: after.and_then(place), before: before.and_then(place), size, backward, looks_back, looks_on }
    }
}

/// A comment, if the scope contains it.
pub async fn find(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    id: CommentId,
) -> Result<Option<comment::Model>> {
    Ok(comment::Entity::visible_to(scope).filter(comment::COLUMN.id.eq(id)).one(db).await?)
}

/// Some comments, by id.
pub async fn find_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[CommentId],
) -> Result<Vec<comment::Model>> {
    Ok(comment::Entity::visible_to(scope).filter(comment::COLUMN.id.is_in(ids.iter().copied())).all(db).await?)
}

/// The same stretch of the comments of each ticket, oldest first: one statement for all of them, and one for each end of the
/// stretch that a comment was named for, where it is asked what lies beyond.
pub async fn of_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    tickets: &[TicketId],
    stretch: &Stretch,
) -> Result<HashMap<TicketId, Page<comment::Model>>> {
    let order = if stretch.backward { Order::Desc } else { Order::Asc };
    let window = WindowStatement::partition_by((comment::Entity, comment::Column::TicketId))
        .order_by((comment::Entity, comment::Column::CreatedAt), order.clone())
        .order_by((comment::Entity, comment::Column::Id), order)
        .take();
    let mut places = comment::Entity::visible_to(scope)
        .filter(comment::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .filter(Condition::all().add_option(stretch.after.map(|after| place().gt(at(after)))))
        .filter(Condition::all().add_option(stretch.before.map(|before| place().lt(at(before)))))
        .select_only()
        .column(comment::Column::Id)
        .into_query();
    places.expr_window_as(Expr::cust("ROW_NUMBER()"), window, Alias::new("place"));
    let ids = Query::select()
        .column(Alias::new("id"))
        .from_subquery(places, Alias::new("placed"))
        .and_where(Expr::col(Alias::new("place")).lte(i64::try_from(stretch.size + 1).unwrap_or(i64::MAX)))
        .take();
    let rows = comment::Entity::find()
        .filter(Expr::col((comment::Entity, comment::Column::Id)).in_subquery(ids))
        .order_by_asc(comment::Column::CreatedAt)
        .order_by_asc(comment::Column::Id)
        .all(db)
        .await?;
    let mut pages: HashMap<TicketId, Page<comment::Model>> = HashMap::new();
    for row in rows {
        pages.entry(row.ticket_id).or_insert_with(Page::empty).rows.push(row);
    }
    let earlier = stretch.after.filter(|_| stretch.looks_back).map(|after| place().lte(at(after)));
    let later = stretch.before.filter(|_| stretch.looks_on).map(|before| place().gte(at(before)));
    let earlier = with_comments(db, scope, tickets, earlier).await?;
    let later = with_comments(db, scope, tickets, later).await?;
    for ticket in tickets {
        let page = pages.entry(*ticket).or_insert_with(Page::empty);
        page.has_previous = earlier.contains(ticket);
        page.has_next = later.contains(ticket);
        page.cut(stretch.size, stretch.backward);
    }
    Ok(pages)
}

/// Those of the tickets that have such a comment; none where none is asked for.
async fn with_comments(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    tickets: &[TicketId],
    beyond: Option<SimpleExpr>,
) -> Result<HashSet<TicketId>> {
    let Some(beyond) = beyond else { return Ok(HashSet::new()) };
    let found = comment::Entity::visible_to(scope)
        .filter(comment::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .filter(beyond)
        .select_only()
        .column(comment::Column::TicketId)
        .distinct();
    Ok(found.into_tuple::<TicketId>().all(db).await?.into_iter().collect())
}

/// Where each comment stands.
fn place() -> SimpleExpr {
    Expr::tuple([
        Expr::col((comment::Entity, comment::Column::CreatedAt)),
        Expr::col((comment::Entity, comment::Column::Id)),
    ])
}

fn at((created_at, id): Place) -> SimpleExpr {
    Expr::tuple([Expr::val(created_at), Expr::val(id.0)])
}

/// How many comments each ticket has.
pub async fn count_of_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    tickets: &[TicketId],
) -> Result<HashMap<TicketId, i64>> {
    let counts = comment::Entity::visible_to(scope)
        .filter(comment::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .select_only()
        .column(comment::Column::TicketId)
        .column_as(comment::COLUMN.id.count(), "count")
        .group_by(comment::Column::TicketId)
        .into_tuple::<(TicketId, i64)>()
        .all(db)
        .await?;
    Ok(counts.into_iter().collect())
}

/// All words of a ticket's comments: those that staff read, and those that the client reads too.
pub async fn texts_of(db: &impl ConnectionTrait, ticket: TicketId) -> Result<(String, String)> {
    let rows = comment::Entity::find()
        .filter(comment::COLUMN.ticket_id.eq(ticket))
        .order_by_asc(comment::Column::CreatedAt)
        .order_by_asc(comment::Column::Id)
        .all(db)
        .await?;
    let words = |wanted: &dyn Fn(&comment::Model) -> bool| {
        let bodies: Vec<_> = rows.iter().filter(|row| wanted(row)).filter_map(|row| row.body.as_deref()).collect();
        bodies.join("\n\n")
    };
    Ok((words(&|_| true), words(&|row| row.visibility == Visibility::Client)))
}

/// Stores a new comment.
pub async fn insert(db: &impl ConnectionTrait, row: comment::Model) -> Result<()> {
    comment::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed comment.
pub async fn save(db: &impl ConnectionTrait, row: comment::Model) -> Result<()> {
    let result = comment::Entity::update_many()
        .filter(comment::COLUMN.id.eq(row.id))
        .filter(comment::COLUMN.deleted_at.is_null())
        .set(row.into_active_model().reset_all())
        .exec(db)
        .await?;
    if result.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
}
