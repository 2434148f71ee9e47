//! Lists of companies, contacts and people, by name.

use ::entity::{
    company, contact,
    id::CompanyId,
    person, person_team,
    vocab::{CompanyTier, Team},
};
use sea_orm::{
    Condition, ConnectionTrait, EntityTrait, ExprTrait, IntoSimpleExpr, Order, QueryFilter, QuerySelect, QueryTrait,
    Select, sea_query::Expr,
};

use crate::store::{
    Result,
    criteria::{Comparison, TextComparison, compare, compare_address, compare_text},
    directory::{PersonWithTeams, with_teams},
    page::{self, Keyset, Page, Window, fetch},
};

/// One thing that a caller asks of a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompanyCriterion {
    Name(TextComparison),
    Tier(Comparison<CompanyTier>),
}

/// One thing that a caller asks of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactCriterion {
    Company(Comparison<CompanyId>),
    Name(TextComparison),
    Email(TextComparison),
    /// Whether they sign in and get mail.
    Active(bool),
}

/// One thing that a caller asks of a member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonCriterion {
    Name(TextComparison),
    Email(TextComparison),
    /// Whether they sign in and get mail.
    Active(bool),
    /// Works in one of these teams, or manages it.
    Team(Comparison<Team>),
}

/// Companies that a caller asks for: all of them or the one of the scope, and of those what meets every criterion.
#[derive(Clone, Debug, Default)]
pub struct CompanyList {
    pub scope: Option<CompanyId>,
    pub criteria: Vec<CompanyCriterion>,
}

/// Contacts that a caller asks for: all of them or those of one company, and of those what meets every criterion.
#[derive(Clone, Debug, Default)]
pub struct ContactList {
    pub scope: Option<CompanyId>,
    pub criteria: Vec<ContactCriterion>,
}

/// Staff that a caller asks for: what meets every criterion.
#[derive(Clone, Debug, Default)]
pub struct PersonList {
    pub criteria: Vec<PersonCriterion>,
}

impl CompanyList {
    fn selection(&self) -> Select<company::Entity> {
        let all = self.scope.map_or_else(company::Entity::find, company::Entity::find_by_id);
        self.criteria.iter().fold(all, |selection, criterion| {
            selection.filter(match criterion {
                CompanyCriterion::Name(name) => compare_text(company::COLUMN.name.into_simple_expr(), name),
                CompanyCriterion::Tier(tier) => compare(company::COLUMN.tier.into_simple_expr(), tier),
            })
        })
    }
}

impl ContactList {
    fn selection(&self) -> Select<contact::Entity> {
        let all = contact::Entity::of_company(self.scope);
        self.criteria.iter().fold(all, |selection, criterion| {
            selection.filter(match criterion {
                ContactCriterion::Company(id) => compare(contact::COLUMN.company_id.into_simple_expr(), id),
                ContactCriterion::Name(name) => compare_text(contact::COLUMN.name.into_simple_expr(), name),
                ContactCriterion::Email(email) => compare_address(contact::COLUMN.email.into_simple_expr(), email),
                ContactCriterion::Active(active) => Condition::all().add(contact::COLUMN.active.eq(*active)),
            })
        })
    }
}

impl PersonList {
    fn selection(&self) -> Select<person::Entity> {
        self.criteria.iter().fold(person::Entity::find(), |selection, criterion| {
            selection.filter(match criterion {
                PersonCriterion::Name(name) => compare_text(person::COLUMN.name.into_simple_expr(), name),
                PersonCriterion::Email(email) => compare_address(person::COLUMN.email.into_simple_expr(), email),
                PersonCriterion::Active(active) => Condition::all().add(person::COLUMN.active.eq(*active)),
                PersonCriterion::Team(team) => Condition::all().add(in_team(team)),
            })
        })
    }
}

/// Whether a person has a role in such a team; a negative question finds those who have none in it.
fn in_team(team: &Comparison<Team>) -> Expr {
    let (comparison, negated) = match team {
        Comparison::Neq(team) => (Comparison::Eq(*team), true),
        Comparison::IsNull(is_null) => (Comparison::IsNull(false), *is_null),
        comparison => (comparison.clone(), false),
    };
    let roles = person_team::Entity::find()
        .select_only()
        .column(person_team::Column::PersonId)
        .filter(compare(person_team::COLUMN.team.into_simple_expr(), &comparison))
        .into_query();
    let id = person::COLUMN.id.into_simple_expr();
    if negated { id.not_in_subquery(roles) } else { id.in_subquery(roles) }
}

/// A page of companies by name.
pub async fn companies(db: &impl ConnectionTrait, list: &CompanyList, window: Window) -> Result<Page<company::Model>> {
    let (name, id) = (company::COLUMN.name.into_simple_expr(), company::COLUMN.id.into_simple_expr());
    fetch(db, list.selection(), &Keyset::by(name, Order::Asc, id, window)).await
}

/// How many companies there are.
pub async fn count_companies(db: &impl ConnectionTrait, list: &CompanyList) -> Result<u64> {
    page::count(db, list.selection()).await
}

/// A page of contacts by name.
pub async fn contacts(db: &impl ConnectionTrait, list: &ContactList, window: Window) -> Result<Page<contact::Model>> {
    let (name, id) = (contact::COLUMN.name.into_simple_expr(), contact::COLUMN.id.into_simple_expr());
    fetch(db, list.selection(), &Keyset::by(name, Order::Asc, id, window)).await
}

/// How many contacts there are.
pub async fn count_contacts(db: &impl ConnectionTrait, list: &ContactList) -> Result<u64> {
    page::count(db, list.selection()).await
}

/// A page of people by name.
pub async fn people(db: &impl ConnectionTrait, list: &PersonList, window: Window) -> Result<Page<PersonWithTeams>> {
    let (name, id) = (person::COLUMN.name.into_simple_expr(), person::COLUMN.id.into_simple_expr());
    let mut page = fetch(db, list.selection(), &Keyset::by(name, Order::Asc, id, window)).await?;
    let rows = with_teams(db, std::mem::take(&mut page.rows)).await?;
    Ok(page.with_rows(|_| rows))
}

/// How many people there are.
pub async fn count_people(db: &impl ConnectionTrait, list: &PersonList) -> Result<u64> {
    page::count(db, list.selection()).await
}
