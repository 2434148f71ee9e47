//! What people say about tickets.

use std::collections::HashMap;

use ::entity::{
    comment,
    id::{CommentId, CompanyId, TicketId},
    vocab::Visibility,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Order, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, Query, WindowStatement},
};

use crate::store::{Result, StoreError};

/// Which comments of a ticket a caller asks for, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// Only those after this one.
    pub after: Option<(DateTime<Utc>, CommentId)>,
    /// Only those before this one.
    pub before: Option<(DateTime<Utc>, CommentId)>,
    /// The last ones instead of the first ones.
    pub from_end: bool,
    /// At most so many.
    pub limit: u64,
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

/// The same stretch of the comments of each ticket, oldest first; one more than the limit where there are more.
pub async fn stretch_of_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    tickets: &[TicketId],
    stretch: &Stretch,
) -> Result<Vec<comment::Model>> {
    let order = if stretch.from_end { Order::Desc } else { Order::Asc };
    let window = WindowStatement::partition_by((comment::Entity, comment::Column::TicketId))
        .order_by((comment::Entity, comment::Column::CreatedAt), order.clone())
        .order_by((comment::Entity, comment::Column::Id), order)
        .take();
    let row = || {
        Expr::tuple([
            Expr::col((comment::Entity, comment::Column::CreatedAt)),
            Expr::col((comment::Entity, comment::Column::Id)),
        ])
    };
    let place = |(at, id): (DateTime<Utc>, CommentId)| Expr::tuple([Expr::val(at), Expr::val(id.0)]);
    let mut found = comment::Entity::visible_to(scope)
        .filter(comment::COLUMN.ticket_id.is_in(tickets.iter().copied()))
        .select_only()
        .column(comment::Column::Id);
    if let Some(after) = stretch.after {
        found = found.filter(row().gt(place(after)));
    }
    if let Some(before) = stretch.before {
        found = found.filter(row().lt(place(before)));
    }
    let mut numbered = found.into_query();
    numbered.expr_window_as(Expr::cust("ROW_NUMBER()"), window, Alias::new("place"));
    let ids = Query::select()
        .column(Alias::new("id"))
        .from_subquery(numbered, Alias::new("numbered"))
        .and_where(Expr::col(Alias::new("place")).lte(i64::try_from(stretch.limit + 1).unwrap_or(i64::MAX)))
        .take();
    Ok(comment::Entity::find()
        .filter(Expr::col((comment::Entity, comment::Column::Id)).in_subquery(ids))
        .order_by_asc(comment::Column::CreatedAt)
        .order_by_asc(comment::Column::Id)
        .all(db)
        .await?)
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
