//! When the database was last backed up.

use chrono::{DateTime, Utc};
use entity::backup_record;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, sea_query::OnConflict};

use crate::store::Result;

/// The name of the only record.
const LAST: &str = "last";

/// Returns the instant of the last backup; `None` before the first one.
pub async fn last(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>> {
    let row = backup_record::Entity::find_by_id(LAST).one(db).await?;
    Ok(row.map(|row| row.taken_at))
}

/// Notes when the last backup was taken.
pub async fn record(db: &impl ConnectionTrait, taken_at: DateTime<Utc>) -> Result<()> {
    let row = backup_record::Model { name: LAST.to_owned(), taken_at };
    let conflict =
        OnConflict::column(backup_record::Column::Name).update_column(backup_record::Column::TakenAt).to_owned();
    backup_record::Entity::insert(row.into_active_model()).on_conflict(conflict).exec_without_returning(db).await?;
    Ok(())
}
