//! Keys that all replicas share.

use sea_orm::entity::prelude::*;

/// One key; `attachment` signs the addresses of attachments.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// 256 random bits, in hexadecimal.
    pub secret: String,
    pub made_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
