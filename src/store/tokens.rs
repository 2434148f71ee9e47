//! Access tokens, of which only the hash is stored.

use std::collections::HashMap;

use ::entity::{access_token, id::AccessTokenId, vocab::Scope};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr,
};

use crate::store::{Result, StoreError};

/// Stores a new token.
pub async fn insert(db: &impl ConnectionTrait, row: access_token::Model) -> Result<()> {
    access_token::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// A token, whatever its state.
pub async fn find(db: &impl ConnectionTrait, id: AccessTokenId) -> Result<Option<access_token::Model>> {
    Ok(access_token::Entity::find_by_id(id).one(db).await?)
}

/// The token with this hash, whatever its state.
pub async fn find_by_hash(db: &impl ConnectionTrait, hash: &str) -> Result<Option<access_token::Model>> {
    Ok(access_token::Entity::find().filter(access_token::COLUMN.token_hash.eq(hash)).one(db).await?)
}

/// The scopes that a token is restricted to; none where it is not.
pub fn scopes(row: &access_token::Model) -> Result<Option<Vec<Scope>>> {
    let read = |scopes: &serde_json::Value| serde_json::from_value(scopes.clone());
    row.scopes.as_ref().map(read).transpose().map_err(|error| StoreError::corrupt("scope", error))
}

/// Some tokens, whatever their state.
pub async fn by_id(
    db: &impl ConnectionTrait,
    ids: &[AccessTokenId],
) -> Result<HashMap<AccessTokenId, access_token::Model>> {
    let rows = access_token::Entity::find().filter(access_token::COLUMN.id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// What some tokens are called.
pub async fn names(db: &impl ConnectionTrait, ids: &[AccessTokenId]) -> Result<HashMap<AccessTokenId, String>> {
    Ok(by_id(db, ids).await?.into_iter().map(|(id, row)| (id, row.name)).collect())
}

/// All tokens, oldest first.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<access_token::Model>> {
    Ok(access_token::Entity::find().order_by_asc(access_token::Column::Id).all(db).await?)
}

/// Notes that a token was used, unless that was noted after `unless_since`.
pub async fn touch(
    db: &impl ConnectionTrait,
    id: AccessTokenId,
    now: DateTime<Utc>,
    unless_since: DateTime<Utc>,
) -> Result<()> {
    touch_all(db, &[id], now, unless_since).await
}

/// The same of several tokens. What was noted after `now`, before the clock was set back, is noted anew.
pub async fn touch_all(
    db: &impl ConnectionTrait,
    ids: &[AccessTokenId],
    now: DateTime<Utc>,
    unless_since: DateTime<Utc>,
) -> Result<()> {
    access_token::Entity::update_many()
        .col_expr(access_token::Column::LastUsedAt, Expr::val(now))
        .filter(access_token::COLUMN.id.is_in(ids.iter().copied()))
        .filter(
            Condition::any()
                .add(access_token::COLUMN.last_used_at.is_null())
                .add(access_token::COLUMN.last_used_at.gt(now))
                .add(access_token::COLUMN.last_used_at.lt(unless_since)),
        )
        .exec(db)
        .await?;
    Ok(())
}

/// Revokes a token; says whether it was in force.
pub async fn revoke(db: &impl ConnectionTrait, id: AccessTokenId, now: DateTime<Utc>) -> Result<bool> {
    let result = access_token::Entity::update_many()
        .col_expr(access_token::Column::RevokedAt, Expr::val(now))
        .filter(access_token::COLUMN.id.eq(id))
        .filter(access_token::COLUMN.revoked_at.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}
