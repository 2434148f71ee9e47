//! Versions of SLA policies; a row never changes.

use sea_orm::entity::prelude::*;

use crate::{
    id::{PersonId, SlaPolicyId, SlaPolicyVersionId},
    vocab::Stage,
};

/// One version of the policy of one stage.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_policy_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SlaPolicyVersionId,
    pub policy_id: SlaPolicyId,
    pub stage: Stage,
    /// Counts from 1.
    pub version: i32,
    /// `secondline::domain::policy::PolicyTerms`.
    pub terms: Json,
    /// From when on clocks follow it.
    pub effective_at: DateTimeUtc,
    pub recorded_at: DateTimeUtc,
    /// Who wrote it; null for what an empty database starts with.
    pub recorded_by: Option<PersonId>,
}

impl ActiveModelBehavior for ActiveModel {}
