//! When the database was last backed up.

use sea_orm::entity::prelude::*;

/// A kind of backup; there is one, `last`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backup_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// What was stored before this instant is in the backup.
    pub taken_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
