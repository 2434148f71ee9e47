//! Watching a ticket: hearing of it without being its contact, assignee or owner.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::{
    contact,
    id::{ContactId, PersonId, TicketId, TicketWatcherId},
    person, ticket_watcher,
    vocab::AuditAction,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use crate::{
    domain::{
        actor::{Action, Actor},
        notice::NoticeFacts,
        refusal::{Code, Problem},
        ticket::{Contact, Ticket},
    },
    service::{
        Result, Service,
        audit::Change,
        comments::name_of,
        outbox::About,
        queries::{WithNames, ticket_scope},
        require,
        tickets::as_contact,
    },
    store::{self, Transaction},
};

/// Who watches a ticket and can be told.
pub(super) struct WatchersToTell {
    pub people: BTreeMap<PersonId, person::Model>,
    pub contacts: BTreeMap<ContactId, Contact>,
}

impl Service {
    /// Lets the actor watch a ticket, or another member of staff. Watching twice is watching.
    pub async fn watch_ticket(&self, actor: &Actor, id: TicketId, person: Option<PersonId>) -> Result<Ticket> {
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, None).await?;
        let (person_id, contact_id) = watcher(&tx, actor, &ticket, person).await?;
        let row = ticket_watcher::Model {
            id: self.clock.new_id(TicketWatcherId),
            ticket_id: id,
            person_id,
            contact_id,
            added_at: now,
        };
        let made = Change::made(AuditAction::TicketWatch, id, named(person_id, contact_id));
        self.audit(&tx, actor, row.added_at, made).await?;
        store::watchers::add(&tx, row).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Ends the actor's watch, or that of another member of staff. Who does not watch is fine.
    pub async fn unwatch_ticket(&self, actor: &Actor, id: TicketId, person: Option<PersonId>) -> Result<Ticket> {
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, None).await?;
        let (person_id, contact_id) = watcher(&tx, actor, &ticket, person).await?;
        let gone = Change::changed(AuditAction::TicketUnwatch, id, named(person_id, contact_id), json!({}));
        self.audit(&tx, actor, now, gone).await?;
        match (person_id, contact_id) {
            (Some(person), _) => store::watchers::remove_person(&tx, id, person).await?,
            (_, Some(contact)) => store::watchers::remove_contact(&tx, id, contact).await?,
            (None, None) => false,
        };
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// The watchers of some tickets that the actor can see. Contacts see those of their company.
    pub async fn watchers(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<WithNames<ticket_watcher::Model>>> {
        ticket_scope(actor)?;
        let mut rows = store::watchers::of_many(&self.db, tickets).await?;
        rows.retain(|row| actor.is_internal() || row.contact_id.is_some());
        self.with_names(rows, |row| (row.person_id, row.contact_id)).await
    }

    /// Tells the watchers what a change of a ticket means: staff its stage, contacts what the client is told.
    pub(super) async fn tell_watchers(
        &self,
        tx: &Transaction,
        actor: &Actor,
        before: &Ticket,
        after: &Ticket,
        client_facts: &[NoticeFacts],
    ) -> Result<()> {
        let is_moved = before.stage != after.stage;
        if !is_moved && client_facts.is_empty() {
            return Ok(());
        }
        let watchers = self.watchers_to_tell(tx, actor, after).await?;
        let now = after.updated_at;
        let mut rows = Vec::new();
        for contact in watchers.contacts.values().filter(|contact| contact.id != after.contact.id) {
            for facts in client_facts {
                let occasion = format!("{}:{}", after.id, after.version);
                rows.push(self.to_contact(after, contact, facts.clone(), About::default(), &occasion, now)?);
            }
        }
        if is_moved && !watchers.people.is_empty() {
            let moved_by = name_of(tx, actor).await?;
            let facts = NoticeFacts::TicketMoved { from: before.stage, to: after.stage, moved_by };
            let occasion = format!("{}:{}", after.id, after.version);
            for person in watchers.people.values() {
                rows.push(self.to_person(after, person, facts.clone(), About::default(), &occasion, now)?);
            }
        }
        Ok(store::notices::enqueue(tx, rows).await?)
    }

    /// Tells a new assignee that the ticket is theirs.
    pub(super) async fn tell_assignee(
        &self,
        tx: &Transaction,
        actor: &Actor,
        before: &Ticket,
        after: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(assignee) = &after.assignee else { return Ok(()) };
        if before.assignee.as_ref() == Some(assignee) || actor.person_id() == Some(assignee.id) {
            return Ok(());
        }
        let people = store::directory::person_rows(tx, &[assignee.id]).await?;
        let Some(person) = people.get(&assignee.id) else { return Ok(()) };
        let facts = NoticeFacts::Assigned { stage: after.stage, assigned_by: name_of(tx, actor).await? };
        let occasion = format!("{}:{}", after.id, after.version);
        let row = self.to_person(after, person, facts, About::default(), &occasion, now)?;
        Ok(store::notices::enqueue(tx, vec![row]).await?)
    }

    /// The watchers of a ticket, without whoever does what they would be told of.
    pub(super) async fn watchers_to_tell(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        ticket: &Ticket,
    ) -> Result<WatchersToTell> {
        let rows = store::watchers::of_many(db, &[ticket.id]).await?;
        let is_actor = |id: uuid::Uuid| actor.uuid() == Some(id);
        let people: Vec<_> = rows.iter().filter_map(|row| row.person_id).filter(|id| !is_actor(id.0)).collect();
        let contacts: Vec<_> = rows.iter().filter_map(|row| row.contact_id).filter(|id| !is_actor(id.0)).collect();
        let mut found = WatchersToTell { people: BTreeMap::new(), contacts: BTreeMap::new() };
        if !people.is_empty() {
            let rows = store::directory::person_rows(db, &people).await?.into_iter();
            found.people = rows.filter(|(_, person)| person.active).collect();
        }
        if !contacts.is_empty() {
            let rows = store::directory::contacts_by_id(db, Some(ticket.company.id), &contacts).await?;
            found.contacts = rows.into_iter().map(|(id, row): (_, contact::Model)| (id, as_contact(row))).collect();
        }
        Ok(found)
    }
}

fn named(person: Option<PersonId>, contact: Option<ContactId>) -> Json {
    json!({ "personId": person.map(|id| id.to_string()), "contactId": contact.map(|id| id.to_string()) })
}

/// Who is to watch: the actor, or the member of staff whom they name.
async fn watcher(
    tx: &Transaction,
    actor: &Actor,
    ticket: &Ticket,
    person: Option<PersonId>,
) -> Result<(Option<PersonId>, Option<ContactId>)> {
    require(actor, Action::Watch(ticket.company.id), "only staff and the client watch a ticket")?;
    match (actor, person) {
        (_, Some(person)) if actor.person_id() != Some(person) => {
            require(actor, Action::AddWatchers, "only a manager or an administrator says who else watches")?;
            let found = store::directory::person(tx, person).await?.filter(|row| row.person.active);
            let unknown = || Problem::at(Code::Unknown, "personId", "there is no such active person");
            Ok((Some(found.ok_or_else(unknown)?.person.id), None))
        }
        (Actor::Person(staff), _) => Ok((Some(staff.id), None)),
        (Actor::Contact { id, .. }, _) => Ok((None, Some(*id))),
        (Actor::Integration { .. } | Actor::System, _) => {
            Err(Problem::at(Code::MissingFields, "personId", "personId is required: say who watches").into())
        }
    }
}
