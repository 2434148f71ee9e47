//! The subtypes of each category, a list that administrators edit.

use sea_orm::entity::prelude::*;

use crate::{id::TicketSubtypeId, vocab::Category};

/// A subtype. An archived one stays on old tickets and is not offered for new ones.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket_subtype")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TicketSubtypeId,
    pub category: Category,
    pub name: String,
    pub archived_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
