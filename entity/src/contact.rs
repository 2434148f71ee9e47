//! Clients' people.

use sea_orm::entity::prelude::*;

use crate::id::{CompanyId, ContactId};

/// A client's contact. One mail address occurs once per company.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactId,
    pub company_id: CompanyId,
    pub name: String,
    /// As it was typed, apart from the case of its ASCII letters: `secondline::domain::address::Address`.
    pub email: String,
    /// A BCP 47 tag such as `en`.
    pub locale: String,
    /// An IANA zone such as `Europe/Berlin`.
    pub time_zone: String,
    /// A contact who left keeps their history, but neither signs in nor gets mail.
    pub active: bool,
    /// The subject of the OpenID Connect provider's tokens, once they signed in with one.
    #[sea_orm(unique)]
    pub oidc_subject: Option<String>,
    pub version: i32,
    pub created_at: DateTimeUtc,
    #[sea_orm(belongs_to, from = "company_id", to = "id")]
    pub company: BelongsTo<super::company::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The contacts of one company, or all of them.
    pub fn of_company(company: Option<CompanyId>) -> Select<Self> {
        match company {
            Some(company) => Self::find().filter(COLUMN.company_id.eq(company)),
            None => Self::find(),
        }
    }
}
