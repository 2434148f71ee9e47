//! Queries of companies, contacts, people and subtypes.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{id::CompanyId, vocab::Category};
use uuid::Uuid;

use crate::{
    domain::actor::Actor,
    graphql::{
        connection::{Listing, listing, page_request},
        context::{actor, loaders, service},
        error::ApiError,
        id,
        types::directory::{Company, Contact, Person, TicketSubtype},
    },
    service::queries::Counted,
    store::{
        self,
        page::{Position, SortKey},
    },
};

const BY_NAME: &str = "name";

/// Queries of companies, contacts, people and subtypes.
#[derive(Debug, Default)]
pub struct DirectoryQueries;

/// Who asks.
#[derive(SimpleObject)]
pub struct Viewer {
    /// The member of staff; null for a contact.
    person: Option<Person>,
    /// The contact; null for staff.
    contact: Option<Contact>,
}

/// Queries of companies, contacts, people and subtypes.
#[Object]
impl DirectoryQueries {
    /// Who you are.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, ApiError> {
        let loaders = loaders(context)?;
        Ok(match actor(context)? {
            Actor::Person(staff) => {
                Viewer { person: loaders.load_one(staff.id).await?.map(Person::from), contact: None }
            }
            Actor::Contact { id, .. } => Viewer { person: None, contact: loaders.load_one(*id).await?.map(Contact) },
            Actor::System => Viewer { person: None, contact: None },
        })
    }

    /// Client companies, by name. A contact sees their own.
    async fn companies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Company>, ApiError> {
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.companies(actor(context)?, page).await?;
        Ok(listing(found, BY_NAME, Counted::Companies, has_previous, |row| {
            (by_name(&row.name, row.id.0), Company(row))
        }))
    }

    /// Clients' people, by name. A contact sees those of their own company.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this company only.")] company_id: Option<ID>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Contact>, ApiError> {
        let company: Option<CompanyId> = company_id.map(|id| id::parse_reference(&id));
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.contacts(actor(context)?, company, page).await?;
        Ok(listing(found, BY_NAME, Counted::Contacts(company), has_previous, |row| {
            (by_name(&row.name, row.id.0), Contact(row))
        }))
    }

    /// Staff, by name. For staff.
    async fn people(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "The cursor before the page.")] after: Option<String>,
    ) -> Result<Listing<Person>, ApiError> {
        let page = page_request(BY_NAME, first, after.as_deref())?;
        let has_previous = page.after.is_some();
        let found = service(context)?.people(actor(context)?, page).await?;
        Ok(listing(found, BY_NAME, Counted::People, has_previous, |row| {
            (by_name(&row.person.name, row.person.id.0), Person::from(row))
        }))
    }

    /// The subtypes of each category.
    async fn ticket_subtypes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this category only.")] category: Option<Category>,
        #[graphql(desc = "Archived ones too.", default)] include_archived: bool,
    ) -> Result<Vec<TicketSubtype>, ApiError> {
        actor(context)?;
        let rows = service(context)?.ticket_subtypes(category, include_archived).await?;
        Ok(rows.into_iter().map(|row| TicketSubtype(store::tickets::subtype_from_row(row))).collect())
    }
}

fn by_name(name: &str, id: Uuid) -> Position {
    Position { key: SortKey::Text(name.to_owned()), id }
}
