//! Who is told: notices addressed to people and put into the outbox, in the transaction of the change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::{
    id::{ClarificationId, CommentId, NoticeId, PersonId, SlaAlertId, StageVisitId},
    notice, person,
    vocab::{AuditAction, NoticeState, Stage},
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    domain::{
        actor::{Action, Actor},
        notice::{NoticeContent, NoticeFacts, TicketLabel},
        policy::Recipients,
        process,
        refusal::{Code, Problem},
        ticket::{Contact, Ticket},
    },
    service::{Result, Service, ServiceError, audit::Change, queries::WithNames, require},
    store::{self, StoreError, Transaction, directory::PersonWithTeams, outbox::Failed},
};

/// Failed notices that are queued again in one transaction.
const RETRIED_AT_ONCE: u64 = 200;

/// What a notice hangs on: it is cancelled when that has ended before it is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    pub visit_id: Option<StageVisitId>,
    pub clarification_id: Option<ClarificationId>,
    pub comment_id: Option<CommentId>,
    pub alert_id: Option<SlaAlertId>,
}

impl Service {
    /// Tells the ticket's contact.
    pub(super) async fn tell_client(
        &self,
        db: &impl ConnectionTrait,
        ticket: &Ticket,
        facts: Vec<NoticeFacts>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let rows = facts
            .into_iter()
            .map(|facts| self.to_client(ticket, facts, About::default(), now))
            .collect::<Result<Vec<_>>>()?;
        Ok(store::notices::enqueue(db, rows).await?)
    }

    /// A notice to the ticket's contact; the same change of the same ticket is the same notice.
    pub(super) fn to_client(
        &self,
        ticket: &Ticket,
        facts: NoticeFacts,
        about: About,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        let occasion = format!("{}:{}", ticket.id, ticket.version);
        self.to_contact(ticket, &ticket.contact, facts, about, &occasion, now)
    }

    /// A notice to a contact of the ticket's company; `occasion` tells it from the next one of its kind.
    pub(super) fn to_contact(
        &self,
        ticket: &Ticket,
        contact: &Contact,
        facts: NoticeFacts,
        about: About,
        occasion: &str,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        let key = format!("{}:{occasion}:{}", facts.kind().word(), contact.id);
        let row = self.row(Some(ticket), facts, about, key, now)?;
        Ok(notice::Model {
            contact_id: Some(contact.id),
            to_name: contact.name.clone(),
            to_address: contact.email.clone(),
            locale: contact.locale.clone(),
            time_zone: contact.time_zone.clone(),
            ..row
        })
    }

    /// A notice to a member of staff; `occasion` tells it from the next one of its kind.
    pub(super) fn to_person(
        &self,
        ticket: &Ticket,
        person: &person::Model,
        facts: NoticeFacts,
        about: About,
        occasion: &str,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        self.to_staff(Some(ticket), person, facts, about, occasion, now)
    }

    /// A notice to a member of staff about several tickets.
    pub(super) fn to_person_of_many(
        &self,
        person: &person::Model,
        facts: NoticeFacts,
        occasion: &str,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        self.to_staff(None, person, facts, About::default(), occasion, now)
    }

    fn to_staff(
        &self,
        ticket: Option<&Ticket>,
        person: &person::Model,
        facts: NoticeFacts,
        about: About,
        occasion: &str,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        let key = format!("{}:{occasion}:{}", facts.kind().word(), person.id);
        let row = self.row(ticket, facts, about, key, now)?;
        Ok(notice::Model {
            person_id: Some(person.id),
            to_name: person.name.clone(),
            to_address: person.email.clone(),
            locale: person.locale.clone(),
            time_zone: person.time_zone.clone(),
            ..row
        })
    }

    /// Queues a failed notice again, to the address that its recipient has now.
    pub async fn retry_notice(&self, actor: &Actor, id: NoticeId) -> Result<WithNames<notice::Model>> {
        require(actor, Action::RetryNotice, "only a manager retries notices")?;
        let tx = self.begin().await?;
        let notice = store::notices::find(&tx, id).await?.ok_or(ServiceError::NotFound("notice"))?;
        if self.requeue(&tx, actor, &Failed::One(id), None).await?.is_empty() {
            let message = format!("the notice is {}; only a failed one can be retried", notice.state);
            return Err(Problem::of(Code::Invalid, message).into());
        }
        self.commit(tx).await?;
        self.notices_by_id(actor, &[id]).await?.remove(&id).ok_or(ServiceError::NotFound("notice"))
    }

    /// Queues failed notices again, each to the address that its recipient has now; answers how many.
    pub async fn retry_notices(&self, actor: &Actor, which: &Failed) -> Result<usize> {
        require(actor, Action::RetryNotice, "only a manager retries notices")?;
        let (mut queued, mut after) = (0, None);
        loop {
            let tx = self.begin().await?;
            let some = self.requeue(&tx, actor, which, after).await?;
            self.commit(tx).await?;
            let Some(last) = some.last() else { return Ok(queued) };
            after = Some(*last);
            queued += some.len();
        }
    }

    async fn requeue(
        &self,
        tx: &Transaction,
        actor: &Actor,
        which: &Failed,
        after: Option<NoticeId>,
    ) -> Result<Vec<NoticeId>> {
        let now = self.clock.now();
        let failed = store::outbox::failed(tx, which, after, RETRIED_AT_ONCE).await?;
        let contacts: Vec<_> = failed.iter().filter_map(|(_, contact, _)| *contact).collect();
        let people: Vec<_> = failed.iter().filter_map(|(.., person)| *person).collect();
        let contacts = store::directory::contacts_by_id(tx, None, &contacts).await?;
        let people = store::directory::person_rows(tx, &people).await?;
        let mut queued = Vec::new();
        for (id, contact, person) in failed {
            let contact = contact.and_then(|id| contacts.get(&id)).map(|row| (row.name.clone(), row.email.clone()));
            let person = person.and_then(|id| people.get(&id)).map(|row| (row.name.clone(), row.email.clone()));
            if store::outbox::requeue(tx, id, contact.or(person), now).await? {
                let [before, after] = [NoticeState::Failed, NoticeState::Queued].map(|state| json!({ "state": state }));
                self.audit(tx, actor, now, Change::changed(AuditAction::NoticeRetry, id, before, after)).await?;
                queued.push(id);
            }
        }
        Ok(queued)
    }

    fn row(
        &self,
        ticket: Option<&Ticket>,
        facts: NoticeFacts,
        about: About,
        dedupe_key: String,
        now: DateTime<Utc>,
    ) -> Result<notice::Model> {
        let kind = facts.kind();
        let label = |ticket: &Ticket| TicketLabel {
            ticket_key: ticket.key(),
            ticket_subject: ticket.facts.subject.clone(),
            company_name: ticket.company.name.clone(),
        };
        let content = NoticeContent { ticket: ticket.map(label), facts };
        Ok(notice::Model {
            id: self.clock.new_id(NoticeId),
            ticket_id: ticket.map(|ticket| ticket.id),
            visit_id: about.visit_id,
            clarification_id: about.clarification_id,
            comment_id: about.comment_id,
            alert_id: about.alert_id,
            digest_id: None,
            kind,
            contact_id: None,
            person_id: None,
            to_name: String::new(),
            to_address: String::new(),
            locale: String::new(),
            time_zone: String::new(),
            content: serde_json::to_value(&content)
                .map_err(|error| StoreError::Corrupt { what: "notice", source: error.into() })?,
            dedupe_key,
            state: NoticeState::Queued,
            attempts: 0,
            refusals: 0,
            next_attempt_at: now,
            decided_at: None,
            leased_until: None,
            lease: None,
            detail: None,
            created_at: now,
            sent_at: None,
        })
    }
}

/// Who is told of an alert, each once; and in whose place, where nobody whom the policy names is there.
///
/// The places are taken in order: the team that owns the stage, its managers, all managers, the administrators.
pub(super) fn alert_addressees<'a>(
    people: &'a [PersonWithTeams],
    to: &Recipients,
    stage: Stage,
    assignee: Option<PersonId>,
) -> (Vec<&'a person::Model>, Option<&'static str>) {
    let named = addressees(people, to, stage, assignee);
    if !named.is_empty() {
        return (named, None);
    }
    let places = [
        ("the owner team was", Recipients { owner_team: true, ..Recipients::default() }),
        ("the owner team's managers were", Recipients { team_managers: true, ..Recipients::default() }),
        ("all managers were", Recipients { all_managers: true, ..Recipients::default() }),
    ];
    for (place, to) in places {
        let told = addressees(people, &to, stage, assignee);
        if !told.is_empty() {
            return (told, Some(place));
        }
    }
    let administrators: Vec<_> = people.iter().map(|row| &row.person).filter(|person| person.administrator).collect();
    (administrators, Some("the administrators were"))
}

/// Who is told when the clock of a stage reaches a level, each once.
pub(super) fn addressees<'a>(
    people: &'a [PersonWithTeams],
    to: &Recipients,
    stage: Stage,
    assignee: Option<PersonId>,
) -> Vec<&'a person::Model> {
    let owner = process::stage(stage).owner;
    let is_told = |row: &PersonWithTeams| {
        (to.assignee && assignee == Some(row.person.id))
            || (to.owner_team && owner.is_some_and(|team| row.teams.contains(&team)))
            || (to.team_managers && owner.is_some_and(|team| row.manages.contains(&team)))
            || (to.all_managers && !row.manages.is_empty())
            || to.teams.iter().any(|team| row.teams.contains(team))
            || to.people.contains(&row.person.id)
    };
    let told: BTreeMap<_, _> =
        people.iter().filter(|row| is_told(row)).map(|row| (row.person.id, &row.person)).collect();
    told.into_values().collect()
}
