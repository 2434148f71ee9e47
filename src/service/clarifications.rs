//! Asking the client, and the answer.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::{
    clarification,
    id::{ClarificationId, ClockPauseId, PersonId, TicketId},
    person,
    vocab::{AuditAction, EventKind, PauseReason, Stage},
};
use serde_json::json;

use crate::{
    domain::{
        actor::{Action, Actor, may},
        clock_change::ClockChange,
        event::{Event, EventData},
        facts::{TEXT_LIMIT, clean_text},
        moves,
        notice::NoticeFacts,
        process::{self, StageSla},
        refusal::{Code, Problem},
        ticket::Ticket,
    },
    service::{
        Result, Service, audit::Change, clock_changes::tell_clock, comments::name_of, outbox::About, require,
        require_scope,
    },
    store::{self, StoreError, Transaction},
};

impl Service {
    /// Mails the client a question; the stage's clock stands still until the answer.
    pub async fn ask_client(
        &self,
        actor: &Actor,
        id: TicketId,
        question: &str,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        require_scope(actor, Action::AskClient(Stage::Validating))?;
        let tx = self.begin().await?;
        let (mut ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        may_ask(&ticket, actor)?;
        let question = words(question, "question")?;
        let row = clarification::Model {
            id: self.clock.new_id(ClarificationId),
            ticket_id: id,
            contact_id: ticket.contact.id,
            question: question.clone(),
            asked_at: now,
            asked_by: actor.person_id(),
            answer: None,
            answered_at: None,
            answered_by_kind: None,
            answered_by_id: None,
        };
        let about = About { clarification_id: Some(row.id), ..About::default() };
        if let Err(error) = store::clarifications::insert(&tx, row).await {
            return Err(match error {
                StoreError::Duplicate(_) => open_already().into(),
                error => error.into(),
            });
        }
        if !store::directory::lock_active_contact(&tx, ticket.contact.id).await? {
            return Err(contact_left(&ticket).into());
        }
        let mut work = self.running_clock(&tx, id).await?;
        if work.running().is_some() {
            let pause_id = self.clock.new_id(ClockPauseId);
            work.make(ClockChange::Paused { pause_id, reason: PauseReason::WaitingClient, resume_at: None }, now)?;
        }
        ticket.updated_at = now;
        store::tickets::save(&tx, &mut ticket).await?;
        let mut event = [told(EventKind::ClarificationRequested, &question)];
        tell_clock(&mut event, work.save(&tx).await?);
        store::events::append(&tx, id, actor, now, &event).await?;
        let asked = json!({ "question": question });
        self.audit(&tx, actor, now, Change::made(AuditAction::TicketAskClient, id, asked)).await?;
        let notice = self.to_client(&ticket, NoticeFacts::ClarificationRequested { question }, about, now)?;
        store::notices::enqueue(&tx, vec![notice]).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Records the client's answer: the clock goes on, and the owner is told.
    pub async fn record_client_answer(
        &self,
        actor: &Actor,
        id: TicketId,
        answer: &str,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        require_scope(actor, Action::AskClient(Stage::Validating))?;
        let tx = self.begin().await?;
        let (mut ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        require(actor, Action::AnswerClarification(ticket.company.id), "only staff and the client record the answer")?;
        moves::open(&ticket)?;
        let answer = words(answer, "answer")?;
        let asked = store::clarifications::open_of(&tx, id).await?.ok_or_else(|| {
            Problem::of(Code::NoClarification, "no question to the client is open; ask one with askClient")
        })?;
        self.record_answer(&tx, actor, &mut ticket, asked, answer, now).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Stores the answer to a question, ends its pause and tells the owner; answers who was told.
    pub(super) async fn record_answer(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &mut Ticket,
        asked: clarification::Model,
        answer: String,
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<PersonId>> {
        let row = clarification::Model {
            answer: Some(answer.clone()),
            answered_at: Some(now),
            answered_by_kind: Some(actor.kind()),
            answered_by_id: actor.uuid(),
            ..asked.clone()
        };
        store::clarifications::save(tx, row).await?;
        let mut work = self.running_clock(tx, ticket.id).await?;
        let reason = PauseReason::WaitingClient;
        if work.running().is_some_and(|visit| visit.is_paused_for(reason)) {
            work.make(ClockChange::Resumed { reason }, now)?;
        }
        ticket.updated_at = now;
        store::tickets::save(tx, ticket).await?;
        let mut event = [told(EventKind::ClarificationAnswered, &answer)];
        tell_clock(&mut event, work.save(tx).await?);
        store::events::append(tx, ticket.id, actor, now, &event).await?;
        let recorded = json!({ "answer": answer });
        self.audit(tx, actor, now, Change::made(AuditAction::TicketRecordAnswer, ticket.id, recorded)).await?;
        self.tell_owner(tx, actor, ticket, &asked, answer).await
    }

    /// The owner is the assignee; without one, whoever asked; without either, the stage's team. Nobody is told what they
    /// recorded themselves.
    async fn tell_owner(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &Ticket,
        asked: &clarification::Model,
        answer: String,
    ) -> Result<BTreeSet<PersonId>> {
        let people = store::directory::active_people(tx).await?;
        let find = |id| people.iter().find(|row| Some(row.person.id) == id).map(|row| &row.person);
        let owner = find(ticket.assignee.as_ref().map(|person| person.id)).or_else(|| find(asked.asked_by));
        let mut told: Vec<&person::Model> = match owner {
            Some(owner) => vec![owner],
            None => {
                let team = process::stage(ticket.stage).owner;
                let members = people.iter().filter(|row| team.is_some_and(|team| row.teams.contains(&team)));
                members.map(|row| &row.person).collect()
            }
        };
        told.retain(|person| Some(person.id) != actor.person_id());
        let answered_by = name_of(tx, actor).await?;
        let facts = NoticeFacts::ClarificationAnswered { question: asked.question.clone(), answer, answered_by };
        let now = ticket.updated_at;
        let occasion = asked.id.to_string();
        let rows = told
            .iter()
            .map(|person| self.to_person(ticket, person, facts.clone(), About::default(), &occasion, now))
            .collect::<Result<Vec<_>>>()?;
        store::notices::enqueue(tx, rows).await?;
        Ok(told.into_iter().map(|person| person.id).collect())
    }
}

fn may_ask(ticket: &Ticket, actor: &Actor) -> Result<()> {
    moves::open(ticket)?;
    if !may(actor, Action::AskClient(ticket.stage)) {
        let message = "Operations, the stage's team or a manager asks the client";
        return Err(Problem::of(Code::NotAllowed, message).into());
    }
    if process::stage(ticket.stage).sla == StageSla::DeliveryDate {
        let message = format!("{} has a promised date, which no question moves; ask earlier", Stage::Fixing);
        return Err(Problem::of(Code::WrongStage, message).into());
    }
    Ok(())
}

fn contact_left(ticket: &Ticket) -> Problem {
    let message = format!(
        "{}, the ticket's contact, has left, and would not get the question; ask a colleague of theirs by a comment that the \
         client sees, or make the contact active again",
        ticket.contact.name
    );
    Problem::of(Code::Invalid, message)
}

fn open_already() -> Problem {
    let message = "a question is open already; record its answer with recordClientAnswer first";
    Problem::of(Code::ClarificationOpen, message)
}

fn words(text: &str, field: &str) -> Result<String> {
    Ok(clean_text(text, TEXT_LIMIT, true)
        .map_err(|(code, why)| Problem::at(code, field, format!("the {field} {why}")))?)
}

fn told(kind: EventKind, text: &str) -> Event {
    Event { kind, data: EventData { text: Some(text.to_owned()), ..EventData::default() } }
}
