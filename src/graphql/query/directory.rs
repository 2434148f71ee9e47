//! Queries of companies, contacts, people and subtypes.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::vocab::{Category, Scope};
use uuid::Uuid;

use crate::{
    domain::actor::Actor,
    graphql::{
        admission::Charge,
        connection::{KeyKind, ListOrder, Listing, Paging, listing},
        context::{actor, is_internal, loaders, service},
        error::ApiError,
        filter::{CompanyFilter, ContactFilter, PersonFilter},
        id,
        types::{
            audit::Integration,
            directory::{Company, Contact, Person, TicketSubtype},
            rate_limit::RateLimit,
        },
    },
    service::queries::Counted,
    store::{
        self,
        criteria::Comparison,
        directory_lists::ContactCriterion,
        page::{Position, SortKey},
    },
};

/// Queries of companies, contacts, people and subtypes.
#[derive(Debug, Default)]
pub struct DirectoryQueries;

/// Who asks.
#[derive(Default, SimpleObject)]
pub struct Viewer {
    /// The member of staff; null for a contact.
    person: Option<Person>,
    /// The contact; null for staff.
    contact: Option<Contact>,
    /// The integration; null for people.
    integration: Option<Integration>,
    /// What the token is restricted to; null where it is not.
    scopes: Option<Vec<Scope>>,
}

/// Queries of companies, contacts, people and subtypes.
#[Object]
impl DirectoryQueries {
    /// Who you are.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, ApiError> {
        let loaders = loaders(context)?;
        let actor = actor(context)?;
        let mut viewer = Viewer { scopes: actor.scopes().map(<[Scope]>::to_vec), ..Viewer::default() };
        match actor {
            Actor::Person(staff) => viewer.person = loaders.load_one(staff.id).await?.map(Person::from),
            Actor::Contact { id, .. } => viewer.contact = loaders.load_one(*id).await?.map(Contact),
            Actor::Integration { name, scopes, .. } => {
                viewer.integration = Some(Integration { name: name.clone(), scopes: scopes.clone() });
            }
            Actor::System => {}
        }
        Ok(viewer)
    }

    /// Client companies, by name. A contact sees their own.
    async fn companies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which companies.")] filter: Option<CompanyFilter>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Company>, ApiError> {
        let order = by_name();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let criteria = filter.unwrap_or_default().criteria(is_internal(context)?)?;
        let found = service(context)?.companies(actor(context)?, criteria.clone(), window).await?;
        Ok(listing(found, &order, Counted::Companies(criteria), |row| (place(&row.name, row.id.0), Company(row))))
    }

    /// Clients' people, by name. A contact sees those of their own company.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which contacts.")] filter: Option<ContactFilter>,
        #[graphql(
            desc = "Of this company only.",
            deprecation = "Use filter { companyId { eq } }. Removed on 2027-06-01."
        )]
        company_id: Option<ID>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Contact>, ApiError> {
        let order = by_name();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let mut criteria = filter.unwrap_or_default().criteria(is_internal(context)?)?;
        criteria.extend(company_id.map(|id| ContactCriterion::Company(Comparison::Eq(id::parse_reference(&id)))));
        let found = service(context)?.contacts(actor(context)?, criteria.clone(), window).await?;
        Ok(listing(found, &order, Counted::Contacts(criteria), |row| (place(&row.name, row.id.0), Contact(row))))
    }

    /// Staff, by name. For staff.
    async fn people(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which members of staff.")] filter: Option<PersonFilter>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<Person>, ApiError> {
        let order = by_name();
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let criteria = filter.unwrap_or_default().criteria()?;
        let found = service(context)?.people(actor(context)?, criteria.clone(), window).await?;
        Ok(listing(found, &order, Counted::People(criteria), |row| {
            (place(&row.person.name, row.person.id.0), Person::from(row))
        }))
    }

    /// What this request costs you, and what is left. Needs no token.
    async fn rate_limit(&self, context: &Context<'_>) -> Result<RateLimit, ApiError> {
        context.data_opt::<Charge>().copied().map(RateLimit::from).ok_or_else(ApiError::internal)
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

fn by_name() -> ListOrder {
    ListOrder::by("name", KeyKind::Text)
}

fn place(name: &str, id: Uuid) -> Position {
    Position::new(SortKey::Text(name.to_owned()), id)
}
