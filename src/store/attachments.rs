//! Files of tickets, and the key that signs their addresses.

use ::entity::{
    attachment,
    id::{AttachmentId, CommentId, CompanyId, TicketId},
    signing_key,
    vocab::AttachmentState,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};

use crate::store::Result;

/// The name of the key that signs addresses.
const KEY: &str = "attachment";
/// The name of what tells the owner of an attachment store.
const OWNER: &str = "attachment_owner";

/// A file, if the scope contains it.
pub async fn find(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    id: AttachmentId,
) -> Result<Option<attachment::Model>> {
    Ok(attachment::Entity::visible_to(scope).filter(attachment::COLUMN.id.eq(id)).one(db).await?)
}

/// Some files, by id.
pub async fn find_many(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[AttachmentId],
) -> Result<Vec<attachment::Model>> {
    all(db, attachment::Entity::visible_to(scope).filter(attachment::COLUMN.id.is_in(ids.iter().copied()))).await
}

/// The files of some tickets, oldest first.
pub async fn of_tickets(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    tickets: &[TicketId],
) -> Result<Vec<attachment::Model>> {
    let files = attachment::Entity::visible_to(scope);
    all(db, files.filter(attachment::COLUMN.ticket_id.is_in(tickets.iter().copied()))).await
}

/// The files of some comments, oldest first.
pub async fn of_comments(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    comments: &[CommentId],
) -> Result<Vec<attachment::Model>> {
    let files = attachment::Entity::visible_to(scope);
    all(db, files.filter(attachment::COLUMN.comment_id.is_in(comments.iter().copied()))).await
}

async fn all(db: &impl ConnectionTrait, files: Select<attachment::Entity>) -> Result<Vec<attachment::Model>> {
    Ok(files.order_by_asc(attachment::Column::RequestedAt).order_by_asc(attachment::Column::Id).all(db).await?)
}

/// Stores a file that may be uploaded.
pub async fn insert(db: &impl ConnectionTrait, row: attachment::Model) -> Result<()> {
    attachment::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Notes that a file is there, under this name; says whether it was still waited for.
pub async fn mark_ready(db: &impl ConnectionTrait, id: AttachmentId, object: &str, now: DateTime<Utc>) -> Result<bool> {
    let result = attachment::Entity::update_many()
        .col_expr(attachment::Column::State, Expr::val(AttachmentState::Ready))
        .col_expr(attachment::Column::Object, Expr::val(object))
        .col_expr(attachment::Column::ReadyAt, Expr::val(now))
        .filter(attachment::COLUMN.id.eq(id))
        .filter(attachment::COLUMN.state.eq(AttachmentState::Requested))
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// Takes files away from everybody; their bytes follow with the next sweep.
pub async fn mark_removed(db: &impl ConnectionTrait, ids: &[AttachmentId], now: DateTime<Utc>) -> Result<()> {
    attachment::Entity::update_many()
        .col_expr(attachment::Column::State, Expr::val(AttachmentState::Removed))
        .col_expr(attachment::Column::ExpiresAt, Expr::val(now))
        .filter(attachment::COLUMN.id.is_in(ids.iter().copied()))
        .exec(db)
        .await?;
    Ok(())
}

/// Files that never came before this instant, or were removed; some of them at a time.
pub async fn unkept(db: &impl ConnectionTrait, before: DateTime<Utc>, limit: u64) -> Result<Vec<attachment::Model>> {
    Ok(attachment::Entity::find()
        .filter(attachment::COLUMN.state.ne(AttachmentState::Ready))
        .filter(attachment::COLUMN.expires_at.lt(before))
        .order_by_asc(attachment::Column::ExpiresAt)
        .limit(limit)
        .all(db)
        .await?)
}

/// Forgets a file that is not kept; says whether it was there.
pub async fn forget(db: &impl ConnectionTrait, id: AttachmentId) -> Result<bool> {
    let result = attachment::Entity::delete_many()
        .filter(attachment::COLUMN.id.eq(id))
        .filter(attachment::COLUMN.state.ne(AttachmentState::Ready))
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// The names and sizes, in bytes, of all objects that files have.
pub async fn ready_objects(db: &impl ConnectionTrait) -> Result<Vec<(String, u64)>> {
    let rows: Vec<(Option<String>, i64)> = attachment::Entity::find()
        .select_only()
        .columns([attachment::Column::Object, attachment::Column::Size])
        .filter(attachment::COLUMN.state.eq(AttachmentState::Ready))
        .into_tuple()
        .all(db)
        .await?;
    let named = rows.into_iter().filter_map(|(object, size)| Some((object?, u64::try_from(size).unwrap_or(0))));
    Ok(named.collect())
}

/// The states of those files that are there, by id, each with the name of its object.
pub async fn objects_of(
    db: &impl ConnectionTrait,
    ids: &[AttachmentId],
) -> Result<Vec<(AttachmentId, AttachmentState, Option<String>)>> {
    Ok(attachment::Entity::find()
        .select_only()
        .columns([attachment::Column::Id, attachment::Column::State, attachment::Column::Object])
        .filter(attachment::COLUMN.id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db)
        .await?)
}

/// The key that signs addresses: this one, unless there is one already.
pub async fn signing_key(db: &impl ConnectionTrait, fresh: String, now: DateTime<Utc>) -> Result<String> {
    shared_secret(db, KEY, fresh, now).await
}

/// What marks an attachment store as this database's: this, unless there is something already.
pub async fn owner(db: &impl ConnectionTrait, fresh: String, now: DateTime<Utc>) -> Result<String> {
    shared_secret(db, OWNER, fresh, now).await
}

/// Forgets what marks an attachment store as this database's: a copy of a database owns nothing of the original's.
pub async fn forget_owner(db: &impl ConnectionTrait) -> Result<()> {
    signing_key::Entity::delete_by_id(OWNER).exec(db).await?;
    Ok(())
}

async fn shared_secret(db: &impl ConnectionTrait, name: &str, fresh: String, now: DateTime<Utc>) -> Result<String> {
    if let Some(row) = signing_key::Entity::find_by_id(name).one(db).await? {
        return Ok(row.secret);
    }
    let row = signing_key::Model { name: name.to_owned(), secret: fresh.clone(), made_at: now };
    signing_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(signing_key::Column::Name).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    let kept = signing_key::Entity::find_by_id(name).one(db).await?;
    Ok(kept.map_or(fresh, |row| row.secret))
}
