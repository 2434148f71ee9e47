//! Filing, moving and changing tickets.

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    contact,
    id::{CompanyId, ContactId, PersonId, TicketId, TicketSubtypeId},
    vocab::{AuditAction, Priority, Stage, TicketSource},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    domain::{
        actor::{Action, Actor, may},
        facts::{FactsPatch, Patch, clean_text},
        moves::{self, Decision, Move, Surroundings, Target},
        refusal::{Code, Problem, Refusal, input_path},
        search,
        ticket::{Assignee, Company, Contact, Ticket},
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_ticket},
        check_version,
        clock_changes::{Policies, tell_clock},
        queries::ticket_scope,
        require_scope,
    },
    store::{self, Transaction},
};

/// A reference of another system fits into a line.
const REFERENCE_LIMIT: usize = 200;

/// Facts as a caller states them: the subtype by its id.
#[derive(Clone, Debug, Default)]
pub struct FactsInput {
    /// Everything but the subtype.
    pub facts: FactsPatch,
    /// Which subtype.
    pub subtype_id: Patch<TicketSubtypeId>,
}

/// A ticket to be filed.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// The caller's own id, so that a retry is the same ticket.
    pub id: Option<Uuid>,
    /// The client; a contact's own company where absent.
    pub company_id: Option<CompanyId>,
    /// Who reported it; the contact who files where absent.
    pub contact_id: Option<ContactId>,
    /// The level-1 ticket that it was elevated from.
    pub level_one_reference: Option<String>,
    /// What is known.
    pub facts: FactsInput,
}

/// A move as a caller asks for it.
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// Where to.
    pub target: Target,
    /// Facts stated with it.
    pub facts: FactsInput,
    /// Why.
    pub reason: Option<String>,
    /// Why, where it is a de-escalation.
    pub de_escalation_reasons: Vec<entity::vocab::DeEscalationReason>,
    /// The version that the caller read.
    pub expected_version: Option<i32>,
}

impl Service {
    /// Files a ticket, which enters Validating. The same id again is the same ticket.
    pub async fn create_ticket(&self, actor: &Actor, new: NewTicket) -> Result<Ticket> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        if let Some(id) = new.id {
            store::tickets::lock_id(&tx, TicketId(id)).await?;
        }
        let now = self.clock.now();
        let id = TicketId(new.id.unwrap_or_else(|| self.clock.new_uuid()));
        if let Some(known) = store::tickets::find(&tx, None, id).await? {
            return same_ticket(actor, known.ticket);
        }
        let client = self.client(&tx, actor, new.company_id, new.contact_id).await;
        store::policies::hold(&tx).await?;
        let policies = self.policies(&tx, now).await?;
        let facts = match new.facts.resolve(&tx).await {
            Ok(patch) => moves::file(actor, &patch, &self.surroundings(&policies, now)?).map_err(ServiceError::from),
            Err(error) => Err(error),
        };
        let reference = reference(actor, new.level_one_reference);
        let ((company, contact), (facts, level_one_reference)) = both(client, both(facts, reference))?;
        let ticket = Ticket {
            id,
            number: store::tickets::next_number(&tx).await?,
            version: 1,
            source: if actor.is_internal() { TicketSource::Elevation } else { TicketSource::ClientForm },
            level_one_reference,
            company: Company { id: company.id, name: company.name, tier: company.tier },
            contact: as_contact(contact),
            assignee: None,
            created_by_kind: actor.kind(),
            created_by_id: actor.uuid(),
            stage: Stage::Validating,
            closed_from: None,
            closed_at: None,
            first_resolved_at: None,
            transferred_to: None,
            de_escalation_count: 0,
            de_escalation_reasons: Vec::new(),
            proposed_priority: None,
            proposed_priority_reasons: Vec::new(),
            promised_delivery_date: None,
            first_promised_date: None,
            delivered_on: None,
            facts,
            created_at: now,
            updated_at: now,
        };
        store::tickets::insert(&tx, &ticket).await?;
        store::search::refresh(&tx, id).await?;
        let mut filed = [moves::filed(&ticket)];
        tell_clock(&mut filed, self.start_clock(&tx, &ticket, &policies, now).await?);
        store::events::append(&tx, id, actor, now, &filed).await?;
        self.audit(&tx, actor, now, Change::made(AuditAction::TicketCreate, id, of_ticket(&ticket))).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Moves a ticket to another stage, or to another pipeline.
    pub async fn move_ticket(&self, actor: &Actor, id: TicketId, request: MoveRequest) -> Result<Ticket> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, request.expected_version).await?;
        store::policies::hold(&tx).await?;
        let policies = self.policies(&tx, now).await?;
        let wanted = Move {
            target: request.target,
            facts: request.facts.resolve(&tx).await?,
            reason: request.reason,
            de_escalation_reasons: request.de_escalation_reasons,
        };
        let decision = moves::decide(&ticket, actor, &wanted, &self.surroundings(&policies, now)?)?;
        self.store_decision(tx, actor, &ticket, decision, &policies, now).await
    }

    /// Changes facts of an open ticket.
    pub async fn update_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        facts: FactsInput,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        let policies = self.policies(&tx, now).await?;
        let patch = facts.resolve(&tx).await?;
        let decision = moves::change_facts(&ticket, actor, &patch, &self.surroundings(&policies, now)?)?;
        self.store_decision(tx, actor, &ticket, decision, &policies, now).await
    }

    /// Changes the Estimated Delivery Date, with a reason; the client hears of it from Fixing on.
    pub async fn set_estimated_delivery_date(
        &self,
        actor: &Actor,
        id: TicketId,
        date: NaiveDate,
        reason: &str,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        store::policies::hold(&tx).await?;
        let policies = self.policies(&tx, now).await?;
        let decision = moves::promise(&ticket, actor, date, reason, &self.surroundings(&policies, now)?)?;
        self.store_decision(tx, actor, &ticket, decision, &policies, now).await
    }

    /// Assigns an open ticket to a person, or to nobody.
    pub async fn assign_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        assignee: Option<PersonId>,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        // Asked before the person is looked up: who may not assign does not learn whom there is to be assigned.
        moves::may_assign(&ticket, actor)?;
        let assignee = match assignee {
            Some(person) => Some(assignable(&tx, person).await?),
            None => None,
        };
        let decision = moves::assign(&ticket, actor, assignee, now)?;
        let policies = Policies::default();
        self.store_decision(tx, actor, &ticket, decision, &policies, now).await
    }

    /// The ticket, held, and the instant of what happens to it: who waited here comes after whoever was waited for.
    ///
    /// That is now, but not before the latest instant of its clocks: where the machine's clock was set back meanwhile, no visit and no
    /// pause shall end before it began. The same answer for a ticket that does not exist and one that the actor may not see.
    pub(super) async fn lock_ticket(
        &self,
        tx: &Transaction,
        actor: &Actor,
        id: TicketId,
        expected_version: Option<i32>,
    ) -> Result<(Ticket, DateTime<Utc>)> {
        let ticket = store::tickets::lock(tx, ticket_scope(actor)?, id).await?;
        let ticket = ticket.ok_or(ServiceError::NotFound("ticket"))?;
        check_version(ticket.version, expected_version)?;
        let latest = store::visits::latest_instant(tx, id).await?;
        let now = self.clock.now();
        Ok((ticket, latest.map_or(now, |latest| now.max(latest))))
    }

    /// Stores what was decided: ticket, clock, history, outbox; and commits.
    pub(super) async fn store_decision(
        &self,
        tx: Transaction,
        actor: &Actor,
        before: &Ticket,
        decision: Decision,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<Ticket> {
        let Decision { mut ticket, mut events, client_notices } = decision;
        if events.is_empty() {
            return Ok(ticket);
        }
        store::tickets::save(&tx, &mut ticket).await?;
        if search::is_found_otherwise(&before.facts, &ticket.facts) {
            store::search::refresh(&tx, ticket.id).await?;
        }
        tell_clock(&mut events, self.move_clock(&tx, (before, &ticket), policies, now).await?);
        store::events::append(&tx, ticket.id, actor, now, &events).await?;
        self.audit(&tx, actor, now, Change::decided(before, &ticket, &events)).await?;
        self.tell_watchers(&tx, actor, before, &ticket, &client_notices).await?;
        self.tell_assignee(&tx, actor, before, &ticket, now).await?;
        self.tell_loop(&tx, before, &ticket, policies, now).await?;
        if ticket.facts.priority == Some(Priority::Urgent) && before.facts.priority != ticket.facts.priority {
            store::notices::hasten(&tx, ticket.id, now).await?;
        }
        self.tell_client(&tx, &ticket, client_notices, now).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    pub(super) fn surroundings<'a>(&'a self, policies: &'a Policies, now: DateTime<Utc>) -> Result<Surroundings<'a>> {
        let calendar = policies.delivery_calendar(now)?;
        Ok(Surroundings { now, calendar, pipelines: self.pipelines.as_slice() })
    }

    /// The company and contact that a new ticket is for: one's own for a contact.
    async fn client(
        &self,
        tx: &Transaction,
        actor: &Actor,
        company_id: Option<CompanyId>,
        contact_id: Option<ContactId>,
    ) -> Result<(entity::company::Model, contact::Model)> {
        let (company_id, contact_id) = match actor {
            Actor::Contact { id, company_id: own } => {
                (Some(company_id.unwrap_or(*own)), Some(contact_id.unwrap_or(*id)))
            }
            Actor::Person(_) | Actor::Integration { .. } | Actor::System => (company_id, contact_id),
        };
        let missing = |field| Problem::at(Code::MissingFields, field, format!("{field} is required"));
        let (company_id, contact_id) = match (company_id, contact_id) {
            (Some(company_id), Some(contact_id)) => (company_id, contact_id),
            (Some(_), None) => return Err(missing("contactId").into()),
            (None, Some(_)) => return Err(missing("companyId").into()),
            (None, None) => return Err(Refusal(vec![missing("companyId"), missing("contactId")]).into()),
        };
        let unknown = |field, what: &str| Problem::at(Code::Unknown, field, format!("there is no such {what}"));
        let company = match store::directory::company(tx, company_id).await? {
            Some(company) if may(actor, Action::FileTicket(company.id)) => company,
            _ => return Err(unknown("companyId", "company").into()),
        };
        let contact = store::directory::contact(tx, contact_id).await?;
        let contact = contact.filter(|contact| contact.company_id == company.id);
        let contact = contact.ok_or_else(|| unknown("contactId", "contact of this company"))?;
        if !contact.active {
            let message = "this contact has left, and would hear nothing of the ticket; name a colleague of theirs";
            return Err(Problem::at(Code::Invalid, "contactId", message).into());
        }
        Ok((company, contact))
    }
}

impl FactsInput {
    /// The facts with the subtype that the id names.
    async fn resolve(self, db: &impl ConnectionTrait) -> Result<FactsPatch> {
        let subtype = match self.subtype_id {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(id) => {
                let row = store::directory::subtype(db, id).await?;
                let unknown = || {
                    let message = "there is no such subtype; ticketSubtypes lists them";
                    Problem::at(Code::Unknown, input_path(entity::vocab::TicketField::Subtype), message)
                };
                Patch::Set(store::tickets::subtype_from_row(row.ok_or_else(unknown)?))
            }
        };
        Ok(FactsPatch { subtype, ..self.facts })
    }
}

/// A retry of the creation that made the ticket; an id of somebody else's is taken.
fn same_ticket(actor: &Actor, known: Ticket) -> Result<Ticket> {
    if known.created_by_kind == actor.kind() && known.created_by_id == actor.uuid() {
        return Ok(known);
    }
    Err(Problem::at(Code::AlreadyExists, "id", "this id is taken; make a new one").into())
}

/// Both of them, or everything that either is refused for.
fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(ServiceError::Refused(Refusal(problems))), Err(ServiceError::Refused(Refusal(more)))) => {
            Err(Refusal(problems.into_iter().chain(more).collect()).into())
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

async fn assignable(tx: &Transaction, id: PersonId) -> Result<Assignee> {
    let person = store::directory::person(tx, id).await?.filter(|row| row.person.active);
    let unknown = || Problem::at(Code::Unknown, "assigneeId", "there is no such active person");
    let person = person.ok_or_else(unknown)?.person;
    Ok(Assignee { id: person.id, name: person.name })
}

/// A client knows nothing of level 1: staff state where a ticket came from.
fn reference(actor: &Actor, text: Option<String>) -> Result<Option<String>> {
    if text.is_some() && !actor.is_internal() {
        let message = "the reference of level 1 is staff's to state; leave it out";
        return Err(Problem::at(Code::NotAllowed, "levelOneReference", message).into());
    }
    text.map(|text| {
        clean_text(&text, REFERENCE_LIMIT, false)
            .map_err(|(code, why)| Problem::at(code, "levelOneReference", format!("the reference {why}")).into())
    })
    .transpose()
}

pub(super) fn as_contact(row: contact::Model) -> Contact {
    Contact { id: row.id, name: row.name, email: row.email, locale: row.locale, time_zone: row.time_zone }
}
