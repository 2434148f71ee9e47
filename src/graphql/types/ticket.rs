//! A ticket. A contact sees what a client knows: no internal facts, no clocks, no ledger.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    clarification, company, contact,
    id::ClarificationId,
    person, ticket_watcher,
    vocab::{
        Category, DeEscalationReason, MoveKind, Platform, Priority, Severity, Stage, Team, TicketField, TicketSource,
    },
};

use crate::{
    domain::{self, moves, process, promise::Standing, visit::Visit},
    graphql::{
        connection::{KeyKind, ListOrder, Paging, Uncounted, uncounted},
        context::{actor, is_internal, loaders, service},
        error::ApiError,
        loader::{
            AlertsOf, AttachmentsOf, ClarificationsOf, EventsOf, LinksOf, NoticesOf, OpenVisitOf, VisitsOf, WatchersOf,
        },
        scalar::Date,
        types::{
            attachment::Attachment,
            comment::{self, CommentConnection},
            directory::{Company, Contact, Person, TicketSubtype},
            history::TicketEvent,
            link::TicketLink,
            notice::Notice,
            promise::Promise,
            sla::{Sla, SlaAlert, SlaTotals, StageVisit},
            watcher::TicketWatcher,
        },
    },
    service::queries::WithNames,
    store::{
        events::EventWindow,
        page::{Page, Position, SortKey, Window},
        tickets::TicketView,
    },
};

/// Events of the list that is not paged.
const HISTORY_LENGTH: u64 = 100;

/// A ticket of the Level 2 Support process.
pub struct Ticket(Box<domain::ticket::Ticket>, Box<AtHand>);

/// What came with the ticket, so that it need not be read again.
#[derive(Default)]
struct AtHand {
    company: Option<company::Model>,
    contact: Option<contact::Model>,
    assignee: Option<person::Model>,
    /// `Some(None)` is a ticket that has no open visit.
    visit: Option<Option<Visit>>,
}

impl From<domain::ticket::Ticket> for Ticket {
    fn from(ticket: domain::ticket::Ticket) -> Self {
        Self(Box::new(ticket), Box::default())
    }
}

impl From<TicketView> for Ticket {
    fn from(view: TicketView) -> Self {
        let TicketView { ticket, company, contact, assignee } = view;
        let at_hand = AtHand { company: Some(company), contact: Some(contact), assignee, visit: None };
        Self(Box::new(ticket), Box::new(at_hand))
    }
}

impl Ticket {
    /// The part of its history that the caller sees.
    async fn events_in(&self, context: &Context<'_>, window: &Window) -> Result<Page<TicketEvent>, ApiError> {
        let for_client = !is_internal(context)?;
        let place = |position: &Option<Position>| match position.as_ref().and_then(|position| position.keys.first()) {
            Some(Some(SortKey::Number(place))) => Some(*place),
            _ => None,
        };
        let (after, before) = (place(&window.after), place(&window.before));
        let part = EventWindow { after, before, size: window.size, backward: window.backward, for_client };
        let mut page = loaders(context)?.load_one(EventsOf(self.0.id, part)).await?.unwrap_or_else(Page::empty);
        let rows = std::mem::take(&mut page.rows).into_iter();
        let visible = |event| TicketEvent::visible(event, !for_client).transpose();
        let events = rows.filter_map(visible).collect::<Result<Vec<_>, _>>()?;
        Ok(page.with_rows(|_| events))
    }

    /// The ticket with its open visit at hand.
    pub fn with_visit(view: TicketView, visit: Option<Visit>) -> Self {
        let mut ticket = Self::from(view);
        ticket.1.visit = Some(visit);
        ticket
    }
}

/// A priority that the process proposes, for the Project Manager to verify or override.
#[derive(SimpleObject)]
pub struct ProposedPriority {
    /// The proposal.
    priority: Priority,
    /// Why, one sentence each.
    reasons: Vec<String>,
}

/// A move out of the ticket's stage, with what a caller must supply for it.
#[derive(SimpleObject)]
pub struct AvailableMove {
    /// Where it leads. `TRANSFERRED` is made with `transferTicket`, everything else with `moveTicket`.
    to: Stage,
    /// What the move is.
    kind: MoveKind,
    /// Whether your role allows it.
    allowed: bool,
    /// Everything that must be known before the ticket may enter.
    required_fields: Vec<TicketField>,
    /// Those of them that are not known yet; supply them in the move's `facts`.
    missing_fields: Vec<TicketField>,
    /// Whether it needs a `reason` in words.
    needs_reason: bool,
    /// Whether it needs `deEscalationReasons`.
    needs_de_escalation_reasons: bool,
    /// When it is the right move.
    when: &'static str,
    /// Why your role does not allow it; null when it does.
    refusal: Option<String>,
}

/// A question to the client.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Clarification {
    #[graphql(skip)]
    question_id: ClarificationId,
    /// What was asked.
    question: String,
    /// When it was asked.
    asked_at: DateTime<Utc>,
    /// The answer; null until it is recorded.
    answer: Option<String>,
    /// When it was answered.
    answered_at: Option<DateTime<Utc>>,
    /// Who was asked.
    contact: Option<Contact>,
}

impl From<WithNames<clarification::Model>> for Clarification {
    fn from(WithNames { row, contact, .. }: WithNames<clarification::Model>) -> Self {
        Self {
            question_id: row.id,
            question: row.question,
            asked_at: row.asked_at,
            answer: row.answer,
            answered_at: row.answered_at,
            contact: contact.map(Contact),
        }
    }
}

/// A question to the client.
#[ComplexObject]
impl Clarification {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.question_id.to_string().into()
    }
}

/// A ticket of the Level 2 Support process.
#[Object]
impl Ticket {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The human key, such as `L2-123`; accepted wherever a ticket's id is.
    async fn key(&self) -> String {
        self.0.key()
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// How it entered the process.
    async fn source(&self) -> TicketSource {
        self.0.source
    }

    /// The level-1 ticket that it was elevated from. Null for contacts.
    async fn level_one_reference(&self, context: &Context<'_>) -> Result<Option<&str>, ApiError> {
        Ok(if is_internal(context)? { self.0.level_one_reference.as_deref() } else { None })
    }

    /// The client.
    async fn company(&self, context: &Context<'_>) -> Result<Option<Company>, ApiError> {
        match &self.1.company {
            Some(company) => Ok(Some(Company(company.clone()))),
            None => Ok(loaders(context)?.load_one(self.0.company.id).await?.map(Company)),
        }
    }

    /// The client's person who hears about it.
    async fn contact(&self, context: &Context<'_>) -> Result<Option<Contact>, ApiError> {
        match &self.1.contact {
            Some(contact) => Ok(Some(Contact(contact.clone()))),
            None => Ok(loaders(context)?.load_one(self.0.contact.id).await?.map(Contact)),
        }
    }

    /// Who works on it.
    async fn assignee(&self, context: &Context<'_>) -> Result<Option<Person>, ApiError> {
        match (&self.0.assignee, &self.1.assignee) {
            (None, _) => Ok(None),
            (Some(_), Some(person)) => Ok(Some(person.clone().into())),
            (Some(person), None) => Ok(loaders(context)?.load_one(person.id).await?.map(Person::from)),
        }
    }

    /// Where it stands.
    async fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The team that owns its stage; null when it is not open.
    async fn owner_team(&self) -> Option<Team> {
        process::stage(self.0.stage).owner
    }

    /// Whether it is worked on: neither closed nor transferred.
    async fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// The stage it was closed or transferred from; a reopening may return there.
    async fn closed_from(&self) -> Option<Stage> {
        self.0.closed_from
    }

    /// When it was closed or transferred.
    async fn closed_at(&self) -> Option<DateTime<Utc>> {
        self.0.closed_at
    }

    /// When it was first closed as resolved; a reopening does not change it.
    async fn first_resolved_at(&self) -> Option<DateTime<Utc>> {
        self.0.first_resolved_at
    }

    /// The pipeline it was transferred to.
    async fn transferred_to(&self) -> Option<&str> {
        self.0.transferred_to.as_deref()
    }

    /// How often QA sent it back to Validating. Zero for contacts.
    async fn de_escalation_count(&self, context: &Context<'_>) -> Result<i32, ApiError> {
        Ok(if is_internal(context)? { self.0.de_escalation_count } else { 0 })
    }

    /// Why QA sent it back to Validating the last time. Empty for contacts.
    async fn de_escalation_reasons(&self, context: &Context<'_>) -> Result<Vec<DeEscalationReason>, ApiError> {
        Ok(if is_internal(context)? { self.0.de_escalation_reasons.clone() } else { Vec::new() })
    }

    /// The priority that the process proposed when it entered Estimating. Null for contacts.
    async fn proposed_priority(&self, context: &Context<'_>) -> Result<Option<ProposedPriority>, ApiError> {
        let priority = self.0.proposed_priority.filter(|_| actor(context).is_ok_and(domain::actor::Actor::is_internal));
        Ok(priority.map(|priority| ProposedPriority { priority, reasons: self.0.proposed_priority_reasons.clone() }))
    }

    /// The delivery date that the client was told last.
    async fn promised_delivery_date(&self) -> Option<Date> {
        self.0.promised_delivery_date.map(Date)
    }

    /// The delivery dates that the client was told, the first one first: by what, and what became of each. Empty for whoever does not see
    /// the ledger.
    async fn promises(&self, context: &Context<'_>) -> Result<Vec<Promise>, ApiError> {
        if !domain::actor::may(actor(context)?, domain::actor::Action::SeeNotices) {
            return Ok(Vec::new());
        }
        let notices = loaders(context)?.load_one(NoticesOf(self.0.id)).await?.unwrap_or_default();
        let visits = loaders(context)?.load_one(VisitsOf(self.0.id)).await?.unwrap_or_default();
        let fixing = visits.iter().rev().find(|visit| visit.stage == Stage::Fixing);
        let zone = fixing.map_or(chrono_tz::Tz::UTC, |visit| visit.timeline.zone());
        let standing = Standing { stage: self.0.stage, closed_at: self.0.closed_at, zone };
        Promise::all(&notices, standing, service(context)?.clock().now())
    }

    /// One line that says what is wrong.
    async fn subject(&self) -> &str {
        &self.0.facts.subject
    }

    /// What is wrong, in full.
    async fn description(&self) -> &str {
        &self.0.facts.description
    }

    /// The kind of issue.
    async fn category(&self) -> Category {
        self.0.facts.category
    }

    /// The kind of issue within its category.
    async fn subtype(&self) -> TicketSubtype {
        TicketSubtype(self.0.facts.subtype.clone())
    }

    /// How badly it hurts.
    async fn severity(&self) -> Option<Severity> {
        self.0.facts.severity
    }

    /// What must hold for the fix to be accepted.
    async fn acceptance_criteria(&self) -> Option<&str> {
        self.0.facts.acceptance_criteria.as_deref()
    }

    /// Where the issue shows.
    async fn target_url(&self) -> Option<&str> {
        self.0.facts.target_url.as_deref()
    }

    /// What to do to make it happen.
    async fn steps_to_reproduce(&self) -> Option<&str> {
        self.0.facts.steps_to_reproduce.as_deref()
    }

    /// Whether Operations could make it happen; null is not asked yet. Null for contacts.
    async fn ops_can_reproduce(&self, context: &Context<'_>) -> Result<Option<bool>, ApiError> {
        Ok(self.0.facts.ops_can_reproduce.filter(|_| actor(context).is_ok_and(domain::actor::Actor::is_internal)))
    }

    /// Whether other clients have it too; null is not asked yet. Null for contacts.
    async fn affects_other_clients(&self, context: &Context<'_>) -> Result<Option<bool>, ApiError> {
        Ok(self.0.facts.affects_other_clients.filter(|_| actor(context).is_ok_and(domain::actor::Actor::is_internal)))
    }

    /// By when the client wants it.
    async fn client_target_date(&self) -> Option<Date> {
        self.0.facts.client_target_date.map(Date)
    }

    /// Where the client met it.
    async fn platform(&self) -> Option<Platform> {
        self.0.facts.platform
    }

    /// Browser and version.
    async fn browser(&self) -> Option<&str> {
        self.0.facts.browser.as_deref()
    }

    /// Operating system and version.
    async fn operating_system(&self) -> Option<&str> {
        self.0.facts.operating_system.as_deref()
    }

    /// Version of the app or program.
    async fn app_version(&self) -> Option<&str> {
        self.0.facts.app_version.as_deref()
    }

    /// How the client can work meanwhile.
    async fn workaround(&self) -> Option<&str> {
        self.0.facts.workaround.as_deref()
    }

    /// The day on which the fix is expected; from Fixing on it is promised to the client. Contacts see what was promised.
    async fn estimated_delivery_date(&self, context: &Context<'_>) -> Result<Option<Date>, ApiError> {
        let facts = self.0.facts.estimated_delivery_date;
        Ok(if is_internal(context)? { facts } else { self.0.promised_delivery_date }.map(Date))
    }

    /// How soon it is worked on. Null for contacts.
    async fn priority(&self, context: &Context<'_>) -> Result<Option<Priority>, ApiError> {
        Ok(self.0.facts.priority.filter(|_| actor(context).is_ok_and(domain::actor::Actor::is_internal)))
    }

    /// The pull request with the fix. Null for contacts.
    async fn pull_request(&self, context: &Context<'_>) -> Result<Option<&str>, ApiError> {
        Ok(if is_internal(context)? { self.0.facts.pull_request.as_deref() } else { None })
    }

    /// When the pull request was merged. Null for contacts.
    async fn pull_request_merged_at(&self, context: &Context<'_>) -> Result<Option<DateTime<Utc>>, ApiError> {
        Ok(self.0.facts.pull_request_merged_at.filter(|_| actor(context).is_ok_and(domain::actor::Actor::is_internal)))
    }

    /// What was done, in words for the client. Contacts see it once the ticket is closed.
    async fn resolution_notes(&self, context: &Context<'_>) -> Result<Option<&str>, ApiError> {
        let visible = is_internal(context)? || !self.0.is_open();
        Ok(self.0.facts.resolution_notes.as_deref().filter(|_| visible))
    }

    /// When it was filed.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The moves out of its stage and what each needs, from the same table as the check. Empty for contacts.
    async fn available_moves(&self, context: &Context<'_>) -> Result<Vec<AvailableMove>, ApiError> {
        let actor = actor(context)?;
        if !actor.is_internal() {
            return Ok(Vec::new());
        }
        let moves = moves::available_moves(&self.0, actor).into_iter();
        Ok(moves
            .map(|found| AvailableMove {
                to: found.to,
                kind: found.kind,
                allowed: found.allowed,
                required_fields: found.required_fields,
                missing_fields: found.missing_fields,
                needs_reason: found.needs_reason,
                needs_de_escalation_reasons: found.needs_de_escalation_reasons,
                when: found.when,
                refusal: found.refusal,
            })
            .collect())
    }

    /// The clock of its stage. Null when it is not open, and for contacts.
    async fn sla(&self, context: &Context<'_>) -> Result<Option<Sla>, ApiError> {
        if !is_internal(context)? {
            return Ok(None);
        }
        let now = service(context)?.clock().now();
        if let Some(visit) = &self.1.visit {
            return Ok(visit.as_ref().map(|visit| Sla::read(visit, now)));
        }
        let visit = loaders(context)?.load_one(OpenVisitOf(self.0.id)).await?;
        Ok(visit.map(|visit| Sla::read(&visit, now)))
    }

    /// Its stays in stages, each with its own clock, oldest first. Empty for contacts.
    async fn visits(&self, context: &Context<'_>) -> Result<Vec<StageVisit>, ApiError> {
        if !is_internal(context)? {
            return Ok(Vec::new());
        }
        let visits = loaders(context)?.load_one(VisitsOf(self.0.id)).await?.unwrap_or_default();
        let now = service(context)?.clock().now();
        Ok(visits.into_iter().map(|visit| StageVisit::read(visit, now)).collect())
    }

    /// Its clocks over all stages. Null for contacts.
    async fn sla_totals(&self, context: &Context<'_>) -> Result<Option<SlaTotals>, ApiError> {
        if !is_internal(context)? {
            return Ok(None);
        }
        let visits = loaders(context)?.load_one(VisitsOf(self.0.id)).await?.unwrap_or_default();
        Ok(Some(SlaTotals::of(&visits, service(context)?.clock().now())))
    }

    /// What happened to it, oldest first. Contacts see stages, promised dates, questions and answers.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Uncounted<TicketEvent>, ApiError> {
        let order = ListOrder::by("event", KeyKind::Number);
        let window = Paging { first, after, last, before }.window(context, &order)?;
        let page = self.events_in(context, &window).await?;
        Ok(uncounted(page, &order, |event| (event.position(), event)))
    }

    /// The latest 100 things that happened to it, oldest first. Contacts see stages, promised dates, questions and answers.
    #[graphql(deprecation = "Use events(last: 100). Removed on 2027-06-01.")]
    async fn history(&self, context: &Context<'_>) -> Result<Vec<TicketEvent>, ApiError> {
        let latest = Window { size: HISTORY_LENGTH, backward: true, ..Window::default() };
        Ok(self.events_in(context, &latest).await?.rows)
    }

    /// The questions to the client, oldest first.
    async fn clarifications(&self, context: &Context<'_>) -> Result<Vec<Clarification>, ApiError> {
        let rows = loaders(context)?.load_one(ClarificationsOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(Clarification::from).collect())
    }

    /// What people say about it, oldest first. Contacts see what is visible to the client.
    async fn comments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many of the first, from 1 to 100; 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many of the last, from 1 to 100, instead of `first`.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<CommentConnection, ApiError> {
        comment::connection(context, self.0.id, &Paging { first, after, last, before }).await
    }

    /// Its files, oldest first. Contacts see those that are visible to the client.
    async fn attachments(&self, context: &Context<'_>) -> Result<Vec<Attachment>, ApiError> {
        let files = loaders(context)?.load_one(AttachmentsOf(self.0.id)).await?.unwrap_or_default();
        Ok(files.into_iter().map(Attachment).collect())
    }

    /// How it relates to other tickets that you may see, oldest first.
    async fn links(&self, context: &Context<'_>) -> Result<Vec<TicketLink>, ApiError> {
        let links = loaders(context)?.load_one(LinksOf(self.0.id)).await?.unwrap_or_default();
        Ok(links.into_iter().map(TicketLink).collect())
    }

    /// Who watches it. Contacts see those of their company.
    async fn watchers(&self, context: &Context<'_>) -> Result<Vec<TicketWatcher>, ApiError> {
        let rows = loaders(context)?.load_one(WatchersOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(TicketWatcher).collect())
    }

    /// Whether you watch it.
    async fn viewer_is_watching(&self, context: &Context<'_>) -> Result<bool, ApiError> {
        let rows = loaders(context)?.load_one(WatchersOf(self.0.id)).await?.unwrap_or_default();
        let viewer = actor(context)?.uuid();
        let is_viewer = |row: &ticket_watcher::Model| {
            viewer.is_some() && [row.person_id.map(|id| id.0), row.contact_id.map(|id| id.0)].contains(&viewer)
        };
        Ok(rows.iter().any(|watcher| is_viewer(&watcher.row)))
    }

    /// The alert levels that its clocks reached, oldest first. Empty for contacts.
    async fn alerts(&self, context: &Context<'_>) -> Result<Vec<SlaAlert>, ApiError> {
        if !is_internal(context)? {
            return Ok(Vec::new());
        }
        let rows = loaders(context)?.load_one(AlertsOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(SlaAlert::from).collect())
    }

    /// The mails about it, oldest first. Empty for contacts.
    async fn notices(&self, context: &Context<'_>) -> Result<Vec<Notice>, ApiError> {
        if !domain::actor::may(actor(context)?, domain::actor::Action::SeeNotices) {
            return Ok(Vec::new());
        }
        let rows = loaders(context)?.load_one(NoticesOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(Notice::from).collect())
    }
}
