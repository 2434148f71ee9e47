//! Reading. Every function takes the actor and answers only what the actor may see.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use entity::{
    calendar, calendar_version, clarification, company, contact,
    id::{AccessTokenId, CalendarId, CompanyId, ContactId, PersonId, SlaAlertId, SlaPolicyId, TicketId},
    notice, person, sla_alert, sla_policy, sla_policy_version, ticket_event, ticket_subtype,
    vocab::{ActorKind, Category, NoticeState, Stage},
};
use uuid::Uuid;

use crate::{
    domain::{
        actor::{Action, Actor, may},
        address::Address,
        process,
        visit::Visit,
    },
    service::{Result, Service, audit::AUDITORS, reports::LEADS, require},
    store::{
        self,
        alerts::{AlertCriterion, AlertFilter},
        audit::AuditFilter,
        criteria::{Comparison, Criterion},
        directory::PersonWithTeams,
        directory_lists::{CompanyCriterion, CompanyList, ContactCriterion, ContactList, PersonCriterion, PersonList},
        events::EventWindow,
        notices::{NoticeCriterion, NoticeFilter},
        page::{Page, Position, Window},
        ticket_order::{TicketOrder, TicketSort},
        tickets::{TicketFilter, TicketView},
    },
};

pub(super) const STAFF: &str = "only staff see this";

/// Tickets that a caller asks for.
#[derive(Clone, Debug)]
pub struct TicketQuery {
    pub criteria: Vec<Criterion>,
    /// What they are sorted by, the first first.
    pub orders: Vec<TicketOrder>,
    pub window: Window,
    /// Whether the clocks of their stages are asked for too.
    pub with_clocks: bool,
}

/// A ticket and where it stands in the list that was asked for.
#[derive(Clone, Debug)]
pub struct PlacedTicket {
    pub view: TicketView,
    /// The visit that it has not left, where clocks were asked for.
    pub visit: Option<Visit>,
    pub position: Position,
}

/// A row with whoever it names, so that front ends need not ask for them again.
#[derive(Clone, Debug)]
pub struct WithNames<Row> {
    pub row: Row,
    pub person: Option<person::Model>,
    pub contact: Option<contact::Model>,
}

/// Rows that can be counted.
#[derive(Clone, Debug)]
pub enum Counted {
    Tickets(Vec<Criterion>),
    Companies(Vec<CompanyCriterion>),
    Contacts(Vec<ContactCriterion>),
    People(Vec<PersonCriterion>),
    Alerts(AlertFilter),
    Notices(NoticeFilter),
    Audit(AuditFilter),
    LateBy(DateTime<Utc>),
}

impl Service {
    /// A ticket; none where the actor may not see it.
    pub async fn ticket(&self, actor: &Actor, id: TicketId) -> Result<Option<TicketView>> {
        Ok(store::tickets::find(&self.db, ticket_scope(actor)?, id).await?)
    }

    /// A ticket, by the number in its key.
    pub async fn ticket_by_number(&self, actor: &Actor, number: i64) -> Result<Option<TicketView>> {
        Ok(store::tickets::find_by_number(&self.db, ticket_scope(actor)?, number).await?)
    }

    /// A page of tickets. Only staff see clocks, or sort by them.
    pub async fn tickets(&self, actor: &Actor, query: TicketQuery) -> Result<Page<PlacedTicket>> {
        let TicketQuery { criteria, orders, window, with_clocks } = query;
        let filter = TicketFilter { scope: ticket_scope(actor)?, criteria };
        let found = store::tickets::page(&self.db, &filter, &orders, window).await?;
        let mut visits = HashMap::new();
        if with_clocks || orders.iter().any(|order| order.sort == TicketSort::DueAt) {
            let ids: Vec<_> = found.rows.iter().map(|view| view.ticket.id).collect();
            visits = self.open_visits(actor, &ids).await?;
        }
        Ok(found.map(|view| {
            let visit = visits.remove(&view.ticket.id);
            let due_at = visit.as_ref().and_then(|visit: &Visit| visit.due_at);
            PlacedTicket { position: store::ticket_order::position(&orders, &view.ticket, due_at), view, visit }
        }))
    }

    /// How many rows there are that the actor may see.
    pub async fn count(&self, actor: &Actor, counted: &Counted) -> Result<u64> {
        Ok(match counted {
            Counted::Tickets(criteria) => {
                let scope = ticket_scope(actor)?;
                store::tickets::count(&self.db, &TicketFilter { scope, criteria: criteria.clone() }).await?
            }
            Counted::Companies(criteria) => {
                require(actor, Action::SeeClients, STAFF)?;
                let list = CompanyList { scope: actor.company_scope(), criteria: criteria.clone() };
                store::directory_lists::count_companies(&self.db, &list).await?
            }
            Counted::Contacts(criteria) => {
                require(actor, Action::SeeClients, STAFF)?;
                let list = ContactList { scope: actor.company_scope(), criteria: criteria.clone() };
                store::directory_lists::count_contacts(&self.db, &list).await?
            }
            Counted::People(criteria) => {
                require(actor, Action::SeePeople, STAFF)?;
                store::directory_lists::count_people(&self.db, &PersonList { criteria: criteria.clone() }).await?
            }
            Counted::Alerts(filter) => {
                require(actor, Action::SeeInternals, STAFF)?;
                store::alerts::count(&self.db, filter).await?
            }
            Counted::Notices(filter) => {
                require(actor, Action::SeeNotices, STAFF)?;
                store::notices::count(&self.db, filter).await?
            }
            Counted::Audit(filter) => {
                require(actor, Action::ReadAudit, AUDITORS)?;
                store::audit::count(&self.db, filter).await?
            }
            Counted::LateBy(until) => {
                require(actor, Action::SeeReports, LEADS)?;
                store::reports::count_late_by(&self.db, *until).await?
            }
        })
    }

    /// How many tickets stand in each open stage. For staff.
    pub async fn board(&self, actor: &Actor) -> Result<Vec<(Stage, u64)>> {
        require(actor, Action::SeeInternals, "the board is for staff")?;
        let open = Criterion::Stage(Comparison::In(process::OPEN.to_vec()));
        let filter = TicketFilter { scope: ticket_scope(actor)?, criteria: vec![open] };
        let counts = store::tickets::count_by_stage(&self.db, &filter).await?;
        Ok(process::OPEN.into_iter().map(|stage| (stage, counts.get(&stage).copied().unwrap_or(0))).collect())
    }

    /// The open visits of some tickets. Only staff see clocks.
    pub async fn open_visits(&self, actor: &Actor, tickets: &[TicketId]) -> Result<HashMap<TicketId, Visit>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::visits::open_of_many(&self.db, tickets).await?)
    }

    /// All visits of some tickets, oldest first. Only staff see clocks.
    pub async fn visits(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<Visit>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::visits::all_of_many(&self.db, tickets).await?)
    }

    /// The part of the history of some tickets that the actor can see, oldest first.
    pub async fn events(
        &self,
        actor: &Actor,
        tickets: &[TicketId],
        window: EventWindow,
    ) -> Result<HashMap<TicketId, Page<WithNames<ticket_event::Model>>>> {
        let window = EventWindow { for_client: !may(actor, Action::SeeInternals), ..window };
        let mut pages = store::events::of_many(&self.db, tickets, &window).await?;
        let rows = pages.values_mut().flat_map(|page| std::mem::take(&mut page.rows)).collect();
        let mut named: HashMap<TicketId, Vec<_>> = HashMap::new();
        for event in self.with_names(rows, doer).await? {
            named.entry(event.row.ticket_id).or_default().push(event);
        }
        let with_names = |(id, page): (TicketId, Page<_>)| {
            (id, page.with_rows(|_: Vec<ticket_event::Model>| named.remove(&id).unwrap_or_default()))
        };
        Ok(pages.into_iter().map(with_names).collect())
    }

    /// An event that was heard, with whoever did it.
    pub async fn named_event(&self, row: ticket_event::Model) -> Result<Option<WithNames<ticket_event::Model>>> {
        Ok(self.with_names(vec![row], doer).await?.pop())
    }

    /// The questions to the client of some tickets that the actor can see, oldest first.
    pub async fn clarifications(&self, tickets: &[TicketId]) -> Result<Vec<WithNames<clarification::Model>>> {
        let rows = store::clarifications::of_many(&self.db, tickets).await?;
        self.with_names(rows, |row| (row.asked_by, Some(row.contact_id))).await
    }

    /// The alerts of some tickets, oldest first. Only staff see alerts.
    pub async fn alerts_of(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<sla_alert::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::alerts::of_many(&self.db, tickets).await?)
    }

    /// The notices of some tickets, oldest first. Only staff see the ledger.
    pub async fn notices_of(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<WithNames<notice::Model>>> {
        require(actor, Action::SeeNotices, STAFF)?;
        let rows = store::notices::of_many(&self.db, tickets).await?;
        self.with_names(rows, addressee).await
    }

    /// The notices that tell some alerts, oldest first. Only staff see the ledger.
    pub async fn notices_of_alerts(
        &self,
        actor: &Actor,
        alerts: &[SlaAlertId],
    ) -> Result<Vec<WithNames<notice::Model>>> {
        require(actor, Action::SeeNotices, STAFF)?;
        let rows = store::notices::of_alerts(&self.db, alerts).await?;
        self.with_names(rows, addressee).await
    }

    /// A page of alerts, the latest first.
    pub async fn alerts(
        &self,
        actor: &Actor,
        filter: &[AlertCriterion],
        window: Window,
    ) -> Result<Page<sla_alert::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::alerts::page(&self.db, filter, window).await?)
    }

    /// A page of the ledger, the latest first.
    pub async fn notices(
        &self,
        actor: &Actor,
        filter: &[NoticeCriterion],
        window: Window,
    ) -> Result<Page<WithNames<notice::Model>>> {
        require(actor, Action::SeeNotices, STAFF)?;
        let mut page = store::notices::page(&self.db, filter, window).await?;
        let rows = self.with_names(std::mem::take(&mut page.rows), addressee).await?;
        Ok(page.with_rows(|_| rows))
    }

    /// A page of companies by name; a contact sees their own.
    pub async fn companies(
        &self,
        actor: &Actor,
        criteria: Vec<CompanyCriterion>,
        window: Window,
    ) -> Result<Page<company::Model>> {
        require(actor, Action::SeeClients, STAFF)?;
        let list = CompanyList { scope: actor.company_scope(), criteria };
        Ok(store::directory_lists::companies(&self.db, &list, window).await?)
    }

    /// A page of contacts by name; a contact sees those of their own company.
    pub async fn contacts(
        &self,
        actor: &Actor,
        criteria: Vec<ContactCriterion>,
        window: Window,
    ) -> Result<Page<contact::Model>> {
        require(actor, Action::SeeClients, STAFF)?;
        let list = ContactList { scope: actor.company_scope(), criteria };
        Ok(store::directory_lists::contacts(&self.db, &list, window).await?)
    }

    /// The person with this mail address.
    pub async fn person_by_email(&self, email: &str) -> Result<Option<person::Model>> {
        Ok(store::directory::person_by_email(&self.db, &Address::of(email)).await?)
    }

    /// The contacts with this mail address, at most one per company.
    pub async fn contacts_by_email(&self, email: &str) -> Result<Vec<contact::Model>> {
        Ok(store::directory::contacts_by_email(&self.db, &Address::of(email)).await?)
    }

    /// What the integrations with these tokens are called.
    pub async fn integrations_by_id(
        &self,
        actor: &Actor,
        ids: &[AccessTokenId],
    ) -> Result<HashMap<AccessTokenId, String>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::tokens::names(&self.db, ids).await?)
    }

    /// A page of people by name. For staff.
    pub async fn people(
        &self,
        actor: &Actor,
        criteria: Vec<PersonCriterion>,
        window: Window,
    ) -> Result<Page<PersonWithTeams>> {
        require(actor, Action::SeePeople, STAFF)?;
        Ok(store::directory_lists::people(&self.db, &PersonList { criteria }, window).await?)
    }

    /// The subtypes; the client form needs them too.
    pub async fn ticket_subtypes(
        &self,
        category: Option<Category>,
        include_archived: bool,
    ) -> Result<Vec<ticket_subtype::Model>> {
        Ok(store::directory::subtypes(&self.db, category, include_archived).await?)
    }

    /// The SLA policies with their calendars, in the order of the process.
    pub async fn sla_policies(&self, actor: &Actor) -> Result<Vec<(sla_policy::Model, calendar::Model)>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::all(&self.db).await?)
    }

    /// The versions of some policies, the latest first.
    pub async fn policy_versions(&self, actor: &Actor, ids: &[SlaPolicyId]) -> Result<Vec<sla_policy_version::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::versions_of_policies(&self.db, ids).await?)
    }

    /// The versions of some calendars, the latest first.
    pub async fn calendar_versions(&self, actor: &Actor, ids: &[CalendarId]) -> Result<Vec<calendar_version::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::versions_of_calendars(&self.db, ids).await?)
    }

    /// All calendars, by name.
    pub async fn calendars(&self, actor: &Actor) -> Result<Vec<calendar::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::all_calendars(&self.db).await?)
    }

    /// The oldest notices in a state, for the command line.
    pub async fn outbox(&self, state: Option<NoticeState>, limit: u64) -> Result<Vec<notice::Model>> {
        Ok(store::notices::list(&self.db, state, limit).await?)
    }
}

impl Service {
    /// The rows with the person and the contact that each names.
    pub(super) async fn with_names<Row>(
        &self,
        rows: Vec<Row>,
        names: impl Fn(&Row) -> (Option<PersonId>, Option<ContactId>),
    ) -> Result<Vec<WithNames<Row>>> {
        let (people, contacts): (Vec<_>, Vec<_>) = rows.iter().map(&names).unzip();
        let people = store::directory::person_rows(&self.db, &distinct(people)).await?;
        let contacts = store::directory::contacts_by_id(&self.db, None, &distinct(contacts)).await?;
        let named = rows.into_iter().map(|row| {
            let (person, contact) = names(&row);
            WithNames {
                person: person.and_then(|id| people.get(&id).cloned()),
                contact: contact.and_then(|id| contacts.get(&id).cloned()),
                row,
            }
        });
        Ok(named.collect())
    }
}

pub(super) const fn addressee(row: &notice::Model) -> (Option<PersonId>, Option<ContactId>) {
    (row.person_id, row.contact_id)
}

pub(super) fn doer(row: &ticket_event::Model) -> (Option<PersonId>, Option<ContactId>) {
    person_or_contact(row.actor_kind, row.actor_id)
}

/// The person or the contact that an actor is.
pub(super) fn person_or_contact(kind: ActorKind, id: Option<Uuid>) -> (Option<PersonId>, Option<ContactId>) {
    match kind {
        ActorKind::Person => (id.map(PersonId), None),
        ActorKind::Contact => (None, id.map(ContactId)),
        ActorKind::Integration | ActorKind::System => (None, None),
    }
}

fn distinct<Id: Ord>(ids: Vec<Option<Id>>) -> Vec<Id> {
    ids.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The company to whose tickets the actor is limited; refused where they see no tickets at all.
pub(super) fn ticket_scope(actor: &Actor) -> Result<Option<CompanyId>> {
    require(actor, Action::SeeTickets, "this needs the right to see tickets")?;
    Ok(actor.company_scope())
}
