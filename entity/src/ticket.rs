//! Tickets: where they stand and what is known of them.

use sea_orm::entity::prelude::*;

use crate::{
    id::{CompanyId, ContactId, PersonId, TicketId, TicketSubtypeId},
    vocab::{ActorKind, Category, DeEscalationReason, Platform, Priority, Severity, Stage, TicketSource},
};

/// A ticket. A null fact is one that nobody stated yet.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ticket")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TicketId,
    /// The number in the human key `L2-<number>`, counted without gaps.
    #[sea_orm(unique)]
    pub number: i64,
    /// Grows by one with every change; callers send it back as `expectedVersion`.
    pub version: i32,
    pub source: TicketSource,
    pub level_one_reference: Option<String>,
    pub company_id: CompanyId,
    pub contact_id: ContactId,
    pub assignee_id: Option<PersonId>,
    pub created_by_kind: ActorKind,
    pub created_by_id: Option<Uuid>,

    pub stage: Stage,
    /// The stage it was closed or transferred from; a reopening may return there.
    pub closed_from: Option<Stage>,
    pub closed_at: Option<DateTimeUtc>,
    /// When it was first closed as resolved; a reopening does not change it.
    pub first_resolved_at: Option<DateTimeUtc>,
    /// The pipeline it was transferred to.
    pub transferred_to: Option<String>,
    pub de_escalation_count: i32,
    /// The reasons of the latest de-escalation.
    pub de_escalation_reasons: Option<DeEscalationReasons>,
    pub proposed_priority: Option<Priority>,
    pub proposed_priority_reasons: Option<Sentences>,
    /// The delivery date that the client was told last.
    pub promised_delivery_date: Option<Date>,
    /// The delivery date that the client was told first.
    pub first_promised_date: Option<Date>,
    /// The day on which it was resolved, where deliveries are counted; null while it is not.
    pub delivered_on: Option<Date>,

    pub subject: String,
    #[sea_orm(column_type = "Text")]
    pub description: String,
    pub category: Category,
    pub subtype_id: TicketSubtypeId,
    pub severity: Option<Severity>,
    #[sea_orm(column_type = "Text", nullable)]
    pub acceptance_criteria: Option<String>,
    pub target_url: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub steps_to_reproduce: Option<String>,
    pub ops_can_reproduce: Option<bool>,
    pub affects_other_clients: Option<bool>,
    pub client_target_date: Option<Date>,
    pub platform: Option<Platform>,
    pub browser: Option<String>,
    pub operating_system: Option<String>,
    pub app_version: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub workaround: Option<String>,
    pub estimated_delivery_date: Option<Date>,
    pub priority: Option<Priority>,
    pub pull_request: Option<String>,
    pub pull_request_merged_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub resolution_notes: Option<String>,

    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,

    #[sea_orm(belongs_to, from = "company_id", to = "id")]
    pub company: BelongsTo<super::company::Entity>,
    #[sea_orm(belongs_to, from = "contact_id", to = "id")]
    pub contact: BelongsTo<super::contact::Entity>,
    #[sea_orm(belongs_to, from = "subtype_id", to = "id")]
    pub subtype: BelongsTo<super::ticket_subtype::Entity>,
    #[sea_orm(belongs_to, from = "assignee_id", to = "id")]
    pub assignee: BelongsTo<Option<super::person::Entity>>,
}

/// A list of de-escalation reasons, stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, sea_orm::FromJsonQueryResult)]
pub struct DeEscalationReasons(pub Vec<DeEscalationReason>);

/// A list of sentences, stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, sea_orm::FromJsonQueryResult)]
pub struct Sentences(pub Vec<String>);

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The tickets that a contact's company can see, or all of them for staff.
    pub fn visible_to(company: Option<CompanyId>) -> Select<Self> {
        match company {
            Some(company) => Self::find().filter(COLUMN.company_id.eq(company)),
            None => Self::find(),
        }
    }
}
