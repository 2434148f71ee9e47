//! Numbers that are counted without gaps.

use sea_orm::entity::prelude::*;

/// One counter; `ticket` counts the numbers in human keys.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "counter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The last number given out.
    pub value: i64,
}

impl ActiveModelBehavior for ActiveModel {}
