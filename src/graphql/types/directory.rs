//! Companies, contacts, people and subtypes.

use async_graphql::{Context, ID, Object};
use entity::{
    company, contact, person,
    vocab::{Category, CompanyTier, Team},
};

use crate::{
    domain::{
        actor::{Action, Actor, may},
        facts::Subtype,
    },
    graphql::{
        context::{actor, loaders},
        error::ApiError,
        types::policy::Calendar,
    },
    store::directory::PersonWithTeams,
};

/// A client company.
pub struct Company(pub company::Model);

/// A client company.
#[Object]
impl Company {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How important its contract is; null is not known. Null for contacts, and for tokens that see neither tickets nor the
    /// directory.
    async fn tier(&self, context: &Context<'_>) -> Result<Option<CompanyTier>, ApiError> {
        let actor = actor(context)?;
        let is_visible = may(actor, Action::SeeInternals) || actor.is_internal() && may(actor, Action::SeeClients);
        Ok(self.0.tier.filter(|_| is_visible))
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// A client's person.
pub struct Contact(pub contact::Model);

impl Contact {
    /// Whether the caller sees more of them than who they are: whoever sees the directory does, and they themselves.
    fn is_open_to(&self, actor: &Actor) -> bool {
        match actor {
            Actor::Contact { id, .. } => *id == self.0.id,
            actor => may(actor, Action::SeeClients),
        }
    }
}

/// A client's person.
#[Object]
impl Contact {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The mail address. Other contacts do not see it.
    async fn email(&self, context: &Context<'_>) -> Result<Option<&str>, ApiError> {
        Ok(self.is_open_to(actor(context)?).then_some(self.0.email.as_str()))
    }

    /// Whether they sign in and get mail. Null where their mail address is not shown.
    async fn is_active(&self, context: &Context<'_>) -> Result<Option<bool>, ApiError> {
        Ok(self.is_open_to(actor(context)?).then_some(self.0.active))
    }

    /// The language of mails, as a BCP 47 tag.
    async fn locale(&self) -> &str {
        &self.0.locale
    }

    /// The IANA zone in which mails tell times.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// The company.
    async fn company(&self, context: &Context<'_>) -> Result<Option<Company>, ApiError> {
        Ok(loaders(context)?.load_one(self.0.company_id).await?.map(Company))
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// A member of staff.
pub struct Person {
    person: person::Model,
    /// The teams they work in and those they manage, when they came with the row.
    teams: Option<(Vec<Team>, Vec<Team>)>,
}

impl From<PersonWithTeams> for Person {
    fn from(row: PersonWithTeams) -> Self {
        Self { person: row.person, teams: Some((row.teams, row.manages)) }
    }
}

impl From<person::Model> for Person {
    fn from(person: person::Model) -> Self {
        Self { person, teams: None }
    }
}

impl Person {
    /// Whether the caller sees more of them than who they are: whoever sees the directory does, and they themselves.
    fn is_open_to(&self, actor: &Actor) -> bool {
        may(actor, Action::SeePeople) || actor.person_id() == Some(self.person.id)
    }

    async fn roles(&self, context: &Context<'_>) -> Result<(Vec<Team>, Vec<Team>), ApiError> {
        if !self.is_open_to(actor(context)?) {
            return Ok((Vec::new(), Vec::new()));
        }
        if let Some(teams) = &self.teams {
            return Ok(teams.clone());
        }
        let row = loaders(context)?.load_one(self.person.id).await?;
        Ok(row.map(|row| (row.teams, row.manages)).unwrap_or_default())
    }
}

/// A member of staff.
#[Object]
impl Person {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.person.id.to_string().into()
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.person.name
    }

    /// The mail address. Null for contacts and for tokens without `directory:read`, but for one's own.
    async fn email(&self, context: &Context<'_>) -> Result<Option<&str>, ApiError> {
        Ok(self.is_open_to(actor(context)?).then_some(self.person.email.as_str()))
    }

    /// The language of mails, as a BCP 47 tag.
    async fn locale(&self) -> &str {
        &self.person.locale
    }

    /// The IANA zone in which mails tell times.
    async fn time_zone(&self) -> &str {
        &self.person.time_zone
    }

    /// When they work, so that alerts wait for it; null where they work when their team does, and where their teams are not shown.
    async fn calendar(&self, context: &Context<'_>) -> Result<Option<Calendar>, ApiError> {
        let actor = actor(context)?;
        let is_visible = self.is_open_to(actor) && may(actor, Action::SeeInternals);
        let Some(id) = self.person.calendar_id.filter(|_| is_visible) else { return Ok(None) };
        Ok(loaders(context)?.load_one(id).await?.map(Calendar))
    }

    /// The teams they work in. Empty for contacts and for tokens without `directory:read`, but for one's own.
    async fn teams(&self, context: &Context<'_>) -> Result<Vec<Team>, ApiError> {
        Ok(self.roles(context).await?.0)
    }

    /// The teams they manage. Empty for contacts and for tokens without `directory:read`, but for one's own.
    async fn manages(&self, context: &Context<'_>) -> Result<Vec<Team>, ApiError> {
        Ok(self.roles(context).await?.1)
    }

    /// Whether they administer the deployment. Null where their teams are not shown.
    async fn is_administrator(&self, context: &Context<'_>) -> Result<Option<bool>, ApiError> {
        Ok(self.is_open_to(actor(context)?).then_some(self.person.administrator))
    }

    /// Whether they sign in and get mail. Null where their teams are not shown.
    async fn is_active(&self, context: &Context<'_>) -> Result<Option<bool>, ApiError> {
        Ok(self.is_open_to(actor(context)?).then_some(self.person.active))
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.person.version
    }
}

/// A subtype of a category.
pub struct TicketSubtype(pub Subtype);

/// A subtype of a category.
#[Object]
impl TicketSubtype {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The category that it belongs to.
    async fn category(&self) -> Category {
        self.0.category
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is no longer offered for new tickets.
    async fn is_archived(&self) -> bool {
        self.0.archived
    }
}
