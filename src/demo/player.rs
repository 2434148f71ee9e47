//! Acts the stories out, all of them together in the order of time, on a clock that it moves.
//!
//! May import: `service` and what its functions take. Example: between two beats it runs the SLA scan whenever a clock
//! reaches an alert level, so that warnings and breaches stand in the history at the times at which a running server
//! notices them.

use std::{cmp::Reverse, collections::BTreeMap};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::{
    id::{PersonId, TicketSubtypeId},
    vocab::{Priority, Stage, Visibility},
};

use crate::{
    demo::{
        cast::{Cast, Who},
        script::{Beat, Entry, Evidence, Step, Story},
    },
    domain::{
        actor::Actor,
        facts::{FactsPatch, Patch},
        moves::Target,
        ticket::Ticket,
    },
    service::{
        Service,
        comments::NewComment,
        tickets::{FactsInput, MoveRequest, NewTicket},
    },
};

/// A running server scans so often.
const SCAN_EVERY_SECONDS: i64 = 15;
/// Whoever closes a ticket looks at the delivered fix for so long first.
const MERGED_BEFORE_CLOSING: TimeDelta = TimeDelta::minutes(35);

/// The tickets by the subjects of their stories.
pub(super) type Tickets = BTreeMap<&'static str, Ticket>;

/// Acts stories out.
pub(super) struct Player<'a> {
    service: &'a Service,
    cast: &'a Cast,
    now: DateTime<Utc>,
    tickets: Tickets,
}

impl<'a> Player<'a> {
    pub(super) fn new(service: &'a Service, cast: &'a Cast, now: DateTime<Utc>) -> Self {
        Self { service, cast, now, tickets: Tickets::new() }
    }

    /// Plays the stories up to now, and returns the tickets as they stand then.
    pub(super) async fn play(mut self, stories: impl Iterator<Item = &'static Story>) -> anyhow::Result<Tickets> {
        let mut timeline: Vec<_> = stories.flat_map(beats_of).collect();
        timeline.sort_by_key(|(ago, ..)| Reverse(*ago));
        for (ago, story, beat) in timeline {
            self.advance_to(self.now - ago).await?;
            let ticket = match beat {
                None => self.file(story).await.with_context(|| format!("filing {:?}", story.subject))?,
                Some(beat) => self
                    .perform(story, beat)
                    .await
                    .with_context(|| format!("{:?}: {:?} {:?}", story.subject, beat.who, beat.step))?,
            };
            self.tickets.insert(story.subject, ticket);
        }
        self.advance_to(self.now).await?;
        Ok(self.tickets)
    }

    /// Moves the clock, and scans on the way each time when a server would find something.
    async fn advance_to(&self, instant: DateTime<Utc>) -> anyhow::Result<()> {
        let clock = self.service.clock();
        let scan_of = |alert: DateTime<Utc>| next_scan(alert.max(clock.now()));
        while let Some(scan_at) = self.next_alert().await?.map(scan_of).filter(|scan_at| *scan_at < instant) {
            clock.set(scan_at);
            self.service.sla_scan().await?;
        }
        clock.set(instant);
        Ok(())
    }

    async fn next_alert(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let open: Vec<_> = self.tickets.values().filter(|ticket| ticket.is_open()).map(|ticket| ticket.id).collect();
        let visits = self.service.open_visits(&Actor::System, &open).await?;
        Ok(visits.values().filter_map(|visit| visit.next_alert_at).min())
    }

    async fn file(&self, story: &Story) -> anyhow::Result<Ticket> {
        let contact = &self.cast.member(story.client)?.actor;
        let Actor::Contact { id, company_id } = contact else { anyhow::bail!("{:?} is no client", story.client) };
        let (actor, level_one_reference) = match story.entry {
            Entry::Elevated(reference) => (&Actor::System, Some(reference.to_owned())),
            Entry::Form => (contact, None),
        };
        let facts = FactsInput { subtype_id: Patch::Set(self.subtype(story).await?), facts: self.first_facts(story) };
        let new =
            NewTicket { id: None, company_id: Some(*company_id), contact_id: Some(*id), level_one_reference, facts };
        Ok(self.service.create_ticket(actor, new).await?)
    }

    async fn perform(&self, story: &Story, beat: &Beat) -> anyhow::Result<Ticket> {
        let actor = &self.cast.member(beat.who)?.actor;
        let ticket = self.tickets.get(story.subject).context("it has not been filed yet")?;
        let (service, id) = (self.service, ticket.id);
        let evidence = || story.evidence.as_ref().context("nobody has found anything out");
        let request = match beat.step {
            Step::Take => return Ok(service.assign_ticket(actor, id, Some(self.person(beat.who)?), None).await?),
            Step::Assign(who) => return Ok(service.assign_ticket(actor, id, Some(self.person(who)?), None).await?),
            Step::Gather => {
                return Ok(service.update_ticket(actor, id, needed_to_replicate(evidence()?), None).await?);
            }
            Step::Ask(question) => return Ok(service.ask_client(actor, id, question, None).await?),
            Step::Note(body) => return self.comment(actor, ticket, body, Visibility::Internal).await,
            Step::Say(body) => return self.comment(actor, ticket, body, Visibility::Client).await,
            Step::Answer(answer) if !actor.is_internal() => {
                return self.comment(actor, ticket, answer, Visibility::Client).await;
            }
            Step::Answer(answer) => return Ok(service.record_client_answer(actor, id, answer, None).await?),
            Step::Postpone(days, why) => {
                return Ok(service.set_estimated_delivery_date(actor, id, self.day(days), why, None).await?);
            }
            Step::Confirm => with(needed_to_replicate(evidence()?), to(Stage::Replicating)),
            Step::DeEscalate(reasons, why) => {
                MoveRequest { de_escalation_reasons: reasons.to_vec(), ..because(why, to(Stage::Validating)) }
            }
            Step::Replicate => with(needed_to_estimate(evidence()?), to(Stage::Estimating)),
            Step::SendBack(why) => because(why, to(Stage::Replicating)),
            Step::Promise(days) => {
                let priority = ticket.proposed_priority.context("no priority is proposed")?;
                with(self.promise(days, priority), to(Stage::Fixing))
            }
            Step::PromiseAs(priority, days) => with(self.promise(days, priority), to(Stage::Fixing)),
            Step::Fix(pull_request) => with(
                stating(FactsPatch { pull_request: text(pull_request), ..FactsPatch::default() }),
                to(Stage::Verifying),
            ),
            Step::RejectFix(why) => because(why, to(Stage::Fixing)),
            Step::Resolve(notes) => with(self.resolution(notes), to(Stage::ClosedResolved)),
            Step::Close(notes) => with(
                stating(FactsPatch { resolution_notes: text(notes), ..FactsPatch::default() }),
                to(Stage::ClosedUnresolved),
            ),
            Step::Transfer(pipeline, why) => {
                MoveRequest { target: Target::Pipeline(pipeline.to_owned()), ..because(why, to(Stage::Transferred)) }
            }
            Step::Reopen(stage, why) => because(why, to(stage)),
        };
        Ok(service.move_ticket(actor, id, request).await?)
    }

    /// Comments, which leaves the ticket as it was unless it answers a question.
    async fn comment(
        &self,
        actor: &Actor,
        ticket: &Ticket,
        body: &str,
        visibility: Visibility,
    ) -> anyhow::Result<Ticket> {
        let new = NewComment { id: None, ticket_id: ticket.id, body: body.to_owned(), visibility: Some(visibility) };
        self.service.add_comment(actor, new).await?;
        let ticket = self.service.ticket(&Actor::System, ticket.id).await?;
        Ok(ticket.context("the ticket is gone")?.ticket)
    }

    fn first_facts(&self, story: &Story) -> FactsPatch {
        let known = FactsPatch {
            subject: text(story.subject),
            description: text(story.description),
            category: Patch::Set(story.category),
            target_url: story.evidence.map_or(Patch::Keep, |evidence| text(evidence.target_url)),
            client_target_date: story.wanted_in_days.map_or(Patch::Keep, |days| Patch::Set(self.day(days))),
            ..FactsPatch::default()
        };
        match story.device {
            None => known,
            Some(device) => FactsPatch {
                platform: Patch::Set(device.platform),
                browser: device.browser.map_or(Patch::Keep, text),
                operating_system: device.operating_system.map_or(Patch::Keep, text),
                app_version: device.app_version.map_or(Patch::Keep, text),
                ..known
            },
        }
    }

    fn promise(&self, days: i64, priority: Priority) -> FactsInput {
        stating(FactsPatch {
            estimated_delivery_date: Patch::Set(self.day(days)),
            priority: Patch::Set(priority),
            ..FactsPatch::default()
        })
    }

    fn resolution(&self, notes: &str) -> FactsInput {
        stating(FactsPatch {
            pull_request_merged_at: Patch::Set(self.service.clock().now() - MERGED_BEFORE_CLOSING),
            resolution_notes: text(notes),
            ..FactsPatch::default()
        })
    }

    async fn subtype(&self, story: &Story) -> anyhow::Result<TicketSubtypeId> {
        let offered = self.service.ticket_subtypes(Some(story.category), false).await?;
        let subtype = offered.iter().find(|subtype| subtype.name == story.subtype);
        Ok(subtype.with_context(|| format!("{} has no subtype {:?}", story.category, story.subtype))?.id)
    }

    fn person(&self, who: Who) -> anyhow::Result<PersonId> {
        self.cast.member(who)?.actor.person_id().with_context(|| format!("{who:?} is no member of staff"))
    }

    /// A day, counted from today.
    fn day(&self, days: i64) -> NaiveDate {
        (self.now + TimeDelta::days(days)).date_naive()
    }
}

/// Everything that happens in a story, its filing first, each with how long ago it was.
fn beats_of(story: &'static Story) -> impl Iterator<Item = (TimeDelta, &'static Story, Option<&'static Beat>)> {
    let beats = story.path.iter().map(move |beat| (story.length_of(beat.ago), story, Some(beat)));
    std::iter::once((story.length_of(story.filed), story, None)).chain(beats)
}

/// The first scan that a server makes at the instant or after it.
fn next_scan(instant: DateTime<Utc>) -> DateTime<Utc> {
    let into_the_interval = instant.timestamp_micros().rem_euclid(SCAN_EVERY_SECONDS * 1_000_000);
    if into_the_interval == 0 {
        instant
    } else {
        instant + TimeDelta::seconds(SCAN_EVERY_SECONDS) - TimeDelta::microseconds(into_the_interval)
    }
}

fn needed_to_replicate(evidence: &Evidence) -> FactsInput {
    stating(FactsPatch {
        severity: Patch::Set(evidence.severity),
        acceptance_criteria: text(evidence.acceptance),
        target_url: text(evidence.target_url),
        steps_to_reproduce: text(evidence.steps),
        ops_can_reproduce: Patch::Set(evidence.ops_can_reproduce),
        ..FactsPatch::default()
    })
}

fn needed_to_estimate(evidence: &Evidence) -> FactsInput {
    stating(FactsPatch {
        affects_other_clients: Patch::Set(evidence.affects_other_clients),
        workaround: evidence.workaround.map_or(Patch::Keep, text),
        ..FactsPatch::default()
    })
}

fn text(words: &str) -> Patch<String> {
    Patch::Set(words.to_owned())
}

fn stating(facts: FactsPatch) -> FactsInput {
    FactsInput { facts, subtype_id: Patch::Keep }
}

fn to(stage: Stage) -> MoveRequest {
    MoveRequest {
        target: Target::Stage(stage),
        facts: FactsInput::default(),
        reason: None,
        de_escalation_reasons: Vec::new(),
        expected_version: None,
    }
}

fn with(facts: FactsInput, request: MoveRequest) -> MoveRequest {
    MoveRequest { facts, ..request }
}

fn because(why: &str, request: MoveRequest) -> MoveRequest {
    MoveRequest { reason: Some(why.to_owned()), ..request }
}
