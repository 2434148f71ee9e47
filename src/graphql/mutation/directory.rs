//! Mutations of companies, contacts, people and subtypes.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::{
    id::{CompanyId, ContactId, PersonId, TicketSubtypeId},
    vocab::{Category, CompanyTier, Team},
};

use crate::{
    graphql::{
        context::{actor, service},
        error::{ApiError, payload},
        id::{self, parse_reference},
        mutation::payloads,
        types::directory::{Company, Contact, Person, TicketSubtype},
    },
    service::{
        contacts::ContactInput,
        directory::{Particulars, PersonInput},
    },
    store::tickets::subtype_from_row,
};

/// Mutations of the directory.
#[derive(Debug, Default)]
pub struct DirectoryMutations;

/// A company to be made.
#[derive(Debug, InputObject)]
struct CreateCompanyInput {
    /// Its name; unique.
    name: String,
    /// How important its contract is. Tickets need it to enter Replicating.
    tier: Option<CompanyTier>,
}

/// A company to be changed; what is left out stays.
#[derive(Debug, InputObject)]
struct UpdateCompanyInput {
    /// The company.
    company_id: ID,
    /// Its name.
    name: Option<String>,
    /// How important its contract is; null for not known.
    tier: MaybeUndefined<CompanyTier>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A contact to be made.
#[derive(Debug, InputObject)]
struct CreateContactInput {
    /// The company.
    company_id: ID,
    /// The name.
    name: String,
    /// The mail address; unique in the company, and none of a member of staff.
    email: String,
    /// The language of mails, as a BCP 47 tag; `en` by default.
    locale: Option<String>,
    /// The IANA zone in which mails tell times; `UTC` by default.
    time_zone: Option<String>,
}

/// A contact to be changed; what is left out stays.
#[derive(Debug, InputObject)]
struct UpdateContactInput {
    /// The contact.
    contact_id: ID,
    /// The name.
    name: Option<String>,
    /// The mail address; unique in the company, and none of a member of staff.
    email: Option<String>,
    /// The language of mails, as a BCP 47 tag.
    locale: Option<String>,
    /// The IANA zone in which mails tell times.
    time_zone: Option<String>,
    /// Whether they sign in and get mail. Clocks that wait for the answer of one who leaves go on.
    is_active: Option<bool>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A contact to be unlinked.
#[derive(Debug, InputObject)]
struct UnlinkContactInput {
    /// The contact.
    contact_id: ID,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A member of staff to be unlinked.
#[derive(Debug, InputObject)]
struct UnlinkPersonInput {
    /// The person.
    person_id: ID,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A member of staff to be made.
#[derive(Debug, InputObject)]
struct CreatePersonInput {
    /// The name.
    name: String,
    /// The mail address; unique, and none of a contact.
    email: String,
    /// The language of mails, as a BCP 47 tag; `en` by default.
    locale: Option<String>,
    /// The IANA zone in which mails tell times; `UTC` by default.
    time_zone: Option<String>,
    /// When they work, so that alerts wait for it; left out: when their team does.
    calendar_id: Option<ID>,
    /// The teams they work in.
    teams: Option<Vec<Team>>,
    /// The teams they manage.
    manages: Option<Vec<Team>>,
    /// Whether they administer the deployment; not by default.
    is_administrator: Option<bool>,
}

/// A member of staff to be changed; what is left out stays.
#[derive(Debug, InputObject)]
struct UpdatePersonInput {
    /// The person.
    person_id: ID,
    /// The name.
    name: Option<String>,
    /// The mail address; unique, and none of a contact.
    email: Option<String>,
    /// The language of mails, as a BCP 47 tag.
    locale: Option<String>,
    /// The IANA zone in which mails tell times.
    time_zone: Option<String>,
    /// When they work, so that alerts wait for it; null: when their team does.
    calendar_id: MaybeUndefined<ID>,
    /// The teams they work in.
    teams: Option<Vec<Team>>,
    /// The teams they manage.
    manages: Option<Vec<Team>>,
    /// Whether they administer the deployment.
    is_administrator: Option<bool>,
    /// Whether they sign in and get mail.
    is_active: Option<bool>,
    /// The version that you read; refused when somebody changed it since.
    expected_version: Option<i32>,
}

/// A subtype to be made.
#[derive(Debug, InputObject)]
struct CreateTicketSubtypeInput {
    /// The category that it belongs to.
    category: Category,
    /// Its name; unique in the category.
    name: String,
}

/// A subtype to be archived.
#[derive(Debug, InputObject)]
struct ArchiveTicketSubtypeInput {
    /// The subtype.
    ticket_subtype_id: ID,
}

payloads! {
    /// What `createCompany` answers.
    CreateCompanyPayload {
        /// The company; null when refused.
        company: Company
    }
    /// What `updateCompany` answers.
    UpdateCompanyPayload {
        /// The company; null when refused.
        company: Company
    }
    /// What `createContact` answers.
    CreateContactPayload {
        /// The contact; null when refused.
        contact: Contact
    }
    /// What `updateContact` answers.
    UpdateContactPayload {
        /// The contact; null when refused.
        contact: Contact
    }
    /// What `unlinkContact` answers.
    UnlinkContactPayload {
        /// The contact; null when refused.
        contact: Contact
    }
    /// What `createPerson` answers.
    CreatePersonPayload {
        /// The person; null when refused.
        person: Person
    }
    /// What `updatePerson` answers.
    UpdatePersonPayload {
        /// The person; null when refused.
        person: Person
    }
    /// What `unlinkPerson` answers.
    UnlinkPersonPayload {
        /// The person; null when refused.
        person: Person
    }
    /// What `createTicketSubtype` answers.
    CreateTicketSubtypePayload {
        /// The subtype; null when refused.
        ticket_subtype: TicketSubtype
    }
    /// What `archiveTicketSubtype` answers.
    ArchiveTicketSubtypePayload {
        /// The subtype; null when refused.
        ticket_subtype: TicketSubtype
    }
}

/// Mutations of the directory.
#[Object]
impl DirectoryMutations {
    /// Makes a company. For Operations and managers.
    async fn create_company(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A company to be made.")] input: CreateCompanyInput,
    ) -> Result<CreateCompanyPayload, ApiError> {
        payload(service(context)?.create_company(actor(context)?, &input.name, input.tier).await.map(Company))
    }

    /// Changes a company. For Operations and managers.
    async fn update_company(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A company to be changed; what is left out stays.")] input: UpdateCompanyInput,
    ) -> Result<UpdateCompanyPayload, ApiError> {
        let id: CompanyId = id::parse_reference(&input.company_id);
        let tier = match input.tier {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(tier) => Some(Some(tier)),
        };
        let name = input.name.as_deref();
        payload(
            service(context)?
                .update_company(actor(context)?, id, name, tier, input.expected_version)
                .await
                .map(Company),
        )
    }

    /// Makes a contact of a company. For Operations and managers.
    async fn create_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A contact to be made.")] input: CreateContactInput,
    ) -> Result<CreateContactPayload, ApiError> {
        let company: CompanyId = parse_reference(&input.company_id);
        let particulars = Particulars {
            name: Some(input.name),
            email: Some(input.email),
            locale: input.locale,
            time_zone: input.time_zone,
        };
        payload(service(context)?.create_contact(actor(context)?, company, particulars).await.map(Contact))
    }

    /// Changes a contact. For Operations and managers.
    async fn update_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A contact to be changed; what is left out stays.")] input: UpdateContactInput,
    ) -> Result<UpdateContactPayload, ApiError> {
        let id: ContactId = id::parse_reference(&input.contact_id);
        let particulars =
            Particulars { name: input.name, email: input.email, locale: input.locale, time_zone: input.time_zone };
        let actor = actor(context)?;
        let contact = ContactInput { particulars, active: input.is_active };
        payload(service(context)?.update_contact(actor, id, contact, input.expected_version).await.map(Contact))
    }

    /// Unlinks a contact from their account at the OpenID Connect issuer, whose sessions end; whoever signs in next with their
    /// verified mail address is linked. For Operations and managers.
    async fn unlink_contact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A contact to be unlinked.")] input: UnlinkContactInput,
    ) -> Result<UnlinkContactPayload, ApiError> {
        let id: ContactId = id::parse_reference(&input.contact_id);
        payload(service(context)?.unlink_contact(actor(context)?, id, input.expected_version).await.map(Contact))
    }

    /// Makes a member of staff. For administrators.
    async fn create_person(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A member of staff to be made.")] input: CreatePersonInput,
    ) -> Result<CreatePersonPayload, ApiError> {
        let person = PersonInput {
            particulars: Particulars {
                name: Some(input.name),
                email: Some(input.email),
                locale: input.locale,
                time_zone: input.time_zone,
            },
            teams: input.teams,
            manages: input.manages,
            administrator: input.is_administrator,
            active: None,
            calendar: input.calendar_id.as_ref().map(|id| Some(parse_reference(id))),
        };
        payload(service(context)?.create_person(actor(context)?, person).await.map(Person::from))
    }

    /// Changes a member of staff. For administrators, of whom one always remains.
    async fn update_person(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A member of staff to be changed; what is left out stays.")] input: UpdatePersonInput,
    ) -> Result<UpdatePersonPayload, ApiError> {
        let id: PersonId = id::parse_reference(&input.person_id);
        let person = PersonInput {
            particulars: Particulars {
                name: input.name,
                email: input.email,
                locale: input.locale,
                time_zone: input.time_zone,
            },
            teams: input.teams,
            manages: input.manages,
            administrator: input.is_administrator,
            active: input.is_active,
            calendar: match input.calendar_id {
                MaybeUndefined::Value(id) => Some(Some(parse_reference(&id))),
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Undefined => None,
            },
        };
        let actor = actor(context)?;
        payload(service(context)?.update_person(actor, id, person, input.expected_version).await.map(Person::from))
    }

    /// Unlinks a member of staff from their account at the OpenID Connect issuer, whose sessions end; whoever signs in next with
    /// their verified mail address is linked. For administrators.
    async fn unlink_person(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A member of staff to be unlinked.")] input: UnlinkPersonInput,
    ) -> Result<UnlinkPersonPayload, ApiError> {
        let id: PersonId = id::parse_reference(&input.person_id);
        payload(service(context)?.unlink_person(actor(context)?, id, input.expected_version).await.map(Person::from))
    }

    /// Adds a subtype to a category. For administrators.
    async fn create_ticket_subtype(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A subtype to be made.")] input: CreateTicketSubtypeInput,
    ) -> Result<CreateTicketSubtypePayload, ApiError> {
        let made = service(context)?.create_ticket_subtype(actor(context)?, input.category, &input.name).await;
        payload(made.map(|row| TicketSubtype(subtype_from_row(row))))
    }

    /// Takes a subtype out of the list for new tickets. For administrators.
    async fn archive_ticket_subtype(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A subtype to be archived.")] input: ArchiveTicketSubtypeInput,
    ) -> Result<ArchiveTicketSubtypePayload, ApiError> {
        let id: TicketSubtypeId = id::parse_reference(&input.ticket_subtype_id);
        let archived = service(context)?.archive_ticket_subtype(actor(context)?, id).await;
        payload(archived.map(|row| TicketSubtype(subtype_from_row(row))))
    }
}
