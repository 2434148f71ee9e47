//! Companies, contacts, people and subtypes.

use std::collections::HashMap;

use ::entity::{
    company, contact,
    id::{CompanyId, ContactId, PersonId, TicketSubtypeId},
    person, person_team, ticket_subtype,
    vocab::{Category, Team, TeamRole},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, LockType},
};

use crate::{
    domain::address::Address,
    store::{Result, StoreError},
};

/// The locks of mail addresses on PostgreSQL; an arbitrary constant, and a space of its own beside that of single keys.
const ADDRESS_LOCKS: i32 = 0x4144_4452;

/// A member of staff with their teams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonWithTeams {
    /// The person.
    pub person: person::Model,
    /// The teams they work in.
    pub teams: Vec<Team>,
    /// The teams they manage.
    pub manages: Vec<Team>,
}

/// Whoever an issuer's subject is linked to.
#[derive(Clone, Debug)]
pub enum Linked {
    /// A member of staff, active or not.
    Person(Box<PersonWithTeams>),
    /// A contact.
    Contact(Box<contact::Model>),
}

/// Whoever the subject is linked to.
pub async fn linked(db: &impl ConnectionTrait, subject: &str) -> Result<Option<Linked>> {
    let people = person::Entity::find().filter(person::Column::OidcSubject.eq(subject)).all(db).await?;
    if let Some(row) = with_teams(db, people).await?.pop() {
        return Ok(Some(Linked::Person(row.into())));
    }
    let contact = contact::Entity::find().filter(contact::Column::OidcSubject.eq(subject)).one(db).await?;
    Ok(contact.map(|row| Linked::Contact(row.into())))
}

/// Whoever the subjects are linked to.
pub async fn all_linked(db: &impl ConnectionTrait, subjects: &[&str]) -> Result<HashMap<String, Linked>> {
    let of = |subject: &Option<String>| subject.clone().unwrap_or_default();
    let contacts = contact::Entity::find().filter(contact::Column::OidcSubject.is_in(subjects.iter().copied()));
    let contacts = contacts.all(db).await?.into_iter();
    let mut linked: HashMap<_, _> = contacts.map(|row| (of(&row.oidc_subject), Linked::Contact(row.into()))).collect();
    let people = person::Entity::find().filter(person::Column::OidcSubject.is_in(subjects.iter().copied()));
    let people = with_teams(db, people.all(db).await?).await?.into_iter();
    linked.extend(people.map(|row| (of(&row.person.oidc_subject), Linked::Person(row.into()))));
    Ok(linked)
}

/// Links a person that is linked to nothing; says whether it did.
pub async fn link_person(db: &impl ConnectionTrait, id: PersonId, subject: &str) -> Result<bool> {
    let result = person::Entity::update_many()
        .col_expr(person::Column::OidcSubject, Expr::val(subject))
        .col_expr(person::Column::Version, Expr::col(person::Column::Version).add(1))
        .filter(person::COLUMN.id.eq(id))
        .filter(person::Column::OidcSubject.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// Links a contact that is linked to nothing; says whether it did.
pub async fn link_contact(db: &impl ConnectionTrait, id: ContactId, subject: &str) -> Result<bool> {
    let result = contact::Entity::update_many()
        .col_expr(contact::Column::OidcSubject, Expr::val(subject))
        .col_expr(contact::Column::Version, Expr::col(contact::Column::Version).add(1))
        .filter(contact::COLUMN.id.eq(id))
        .filter(contact::Column::OidcSubject.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// A company.
pub async fn company(db: &impl ConnectionTrait, id: CompanyId) -> Result<Option<company::Model>> {
    Ok(company::Entity::find_by_id(id).one(db).await?)
}

/// Some companies, all of them or the one of the scope.
pub async fn companies_by_id(
    db: &impl ConnectionTrait,
    scope: Option<CompanyId>,
    ids: &[CompanyId],
) -> Result<HashMap<CompanyId, company::Model>> {
    let selection = scope.map_or_else(company::Entity::find, company::Entity::find_by_id);
    let rows = selection.filter(company::COLUMN.id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Stores a new company.
pub async fn insert_company(db: &impl ConnectionTrait, row: company::Model) -> Result<()> {
    company::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed company.
pub async fn save_company(db: &impl ConnectionTrait, row: &mut company::Model) -> Result<()> {
    let read_version = row.version;
    row.version += 1;
    let result = company::Entity::update_many()
        .set(row.clone().into_active_model().reset_all())
        .filter(company::COLUMN.id.eq(row.id))
        .filter(company::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    one_row(result.rows_affected)
}

/// A contact.
pub async fn contact(db: &impl ConnectionTrait, id: ContactId) -> Result<Option<contact::Model>> {
    Ok(contact::Entity::find_by_id(id).one(db).await?)
}

/// Some contacts, all of them or those of one company.
pub async fn contacts_by_id(
    db: &impl ConnectionTrait,
    company: Option<CompanyId>,
    ids: &[ContactId],
) -> Result<HashMap<ContactId, contact::Model>> {
    let selection = contact::Entity::of_company(company).filter(contact::COLUMN.id.is_in(ids.iter().copied()));
    Ok(selection.all(db).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// The contacts with this mail address, at most one per company.
pub async fn contacts_by_email(db: &impl ConnectionTrait, address: &Address) -> Result<Vec<contact::Model>> {
    let same = contact::COLUMN.email.eq(address.as_str());
    Ok(contact::Entity::find().filter(same).order_by_asc(contact::Column::Id).all(db).await?)
}

/// Whether a contact is active, who stays so until the transaction ends.
pub async fn lock_active_contact(db: &impl ConnectionTrait, id: ContactId) -> Result<bool> {
    let mut active = contact::Entity::find_by_id(id).select_only().column(contact::Column::Active);
    if db.get_database_backend() == DbBackend::Postgres {
        active = active.lock(LockType::Share);
    }
    Ok(active.into_tuple::<bool>().one(db).await?.unwrap_or(false))
}

/// Locks a mail address until the transaction ends, so that of two who take it at once, in different tables, one sees the
/// other. On SQLite a transaction that writes is alone anyway.
pub async fn lock_address(db: &impl ConnectionTrait, address: &Address) -> Result<()> {
    let backend = db.get_database_backend();
    if backend == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
        let values = [ADDRESS_LOCKS.into(), address.as_str().into()];
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(())
}

/// The contacts whose mail address is that of a member of staff, with whoever that is.
pub async fn shared_addresses(db: &impl ConnectionTrait) -> Result<Vec<(contact::Model, person::Model)>> {
    let of_staff = person::Entity::find().select_only().column(person::Column::Email).into_query();
    let contacts = contact::Entity::find().filter(contact::COLUMN.email.in_subquery(of_staff)).all(db).await?;
    let addresses = contacts.iter().map(|row| row.email.as_str());
    let people = person::Entity::find().filter(person::COLUMN.email.is_in(addresses)).all(db).await?;
    let of = |contact: &contact::Model| people.iter().find(|person| person.email == contact.email).cloned();
    Ok(contacts.into_iter().filter_map(|contact| of(&contact).map(|person| (contact, person))).collect())
}

/// People and contacts whose mail address has other characters than ASCII, or capitals; the others compare as they should.
pub async fn unusual_addresses(db: &impl ConnectionTrait) -> Result<(Vec<person::Model>, Vec<contact::Model>)> {
    let unusual = Expr::cust(match db.get_database_backend() {
        DbBackend::Postgres => "octet_length(email) <> char_length(email) OR email <> lower(email COLLATE \"C\")",
        _ => "length(CAST(email AS BLOB)) <> length(email) OR email <> lower(email)",
    });
    let people = person::Entity::find().filter(unusual.clone()).order_by_asc(person::Column::Id).all(db).await?;
    let contacts = contact::Entity::find().filter(unusual).order_by_asc(contact::Column::Id).all(db).await?;
    Ok((people, contacts))
}

/// Stores a new contact.
pub async fn insert_contact(db: &impl ConnectionTrait, row: contact::Model) -> Result<()> {
    contact::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed contact.
pub async fn save_contact(db: &impl ConnectionTrait, row: &mut contact::Model) -> Result<()> {
    let read_version = row.version;
    row.version += 1;
    let result = contact::Entity::update_many()
        .set(row.clone().into_active_model().reset_all())
        .filter(contact::COLUMN.id.eq(row.id))
        .filter(contact::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    one_row(result.rows_affected)
}

/// A person with their teams.
pub async fn person(db: &impl ConnectionTrait, id: PersonId) -> Result<Option<PersonWithTeams>> {
    Ok(people_by_id(db, &[id]).await?.remove(&id))
}

/// Some people with their teams.
pub async fn people_by_id(db: &impl ConnectionTrait, ids: &[PersonId]) -> Result<HashMap<PersonId, PersonWithTeams>> {
    let rows = person_rows(db, ids).await?.into_values().collect();
    Ok(with_teams(db, rows).await?.into_iter().map(|person| (person.person.id, person)).collect())
}

/// Some people's rows, without their teams.
pub async fn person_rows(db: &impl ConnectionTrait, ids: &[PersonId]) -> Result<HashMap<PersonId, person::Model>> {
    let rows = person::Entity::find().filter(person::COLUMN.id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The person with this mail address.
pub async fn person_by_email(db: &impl ConnectionTrait, address: &Address) -> Result<Option<person::Model>> {
    Ok(person::Entity::find().filter(person::COLUMN.email.eq(address.as_str())).one(db).await?)
}

/// Whether a person, or else a contact, has not left.
pub async fn is_active(
    db: &impl ConnectionTrait,
    person: Option<PersonId>,
    contact: Option<ContactId>,
) -> Result<bool> {
    let active = match (person, contact) {
        (Some(id), _) => {
            person::Entity::find_by_id(id).select_only().column(person::Column::Active).into_tuple().one(db).await?
        }
        (None, Some(id)) => {
            contact::Entity::find_by_id(id).select_only().column(contact::Column::Active).into_tuple().one(db).await?
        }
        (None, None) => None,
    };
    Ok(active.unwrap_or(true))
}

/// Adds the teams to people's rows.
pub(super) async fn with_teams(db: &impl ConnectionTrait, rows: Vec<person::Model>) -> Result<Vec<PersonWithTeams>> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let roles = person_team::Entity::find().filter(person_team::COLUMN.person_id.is_in(ids)).all(db).await?;
    Ok(rows
        .into_iter()
        .map(|person| {
            let teams_as = |role| {
                let own = roles.iter().filter(|row| row.person_id == person.id && row.role == role);
                let mut teams: Vec<_> = own.map(|row| row.team).collect();
                teams.sort();
                teams
            };
            PersonWithTeams { teams: teams_as(TeamRole::Member), manages: teams_as(TeamRole::Manager), person }
        })
        .collect())
}

/// All active people with their teams: staff are few.
pub async fn active_people(db: &impl ConnectionTrait) -> Result<Vec<PersonWithTeams>> {
    let active = person::Entity::find().filter(person::COLUMN.active.eq(true)).order_by_asc(person::Column::Id);
    with_teams(db, active.all(db).await?).await
}

/// Keeps the active administrators as they are until the transaction ends, so that of two who dismiss each other one stays.
/// On SQLite a transaction that writes is alone anyway.
pub async fn hold_administrators(db: &impl ConnectionTrait) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        let administrators = person::Entity::find()
            .select_only()
            .column(person::Column::Id)
            .filter(person::COLUMN.administrator.eq(true))
            .filter(person::COLUMN.active.eq(true))
            .order_by_asc(person::Column::Id);
        administrators.lock(LockType::NoKeyUpdate).into_tuple::<PersonId>().all(db).await?;
    }
    Ok(())
}

/// Whether any person is stored.
pub async fn has_people(db: &impl ConnectionTrait) -> Result<bool> {
    super::page::exists(db, person::Entity::find()).await
}

/// Stores a new person with their teams.
pub async fn insert_person(db: &impl ConnectionTrait, row: &PersonWithTeams) -> Result<()> {
    person::Entity::insert(row.person.clone().into_active_model()).exec_without_returning(db).await?;
    insert_roles(db, row).await
}

/// Stores a changed person with their teams.
pub async fn save_person(db: &impl ConnectionTrait, row: &mut PersonWithTeams) -> Result<()> {
    let read_version = row.person.version;
    row.person.version += 1;
    let result = person::Entity::update_many()
        .set(row.person.clone().into_active_model().reset_all())
        .filter(person::COLUMN.id.eq(row.person.id))
        .filter(person::COLUMN.version.eq(read_version))
        .exec(db)
        .await?;
    one_row(result.rows_affected)?;
    person_team::Entity::delete_many().filter(person_team::COLUMN.person_id.eq(row.person.id)).exec(db).await?;
    insert_roles(db, row).await
}

async fn insert_roles(db: &impl ConnectionTrait, row: &PersonWithTeams) -> Result<()> {
    let as_role = |role| {
        move |team: &Team| person_team::Model { person_id: row.person.id, team: *team, role }.into_active_model()
    };
    let members = row.teams.iter().map(as_role(TeamRole::Member));
    let roles: Vec<_> = members.chain(row.manages.iter().map(as_role(TeamRole::Manager))).collect();
    if !roles.is_empty() {
        person_team::Entity::insert_many(roles).exec_without_returning(db).await?;
    }
    Ok(())
}

/// A subtype.
pub async fn subtype(db: &impl ConnectionTrait, id: TicketSubtypeId) -> Result<Option<ticket_subtype::Model>> {
    Ok(ticket_subtype::Entity::find_by_id(id).one(db).await?)
}

/// Some subtypes.
pub async fn subtypes_by_id(db: &impl ConnectionTrait, ids: &[TicketSubtypeId]) -> Result<Vec<ticket_subtype::Model>> {
    let selection = ticket_subtype::Entity::find().filter(ticket_subtype::COLUMN.id.is_in(ids.iter().copied()));
    Ok(selection.all(db).await?)
}

/// The subtypes, of one category or of all, archived ones only when asked for.
pub async fn subtypes(
    db: &impl ConnectionTrait,
    category: Option<Category>,
    include_archived: bool,
) -> Result<Vec<ticket_subtype::Model>> {
    let mut selection = ticket_subtype::Entity::find().order_by_asc(ticket_subtype::Column::Name);
    if let Some(category) = category {
        selection = selection.filter(ticket_subtype::COLUMN.category.eq(category));
    }
    if !include_archived {
        selection = selection.filter(ticket_subtype::COLUMN.archived_at.is_null());
    }
    let mut rows = selection.all(db).await?;
    rows.sort_by_key(|row| row.category);
    Ok(rows)
}

/// Stores new subtypes.
pub async fn insert_subtypes(db: &impl ConnectionTrait, rows: Vec<ticket_subtype::Model>) -> Result<()> {
    let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
    ticket_subtype::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Stores a changed subtype.
pub async fn save_subtype(db: &impl ConnectionTrait, row: &ticket_subtype::Model) -> Result<()> {
    let result = ticket_subtype::Entity::update_many()
        .set(row.clone().into_active_model().reset_all())
        .filter(ticket_subtype::COLUMN.id.eq(row.id))
        .exec(db)
        .await?;
    one_row(result.rows_affected)
}

const fn one_row(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}
