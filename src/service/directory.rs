//! Companies, people and subtypes; what is stated of a contact is checked here, too.

use chrono_tz::Tz;
use entity::{
    company,
    id::{CalendarId, CompanyId, PersonId, TicketSubtypeId},
    person, ticket_subtype,
    vocab::{AuditAction, Category, CompanyTier, Team},
};

use crate::{
    delivery::mail::is_address,
    domain::{
        actor::{Action, Actor},
        address::Address,
        facts::clean_text,
        refusal::{Code, Problem, Refusal},
        visit::Rank,
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_company, of_person, of_subtype},
        check_version, require,
    },
    store::{self, StoreError, Transaction, directory::PersonWithTeams},
};

/// A name is one line in a list.
const NAME_LIMIT: usize = 200;
/// RFC 5321: a path has at most 256 characters with its brackets.
const EMAIL_LIMIT: usize = 254;
/// RFC 5646 asks for room for 35 characters.
const LOCALE_LIMIT: usize = 35;
pub(super) const CLIENT_EDITORS: &str = "only Operations or a manager edits companies and contacts";
pub(super) const ADMINISTRATORS: &str = "only an administrator edits people and subtypes";

/// What a caller states of a person or contact; what is absent stays, or has its default.
#[derive(Clone, Debug, Default)]
pub struct Particulars {
    pub name: Option<String>,
    pub email: Option<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
}

/// What a caller states of a person; what is absent stays, or has its default.
#[derive(Clone, Debug, Default)]
pub struct PersonInput {
    pub particulars: Particulars,
    pub teams: Option<Vec<Team>>,
    pub manages: Option<Vec<Team>>,
    pub administrator: Option<bool>,
    pub active: Option<bool>,
    /// When they work; `Some(None)` says when their team does.
    pub calendar: Option<Option<CalendarId>>,
}

/// Particulars that were checked.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) email: Address,
    pub(super) locale: String,
    pub(super) time_zone: String,
}

impl Service {
    /// Makes a company.
    pub async fn create_company(&self, actor: &Actor, name: &str, tier: Option<CompanyTier>) -> Result<company::Model> {
        require(actor, Action::EditClients, CLIENT_EDITORS)?;
        let row = company::Model {
            id: self.clock.new_id(CompanyId),
            name: checked_name(name)?,
            tier,
            version: 1,
            created_at: self.clock.now(),
        };
        let tx = self.begin().await?;
        store::directory::insert_company(&tx, row.clone()).await.map_err(|error| taken(error, "name", "company"))?;
        let change = Change::made(AuditAction::CompanyCreate, row.id, of_company(&row));
        self.audit(&tx, actor, row.created_at, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Changes a company; `Some(None)` says that the tier is not known.
    pub async fn update_company(
        &self,
        actor: &Actor,
        id: CompanyId,
        name: Option<&str>,
        tier: Option<Option<CompanyTier>>,
        expected_version: Option<i32>,
    ) -> Result<company::Model> {
        require(actor, Action::EditClients, CLIENT_EDITORS)?;
        let tx = self.begin().await?;
        let mut row = store::directory::company(&tx, id).await?.ok_or(ServiceError::NotFound("company"))?;
        let before = of_company(&row);
        check_version(row.version, expected_version)?;
        if let Some(name) = name {
            row.name = checked_name(name)?;
        }
        let tier_before = row.tier;
        row.tier = tier.unwrap_or(row.tier);
        store::directory::save_company(&tx, &mut row).await.map_err(|error| taken(error, "name", "company"))?;
        let change = Change::changed(AuditAction::CompanyUpdate, id, before, of_company(&row));
        self.audit(&tx, actor, self.clock.now(), change).await?;
        if row.tier != tier_before {
            self.reckon_company(&tx, actor, &row).await?;
        }
        self.commit(tx).await?;
        Ok(row)
    }

    /// Lets the running clocks of a company's tickets follow its tier.
    async fn reckon_company(&self, tx: &Transaction, actor: &Actor, company: &company::Model) -> Result<()> {
        let visits = store::visits::lock_open_of_company(tx, company.id).await?;
        let now = self.clock.now();
        let policies = self.policies(tx, now).await?;
        let ranked: Vec<_> = visits
            .into_iter()
            .map(|visit| {
                let rank = Rank { tier: company.tier, ..visit.rank };
                (visit, rank)
            })
            .collect();
        self.reckon(tx, actor, ranked, &policies, now).await
    }

    /// Makes a member of staff.
    pub async fn create_person(&self, actor: &Actor, input: PersonInput) -> Result<PersonWithTeams> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let Checked { name, email, locale, time_zone } = input.particulars.checked(None)?;
        let row = PersonWithTeams {
            person: person::Model {
                id: self.clock.new_id(PersonId),
                name,
                email: email.to_string(),
                locale,
                time_zone,
                calendar_id: input.calendar.flatten(),
                administrator: input.administrator.unwrap_or(false),
                active: input.active.unwrap_or(true),
                oidc_subject: None,
                version: 1,
                created_at: self.clock.now(),
            },
            teams: distinct(input.teams.unwrap_or_default()),
            manages: distinct(input.manages.unwrap_or_default()),
        };
        let tx = self.begin().await?;
        known_calendar(&tx, row.person.calendar_id).await?;
        no_contact_has(&tx, &email).await?;
        store::directory::insert_person(&tx, &row).await.map_err(|error| taken(error, "email", "person"))?;
        let change = Change::made(AuditAction::PersonCreate, row.person.id, of_person(&row));
        self.audit(&tx, actor, row.person.created_at, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Changes a member of staff. One active administrator always remains.
    pub async fn update_person(
        &self,
        actor: &Actor,
        id: PersonId,
        input: PersonInput,
        expected_version: Option<i32>,
    ) -> Result<PersonWithTeams> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        let stored = store::directory::person(&tx, id).await?.ok_or(ServiceError::NotFound("person"))?;
        let before = of_person(&stored);
        check_version(stored.person.version, expected_version)?;
        let was_administrator = is_administrator(&stored);
        let known = Checked {
            name: stored.person.name.clone(),
            email: Address::of(&stored.person.email),
            locale: stored.person.locale.clone(),
            time_zone: stored.person.time_zone.clone(),
        };
        let Checked { name, email, locale, time_zone } = input.particulars.checked(Some(known))?;
        let has_another_address = email.as_str() != stored.person.email;
        let mut row = PersonWithTeams {
            teams: input.teams.map_or(stored.teams, distinct),
            manages: input.manages.map_or(stored.manages, distinct),
            person: person::Model {
                name,
                email: email.to_string(),
                locale,
                time_zone,
                calendar_id: input.calendar.unwrap_or(stored.person.calendar_id),
                administrator: input.administrator.unwrap_or(stored.person.administrator),
                active: input.active.unwrap_or(stored.person.active),
                ..stored.person
            },
        };
        known_calendar(&tx, row.person.calendar_id).await?;
        if has_another_address {
            no_contact_has(&tx, &email).await?;
        }
        if was_administrator && !is_administrator(&row) {
            let field = if row.person.active { "isAdministrator" } else { "isActive" };
            another_administrator(&tx, id, field).await?;
        }
        store::directory::save_person(&tx, &mut row).await.map_err(|error| taken(error, "email", "person"))?;
        let change = Change::changed(AuditAction::PersonUpdate, id, before, of_person(&row));
        self.audit(&tx, actor, self.clock.now(), change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Adds a subtype to a category.
    pub async fn create_ticket_subtype(
        &self,
        actor: &Actor,
        category: Category,
        name: &str,
    ) -> Result<ticket_subtype::Model> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let row = ticket_subtype::Model {
            id: self.clock.new_id(TicketSubtypeId),
            category,
            name: checked_name(name)?,
            archived_at: None,
            created_at: self.clock.now(),
        };
        let tx = self.begin().await?;
        store::directory::insert_subtypes(&tx, vec![row.clone()])
            .await
            .map_err(|error| taken(error, "name", "subtype of this category"))?;
        let change = Change::made(AuditAction::SubtypeCreate, row.id, of_subtype(&row));
        self.audit(&tx, actor, row.created_at, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Takes a subtype out of the list for new tickets; archiving twice is fine.
    pub async fn archive_ticket_subtype(&self, actor: &Actor, id: TicketSubtypeId) -> Result<ticket_subtype::Model> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        let mut row = store::directory::subtype(&tx, id).await?.ok_or(ServiceError::NotFound("ticket subtype"))?;
        if row.archived_at.is_none() {
            let (before, now) = (of_subtype(&row), self.clock.now());
            row.archived_at = Some(now);
            store::directory::save_subtype(&tx, &row).await?;
            let change = Change::changed(AuditAction::SubtypeArchive, id, before, of_subtype(&row));
            self.audit(&tx, actor, now, change).await?;
        }
        self.commit(tx).await?;
        Ok(row)
    }
}

impl Particulars {
    /// Every problem at once; without `stored`, name and mail address are required. What is stored and stays is not judged
    /// again, so that an address that an earlier version took hinders no other change.
    pub(super) fn checked(self, stored: Option<Checked>) -> Result<Checked, Refusal> {
        let default = stored.unwrap_or_else(|| Checked {
            name: String::new(),
            email: Address::of(""),
            locale: "en".to_owned(),
            time_zone: Tz::UTC.name().to_owned(),
        });
        let mut problems = Vec::new();
        let mut line = |field: &str, text: Option<String>, default: &str, limit: usize| {
            clean_text(text.as_deref().unwrap_or(default), limit, false).unwrap_or_else(|(code, why)| {
                problems.push(Problem::at(code, field, format!("{field} {why}")));
                String::new()
            })
        };
        let name = line("name", self.name, &default.name, NAME_LIMIT);
        let email = line("email", self.email, default.email.as_str(), EMAIL_LIMIT);
        let locale = line("locale", self.locale, &default.locale, LOCALE_LIMIT);
        let time_zone = line("timeZone", self.time_zone, &default.time_zone, NAME_LIMIT);
        let email = if email.is_empty() || Address::of(&email) == default.email {
            default.email
        } else {
            stated_address(&email).unwrap_or_else(|problem| {
                problems.push(problem);
                default.email
            })
        };
        if !locale.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            problems.push(Problem::at(Code::Invalid, "locale", "locale must be a language tag such as en or pt-BR"));
        }
        if !time_zone.is_empty() && time_zone.parse::<Tz>().is_err() {
            problems.push(Problem::at(
                Code::Invalid,
                "timeZone",
                "timeZone must be an IANA zone such as Europe/Berlin",
            ));
        }
        Refusal::unless_empty(problems)?;
        Ok(Checked { name, email, locale, time_zone })
    }
}

fn stated_address(text: &str) -> Result<Address, Problem> {
    let invalid = |why: String| Problem::at(Code::Invalid, "email", format!("email {why}"));
    let address = Address::stated(text).map_err(invalid)?;
    if is_address(address.as_str()) {
        return Ok(address);
    }
    Err(invalid("must be an address such as ada@example.com".to_owned()))
}

fn checked_name(name: &str) -> Result<String> {
    Ok(clean_text(name, NAME_LIMIT, false)
        .map_err(|(code, why)| Problem::at(code, "name", format!("the name {why}")))?)
}

fn distinct(mut teams: Vec<Team>) -> Vec<Team> {
    teams.sort();
    teams.dedup();
    teams
}

const fn is_administrator(row: &PersonWithTeams) -> bool {
    row.person.administrator && row.person.active
}

async fn another_administrator(tx: &Transaction, than: PersonId, field: &str) -> Result<()> {
    store::directory::hold_administrators(tx).await?;
    let people = store::directory::active_people(tx).await?;
    if people.iter().any(|row| row.person.id != than && row.person.administrator) {
        return Ok(());
    }
    let message = "this is the only active administrator; make another one first";
    Err(Problem::at(Code::Invalid, field, message).into())
}

async fn known_calendar(tx: &Transaction, id: Option<CalendarId>) -> Result<()> {
    match id {
        Some(id) if store::policies::calendar(tx, id).await?.is_none() => {
            Err(Problem::at(Code::Unknown, "calendarId", "there is no such calendar").into())
        }
        _ => Ok(()),
    }
}

/// Staff and contacts share no mail address, for it says who signs in.
async fn no_contact_has(tx: &Transaction, address: &Address) -> Result<()> {
    store::directory::lock_address(tx, address).await?;
    if store::directory::contacts_by_email(tx, address).await?.is_empty() {
        return Ok(());
    }
    let message =
        "a contact has this mail address, which says who signs in: give the contact another one first, or the person";
    Err(Problem::at(Code::AlreadyExists, "email", message).into())
}

pub(super) fn taken(error: StoreError, field: &str, what: &str) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => {
            Problem::at(Code::AlreadyExists, field, format!("a {what} with this {field} exists already")).into()
        }
        error => error.into(),
    }
}
