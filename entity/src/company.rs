//! Client companies.

use sea_orm::entity::prelude::*;

use crate::{id::CompanyId, vocab::CompanyTier};

/// A client company.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "company")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CompanyId,
    #[sea_orm(unique)]
    pub name: String,
    /// Null until somebody said it: the gate of Replicating asks for it.
    pub tier: Option<CompanyTier>,
    pub version: i32,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
