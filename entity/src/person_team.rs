//! Who is in which team, as what.

use sea_orm::entity::prelude::*;

use crate::{
    id::PersonId,
    vocab::{Team, TeamRole},
};

/// One role of one person in one team; a manager may be a member as well.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person_team")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub person_id: PersonId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub team: Team,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role: TeamRole,
    #[sea_orm(belongs_to, from = "person_id", to = "id")]
    pub person: BelongsTo<super::person::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
