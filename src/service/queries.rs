//! Reading. Every function takes the actor and answers only what the actor may see.

use std::collections::{BTreeSet, HashMap};

use entity::{
    calendar, clarification, company, contact,
    id::{CalendarId, CompanyId, ContactId, NoticeId, PersonId, SlaAlertId, TicketId, TicketSubtypeId},
    notice, person, sla_alert, sla_policy, ticket_event, ticket_subtype,
    vocab::{ActorKind, Category, NoticeState, Stage},
};
use sea_orm::Order;

use crate::{
    domain::{
        actor::{Action, Actor},
        process,
        visit::Visit,
    },
    service::{Result, Service, require},
    store::{
        self,
        alerts::AlertFilter,
        criteria::{Comparison, Criterion},
        directory::PersonWithTeams,
        notices::NoticeFilter,
        page::{Page, Position},
        tickets::{TicketFilter, TicketSort, TicketView},
    },
};

const STAFF: &str = "only staff see this";

/// A page that a caller asks for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The row before it.
    pub after: Option<Position>,
    /// How many rows.
    pub first: u64,
}

/// Tickets that a caller asks for.
#[derive(Clone, Debug)]
pub struct TicketQuery {
    pub criteria: Vec<Criterion>,
    pub sort: TicketSort,
    pub order: Order,
    pub page: PageRequest,
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
    Companies,
    Contacts(Option<CompanyId>),
    People,
    Alerts(AlertFilter),
    Notices(NoticeFilter),
}

/// One column of the board.
#[derive(Clone, Debug)]
pub struct BoardColumn {
    pub stage: Stage,
    pub count: u64,
    pub tickets: Page<PlacedTicket>,
}

impl Service {
    /// A ticket; none where the actor may not see it.
    pub async fn ticket(&self, actor: &Actor, id: TicketId) -> Result<Option<TicketView>> {
        Ok(store::tickets::find(&self.db, actor.company_scope(), id).await?)
    }

    /// A ticket, by the number in its key.
    pub async fn ticket_by_number(&self, actor: &Actor, number: i64) -> Result<Option<TicketView>> {
        Ok(store::tickets::find_by_number(&self.db, actor.company_scope(), number).await?)
    }

    /// Some tickets, by id.
    pub async fn tickets_by_id(&self, actor: &Actor, ids: &[TicketId]) -> Result<HashMap<TicketId, TicketView>> {
        Ok(store::tickets::find_many(&self.db, actor.company_scope(), ids).await?)
    }

    /// A page of tickets. Only staff see clocks, or sort by them.
    pub async fn tickets(&self, actor: &Actor, query: TicketQuery) -> Result<Page<PlacedTicket>> {
        let TicketQuery { criteria, sort, order, page, with_clocks } = query;
        let filter = TicketFilter { scope: actor.company_scope(), criteria };
        let found = store::tickets::page(&self.db, &filter, sort, order.clone(), page.after, page.first).await?;
        let mut visits = HashMap::new();
        if with_clocks || sort == TicketSort::DueAt {
            let ids: Vec<_> = found.rows.iter().map(|view| view.ticket.id).collect();
            visits = self.open_visits(actor, &ids).await?;
        }
        Ok(found.map(|view| {
            let visit = visits.remove(&view.ticket.id);
            let due_at = visit.as_ref().and_then(|visit: &Visit| visit.due_at);
            PlacedTicket { position: store::tickets::position(&view.ticket, sort, &order, due_at), view, visit }
        }))
    }

    /// How many rows there are that the actor may see.
    pub async fn count(&self, actor: &Actor, counted: &Counted) -> Result<u64> {
        let scope = actor.company_scope();
        Ok(match counted {
            Counted::Tickets(criteria) => {
                store::tickets::count(&self.db, &TicketFilter { scope, criteria: criteria.clone() }).await?
            }
            Counted::Companies => store::directory::count_companies(&self.db, scope).await?,
            Counted::Contacts(company) => match visible_company(actor, *company) {
                Ok(company) => store::directory::count_contacts(&self.db, company).await?,
                Err(Invisible) => 0,
            },
            Counted::People => {
                require(actor, Action::SeeInternals, STAFF)?;
                store::directory::count_people(&self.db).await?
            }
            Counted::Alerts(filter) => {
                require(actor, Action::SeeInternals, STAFF)?;
                store::alerts::count(&self.db, filter).await?
            }
            Counted::Notices(filter) => {
                require(actor, Action::SeeInternals, STAFF)?;
                store::notices::count(&self.db, filter).await?
            }
        })
    }

    /// Every open stage with its count and its first tickets, the next due first. For staff, who see clocks.
    pub async fn board(&self, actor: &Actor, first: u64) -> Result<Vec<BoardColumn>> {
        require(actor, Action::SeeInternals, "the board is for staff")?;
        let open = Criterion::Stage(Comparison::In(process::OPEN.to_vec()));
        let filter = TicketFilter { scope: actor.company_scope(), criteria: vec![open] };
        let counts = store::tickets::count_by_stage(&self.db, &filter).await?;
        let mut columns = Vec::new();
        for stage in process::OPEN {
            let query = TicketQuery {
                criteria: vec![Criterion::Stage(Comparison::Eq(stage))],
                sort: TicketSort::DueAt,
                order: Order::Asc,
                page: PageRequest { after: None, first },
                with_clocks: true,
            };
            let tickets = self.tickets(actor, query).await?;
            columns.push(BoardColumn { stage, count: counts.get(&stage).copied().unwrap_or(0), tickets });
        }
        Ok(columns)
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

    /// The history of some tickets that the actor can see, oldest first.
    pub async fn events(&self, tickets: &[TicketId]) -> Result<Vec<WithNames<ticket_event::Model>>> {
        let rows = store::events::of_many(&self.db, tickets).await?;
        self.with_names(rows, doer).await
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
        require(actor, Action::SeeInternals, STAFF)?;
        let rows = store::notices::of_many(&self.db, tickets).await?;
        self.with_names(rows, addressee).await
    }

    /// Some alerts.
    pub async fn alerts_by_id(
        &self,
        actor: &Actor,
        ids: &[SlaAlertId],
    ) -> Result<HashMap<SlaAlertId, sla_alert::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::alerts::by_id(&self.db, ids).await?)
    }

    /// A page of alerts, the latest first.
    pub async fn alerts(
        &self,
        actor: &Actor,
        filter: &AlertFilter,
        page: PageRequest,
    ) -> Result<Page<sla_alert::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::alerts::page(&self.db, filter, page.after, page.first).await?)
    }

    /// A notice.
    pub async fn notice(&self, actor: &Actor, id: NoticeId) -> Result<Option<WithNames<notice::Model>>> {
        require(actor, Action::SeeInternals, STAFF)?;
        let rows = store::notices::find(&self.db, id).await?.into_iter().collect();
        Ok(self.with_names(rows, addressee).await?.pop())
    }

    /// A page of the ledger, the latest first.
    pub async fn notices(
        &self,
        actor: &Actor,
        filter: &NoticeFilter,
        page: PageRequest,
    ) -> Result<Page<WithNames<notice::Model>>> {
        require(actor, Action::SeeInternals, STAFF)?;
        let Page { rows, has_next } = store::notices::page(&self.db, filter, page.after, page.first).await?;
        Ok(Page { rows: self.with_names(rows, addressee).await?, has_next })
    }

    /// Some companies; a contact sees their own.
    pub async fn companies_by_id(
        &self,
        actor: &Actor,
        ids: &[CompanyId],
    ) -> Result<HashMap<CompanyId, company::Model>> {
        Ok(store::directory::companies_by_id(&self.db, actor.company_scope(), ids).await?)
    }

    /// A page of companies by name; a contact sees their own.
    pub async fn companies(&self, actor: &Actor, page: PageRequest) -> Result<Page<company::Model>> {
        Ok(store::directory::companies(&self.db, actor.company_scope(), page.after, page.first).await?)
    }

    /// Some contacts; a contact sees those of their own company.
    pub async fn contacts_by_id(&self, actor: &Actor, ids: &[ContactId]) -> Result<HashMap<ContactId, contact::Model>> {
        Ok(store::directory::contacts_by_id(&self.db, actor.company_scope(), ids).await?)
    }

    /// A page of contacts by name, of one company or of all; a contact sees those of their own company.
    pub async fn contacts(
        &self,
        actor: &Actor,
        company: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<contact::Model>> {
        match visible_company(actor, company) {
            Ok(company) => Ok(store::directory::contacts(&self.db, company, page.after, page.first).await?),
            Err(Invisible) => Ok(Page::empty()),
        }
    }

    /// Some people. A contact sees their names, for they answer for a ticket.
    pub async fn people_by_id(&self, ids: &[PersonId]) -> Result<HashMap<PersonId, PersonWithTeams>> {
        Ok(store::directory::people_by_id(&self.db, ids).await?)
    }

    /// The person with this mail address.
    pub async fn person_by_email(&self, email: &str) -> Result<Option<person::Model>> {
        Ok(store::directory::person_by_email(&self.db, &email.trim().to_lowercase()).await?)
    }

    /// The contacts with this mail address, one per company.
    pub async fn contacts_by_email(&self, email: &str) -> Result<Vec<contact::Model>> {
        Ok(store::directory::contacts_by_email(&self.db, &email.trim().to_lowercase()).await?)
    }

    /// A page of people by name.
    pub async fn people(&self, actor: &Actor, page: PageRequest) -> Result<Page<PersonWithTeams>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::directory::people(&self.db, page.after, page.first).await?)
    }

    /// A subtype.
    pub async fn ticket_subtype(&self, id: TicketSubtypeId) -> Result<Option<ticket_subtype::Model>> {
        Ok(store::directory::subtype(&self.db, id).await?)
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

    /// All calendars, by name.
    pub async fn calendars(&self, actor: &Actor) -> Result<Vec<calendar::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::all_calendars(&self.db).await?)
    }

    /// A calendar.
    pub async fn calendar(&self, actor: &Actor, id: CalendarId) -> Result<Option<calendar::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::policies::calendar(&self.db, id).await?)
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

const fn addressee(row: &notice::Model) -> (Option<PersonId>, Option<ContactId>) {
    (row.person_id, row.contact_id)
}

fn doer(row: &ticket_event::Model) -> (Option<PersonId>, Option<ContactId>) {
    match row.actor_kind {
        ActorKind::Person => (row.actor_id.map(PersonId), None),
        ActorKind::Contact => (None, row.actor_id.map(ContactId)),
        ActorKind::System => (None, None),
    }
}

fn distinct<Id: Ord>(ids: Vec<Option<Id>>) -> Vec<Id> {
    ids.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A company that does not exist for the actor.
struct Invisible;

/// The company to whose rows a list is limited: the one asked for, or a contact's own.
fn visible_company(actor: &Actor, asked: Option<CompanyId>) -> Result<Option<CompanyId>, Invisible> {
    match (actor.company_scope(), asked) {
        (Some(own), Some(asked)) if own != asked => Err(Invisible),
        (own, asked) => Ok(own.or(asked)),
    }
}
