//! The one gate: whether a ticket may change, and into what.
//!
//! Pure. Every path (API, job, import) comes through [`decide`], [`change_facts`], [`promise`], [`assign`] or [`file()`]; each
//! returns the changed ticket with its events and notices, or a [`Refusal`] and nothing changed. Example: moving L2-7 to Fixing
//! with `{estimatedDeliveryDate, priority}` yields the ticket in Fixing, one `TicketMoved` and one `DeliveryDateSet` notice.

use chrono::{DateTime, NaiveDate, Utc};
use entity::vocab::{DeEscalationReason, EventKind, MoveKind, Stage, TicketField};

use crate::domain::{
    actor::{Action, Actor, may},
    calendar::WorkingCalendar,
    event::{Event, EventData, FieldChange},
    facts::{CLIENT_FIELDS, Facts, FactsPatch, TEXT_LIMIT, clean_text},
    notice::NoticeFacts,
    priority::{self, PriorityFacts},
    process::{self, MoveSpec, ReasonRule},
    refusal::{Code, Problem, Refusal, input_path},
    ticket::{Assignee, Ticket},
};

/// A move that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where to.
    pub target: Target,
    /// Facts stated with it; they count for its gate.
    pub facts: FactsPatch,
    /// Why, in words.
    pub reason: Option<String>,
    /// Why, where it is a de-escalation.
    pub de_escalation_reasons: Vec<DeEscalationReason>,
}

/// Where a move leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a stage of this process.
    Stage(Stage),
    /// To another pipeline, by name.
    Pipeline(String),
}

/// What the rules need to know besides the ticket.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The instant of the use case.
    pub now: DateTime<Utc>,
    /// The calendar in which delivery dates are counted: the one of Fixing's policy.
    pub calendar: &'a WorkingCalendar,
    /// The pipelines that a ticket can be transferred to.
    pub pipelines: &'a [String],
}

/// What will be: to be stored as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The changed ticket; its version is still that of the ticket it was made from.
    pub ticket: Ticket,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What the client is told.
    pub client_notices: Vec<NoticeFacts>,
}

/// A move out of a ticket's stage, with what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableMove {
    pub to: Stage,
    pub kind: MoveKind,
    /// Whether the actor's role allows it.
    pub allowed: bool,
    pub required_fields: Vec<TicketField>,
    /// Those of the required fields that are not known yet.
    pub missing_fields: Vec<TicketField>,
    pub needs_reason: bool,
    pub needs_de_escalation_reasons: bool,
    pub when: &'static str,
    /// Why it is not allowed.
    pub refusal: Option<String>,
}

/// What a caller must supply for each move out of the ticket's stage, from the same table as the check.
pub fn available_moves(ticket: &Ticket, actor: &Actor) -> Vec<AvailableMove> {
    process::moves_from(ticket.stage, ticket.closed_from)
        .into_iter()
        .map(|(spec, to)| {
            let required_fields: Vec<_> = process::stage(to).required_for(spec.kind).collect();
            let refusal = not_allowed(ticket, actor, spec);
            AvailableMove {
                to,
                kind: spec.kind,
                allowed: refusal.is_none(),
                missing_fields: required_fields
                    .iter()
                    // The reasons of an earlier de-escalation do not count for the next one.
                    .filter(|field| **field == TicketField::DeEscalationReasons || !ticket.knows(**field))
                    .copied()
                    .collect(),
                required_fields,
                needs_reason: spec.reason == ReasonRule::Words,
                needs_de_escalation_reasons: spec.reason == ReasonRule::DeEscalationReasons,
                when: spec.when,
                refusal: refusal.map(|problem| problem.message),
            }
        })
        .collect()
}

/// Decides on a move: the ticket in its new stage, or everything that stands in the way.
pub fn decide(
    ticket: &Ticket,
    actor: &Actor,
    wanted: &Move,
    surroundings: &Surroundings<'_>,
) -> Result<Decision, Refusal> {
    let (spec, to) = find(ticket, wanted)?;
    if let Some(problem) = not_allowed(ticket, actor, spec) {
        return Err(problem.into());
    }
    let mut problems = may_state(actor, &wanted.facts);
    let reason = reason(ticket, spec, wanted, &mut problems);
    let pipeline = pipeline(wanted, surroundings, &mut problems);

    let mut after = ticket.clone();
    forget_outcome(spec.kind, to, &mut after);
    let (facts, found) = after.facts.with(&wanted.facts, surroundings.now);
    after.facts = facts;
    problems.extend(found);
    if spec.kind == MoveKind::DeEscalate {
        after.de_escalation_reasons.clone_from(&wanted.de_escalation_reasons);
        after.de_escalation_count += 1;
    }
    let gate = process::stage(to);
    // A date that the client was told can be changed, not taken back.
    let told = after.promised_delivery_date.map(|_| TicketField::EstimatedDeliveryDate);
    let required = gate.required_for(spec.kind).chain(told.filter(|date| !gate.required.contains(date)));
    problems.extend(required.filter(|field| !after.knows(*field)).map(|field| Problem::missing(field, to)));
    after.stage = to;
    after.transferred_to = pipeline;
    problems.extend(broken_promise(&after, surroundings));
    Refusal::unless_empty(problems)?;

    end_or_open(ticket, &mut after, surroundings);
    let mut events = vec![moved(ticket, &after, spec, reason)];
    if to == Stage::Estimating {
        events.extend(propose_priority(&mut after, surroundings));
    }
    let client_notices = announce(ticket.stage, &mut after);
    after.updated_at = surroundings.now;
    Ok(Decision { ticket: after, events, client_notices })
}

/// Decides on new facts of an open ticket, without a move.
pub fn change_facts(
    ticket: &Ticket,
    actor: &Actor,
    patch: &FactsPatch,
    surroundings: &Surroundings<'_>,
) -> Result<Decision, Refusal> {
    open(ticket)?;
    if !may(actor, Action::ChangeFacts) {
        return Err(Problem::of(Code::NotAllowed, "only members of a team change a ticket's facts").into());
    }
    let mut problems = may_state(actor, patch);
    if patch.estimated_delivery_date.is_stated() && is_promised(ticket.stage) {
        problems.push(Problem::at(
            Code::ReasonRequired,
            input_path(TicketField::EstimatedDeliveryDate),
            "from Fixing on the date is a promise; change it with setEstimatedDeliveryDate, which asks for a reason",
        ));
    }
    let (facts, found) = ticket.facts.with(patch, surroundings.now);
    problems.extend(found);
    let mut after = Ticket { facts, ..ticket.clone() };
    let kept = process::stage(ticket.stage).required.iter().copied();
    let lost = kept.filter(|field| ticket.knows(*field) && !after.knows(*field));
    problems.extend(lost.map(|field| Problem::missing(field, ticket.stage)));
    if patch.estimated_delivery_date.is_stated() {
        problems.extend(date_in_past(&after.facts, surroundings));
    }
    Refusal::unless_empty(problems)?;

    let changes = Facts::changes(Some(&ticket.facts), &after.facts);
    let events = if changes.is_empty() {
        Vec::new()
    } else {
        after.updated_at = surroundings.now;
        vec![Event { kind: EventKind::FactsChanged, data: EventData { changes, ..EventData::default() } }]
    };
    Ok(Decision { ticket: after, events, client_notices: Vec::new() })
}

/// Decides on a new Estimated Delivery Date of an open ticket.
pub fn promise(
    ticket: &Ticket,
    actor: &Actor,
    date: NaiveDate,
    reason: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Decision, Refusal> {
    open(ticket)?;
    if !may(actor, Action::Estimate) {
        return Err(Problem::of(Code::NotAllowed, "only the Project Manager or a manager sets the date").into());
    }
    let mut problems = Vec::new();
    let reason = clean_text(reason, TEXT_LIMIT, true);
    if let Err((code, why)) = &reason {
        let code = if *code == Code::Blank { Code::ReasonRequired } else { *code };
        problems.push(Problem::at(code, "reason", format!("the reason {why}")));
    }
    if ticket.facts.estimated_delivery_date == Some(date) {
        let message = format!("the Estimated Delivery Date is {date} already");
        problems.push(Problem::at(Code::Invalid, "estimatedDeliveryDate", message));
    }
    let mut after = ticket.clone();
    after.facts.estimated_delivery_date = Some(date);
    problems.extend(
        date_in_past(&after.facts, surroundings)
            .map(|problem| Problem { field: Some("estimatedDeliveryDate".to_owned()), ..problem }),
    );
    Refusal::unless_empty(problems)?;

    let data = EventData {
        changes: Facts::changes(Some(&ticket.facts), &after.facts),
        reason: reason.ok(),
        ..EventData::default()
    };
    let kind = if is_promised(ticket.stage) { EventKind::DeliveryDateChanged } else { EventKind::FactsChanged };
    let client_notices = announce(ticket.stage, &mut after);
    after.updated_at = surroundings.now;
    Ok(Decision { ticket: after, events: vec![Event { kind, data }], client_notices })
}

/// Refuses whoever does not say who works on the ticket, whomever they name.
pub fn may_assign(ticket: &Ticket, actor: &Actor) -> Result<(), Refusal> {
    open(ticket)?;
    if may(actor, Action::Assign(ticket.stage)) {
        return Ok(());
    }
    Err(Problem::of(Code::NotAllowed, "only the stage's team, the Project Manager or a manager assigns").into())
}

/// Decides who works on an open ticket.
pub fn assign(
    ticket: &Ticket,
    actor: &Actor,
    assignee: Option<Assignee>,
    now: DateTime<Utc>,
) -> Result<Decision, Refusal> {
    may_assign(ticket, actor)?;
    let mut after = Ticket { assignee, ..ticket.clone() };
    let name = |ticket: &Ticket| ticket.assignee.as_ref().map(|person| person.name.clone());
    let events = if after.assignee == ticket.assignee {
        Vec::new()
    } else {
        after.updated_at = now;
        let change = FieldChange { field: TicketField::Assignee, before: name(ticket), after: name(&after) };
        vec![Event {
            kind: EventKind::TicketAssigned,
            data: EventData { changes: vec![change], ..EventData::default() },
        }]
    };
    Ok(Decision { ticket: after, events, client_notices: Vec::new() })
}

/// Decides on the facts of a new ticket, or finds everything that is wrong with them.
pub fn file(actor: &Actor, patch: &FactsPatch, surroundings: &Surroundings<'_>) -> Result<Facts, Refusal> {
    let mut problems = may_state(actor, patch);
    let facts = Facts::filed(patch, surroundings.now).map_err(|found| problems.extend(found)).ok();
    problems.extend(facts.as_ref().and_then(|facts| date_in_past(facts, surroundings)));
    match facts {
        Some(facts) if problems.is_empty() => Ok(facts),
        _ => Err(Refusal(problems)),
    }
}

/// The first event of a new ticket.
pub fn filed(ticket: &Ticket) -> Event {
    let data = EventData {
        changes: Facts::changes(None, &ticket.facts),
        to_stage: Some(ticket.stage),
        ..EventData::default()
    };
    Event { kind: EventKind::TicketCreated, data }
}

/// Refuses what can only be done to an open ticket.
pub fn open(ticket: &Ticket) -> Result<(), Refusal> {
    if ticket.is_open() {
        return Ok(());
    }
    let message = format!("{} is {}; reopen it first", ticket.key(), ticket.stage);
    Err(Problem::of(Code::WrongStage, message).into())
}

fn find(ticket: &Ticket, wanted: &Move) -> Result<(&'static MoveSpec, Stage), Refusal> {
    let to = match &wanted.target {
        Target::Stage(Stage::Transferred) => {
            return Err(Problem::at(Code::WrongStage, "to", "use transferTicket, which names the pipeline").into());
        }
        Target::Stage(stage) => *stage,
        Target::Pipeline(_) => Stage::Transferred,
    };
    let moves = process::moves_from(ticket.stage, ticket.closed_from);
    moves.iter().find(|(_, target)| *target == to).copied().ok_or_else(|| {
        let possible: Vec<_> = moves.iter().map(|(_, target)| target.label()).collect();
        let message = format!(
            "{} is in {}; from there it can go to: {}. {to} is not one of them",
            ticket.key(),
            ticket.stage,
            possible.join(", ")
        );
        Problem::at(Code::WrongStage, "to", message).into()
    })
}

fn not_allowed(ticket: &Ticket, actor: &Actor, spec: &MoveSpec) -> Option<Problem> {
    let team = spec.team(ticket.stage);
    (!may(actor, Action::Move(team))).then(|| {
        let who = team.map_or("a manager", entity::vocab::Team::label);
        Problem::of(Code::NotAllowed, format!("this move is {who}'s to make, or a manager's"))
    })
}

/// Date and priority are the Project Manager's outcome, on whatever path they are stated, and a contact states only what
/// a client knows.
fn may_state(actor: &Actor, patch: &FactsPatch) -> Vec<Problem> {
    let whose = |field| match field {
        _ if !actor.is_internal() => (!CLIENT_FIELDS.contains(&field)).then_some("staff's"),
        TicketField::EstimatedDeliveryDate | TicketField::Priority if !may(actor, Action::Estimate) => {
            Some("the Project Manager's, or a manager's,")
        }
        _ => None,
    };
    let refused = patch.stated_fields().into_iter().filter_map(|field| Some((field, whose(field)?)));
    refused
        .map(|(field, whose)| {
            Problem::at(Code::NotAllowed, input_path(field), format!("{field} is {whose} to state; leave it out"))
        })
        .collect()
}

fn reason(ticket: &Ticket, spec: &MoveSpec, wanted: &Move, problems: &mut Vec<Problem>) -> Option<String> {
    let needs_words = match spec.reason {
        ReasonRule::NotNeeded => changes_promise(ticket, &wanted.facts),
        ReasonRule::Words => true,
        ReasonRule::DeEscalationReasons => wanted.de_escalation_reasons.contains(&DeEscalationReason::Other),
    };
    let Some(words) = wanted.reason.as_deref().filter(|words| needs_words || !words.trim().is_empty()) else {
        if needs_words {
            let what =
                if spec.reason == ReasonRule::NotNeeded { "a new date for the client" } else { spec.kind.label() };
            let message = format!("{what} needs a reason in words");
            problems.push(Problem::at(Code::ReasonRequired, "reason", message));
        }
        return None;
    };
    clean_text(words, TEXT_LIMIT, true)
        .map_err(|(code, why)| {
            let code = if code == Code::Blank { Code::ReasonRequired } else { code };
            problems.push(Problem::at(code, "reason", format!("the reason {why}")));
        })
        .ok()
}

fn pipeline(wanted: &Move, surroundings: &Surroundings<'_>, problems: &mut Vec<Problem>) -> Option<String> {
    let Target::Pipeline(name) = &wanted.target else { return None };
    let known = surroundings.pipelines.iter().find(|known| known.eq_ignore_ascii_case(name.trim())).cloned();
    if known.is_none() {
        let message = format!("there is no such pipeline; the pipelines are: {}", surroundings.pipelines.join(", "));
        problems.push(Problem::at(Code::Unknown, "pipeline", message));
    }
    known
}

/// From Fixing on, while the ticket is open, its Estimated Delivery Date is a promise.
const fn is_promised(stage: Stage) -> bool {
    matches!(stage, Stage::Fixing | Stage::Verifying)
}

/// A move is no way around the reason that a changed promise needs.
fn changes_promise(ticket: &Ticket, patch: &FactsPatch) -> bool {
    let date = ticket.facts.estimated_delivery_date;
    is_promised(ticket.stage) && patch.estimated_delivery_date.over(date.as_ref()) != date
}

/// A date that the client has not heard yet must not be over.
fn broken_promise(after: &Ticket, surroundings: &Surroundings<'_>) -> Option<Problem> {
    let is_news = after.facts.estimated_delivery_date != after.promised_delivery_date;
    (is_promised(after.stage) && is_news).then(|| date_in_past(&after.facts, surroundings)).flatten()
}

fn date_in_past(facts: &Facts, surroundings: &Surroundings<'_>) -> Option<Problem> {
    let date = facts.estimated_delivery_date?;
    (surroundings.calendar.end_of_day(date) <= surroundings.now).then(|| {
        let message = format!("the working day of {date} is over; promise a later date");
        Problem::at(Code::DateInPast, input_path(TicketField::EstimatedDeliveryDate), message)
    })
}

/// What was promised and delivered before does not answer for the work that begins anew; the history keeps it.
fn forget_outcome(kind: MoveKind, to: Stage, after: &mut Ticket) {
    if kind == MoveKind::RejectFix {
        after.facts.pull_request_merged_at = None;
    }
    if kind == MoveKind::Reopen {
        after.facts.resolution_notes = None;
    }
    if kind == MoveKind::Reopen && to == Stage::Validating {
        after.facts.estimated_delivery_date = None;
        after.facts.priority = None;
        after.facts.pull_request = None;
        after.facts.pull_request_merged_at = None;
        after.promised_delivery_date = None;
        after.first_promised_date = None;
        after.proposed_priority = None;
        after.proposed_priority_reasons.clear();
    }
}

fn end_or_open(before: &Ticket, after: &mut Ticket, surroundings: &Surroundings<'_>) {
    let now = surroundings.now;
    after.delivered_on = (after.stage == Stage::ClosedResolved).then(|| surroundings.calendar.today(now));
    if after.is_open() {
        after.closed_at = None;
        after.closed_from = None;
    } else {
        after.closed_at = Some(now);
        after.closed_from = Some(before.stage);
        if after.stage == Stage::ClosedResolved {
            after.first_resolved_at = before.first_resolved_at.or(Some(now));
        }
    }
}

fn moved(before: &Ticket, after: &Ticket, spec: &MoveSpec, reason: Option<String>) -> Event {
    let is_transfer = spec.kind == MoveKind::Transfer;
    let is_de_escalation = spec.kind == MoveKind::DeEscalate;
    let data = EventData {
        changes: Facts::changes(Some(&before.facts), &after.facts),
        move_kind: Some(spec.kind),
        from_stage: Some(before.stage),
        to_stage: Some(after.stage),
        pipeline: after.transferred_to.clone(),
        reason,
        de_escalation_reasons: if is_de_escalation { after.de_escalation_reasons.clone() } else { Vec::new() },
        ..EventData::default()
    };
    Event { kind: if is_transfer { EventKind::TicketTransferred } else { EventKind::TicketMoved }, data }
}

fn propose_priority(after: &mut Ticket, surroundings: &Surroundings<'_>) -> Option<Event> {
    let calendar = surroundings.calendar;
    let today = calendar.today(surroundings.now);
    let proposal = priority::propose(PriorityFacts {
        severity: after.facts.severity?,
        affects_other_clients: after.facts.affects_other_clients?,
        tier: after.company.tier,
        working_days_to_target: after.facts.client_target_date.map(|date| calendar.working_days_until(today, date)),
    });
    let change = FieldChange {
        field: TicketField::Priority,
        before: after.facts.priority.map(|priority| priority.to_string()),
        after: Some(proposal.priority.to_string()),
    };
    let text = Some(proposal.reasons.join("\n"));
    after.proposed_priority = Some(proposal.priority);
    after.proposed_priority_reasons = proposal.reasons;
    let data = EventData { changes: vec![change], text, ..EventData::default() };
    Some(Event { kind: EventKind::PriorityProposed, data })
}

/// What the client is told of the change, by the process's table of what happens by itself.
///
/// A date is told when the ticket enters Fixing and whenever it changes from there on; a date that the client knows already
/// is not told again.
fn announce(stage_before: Stage, after: &mut Ticket) -> Vec<NoticeFacts> {
    let mut notices = Vec::new();
    if let Some(date) = after.facts.estimated_delivery_date.filter(|_| is_promised(after.stage)) {
        match after.promised_delivery_date {
            None => notices.push(NoticeFacts::DeliveryDateSet { date }),
            Some(old) if old != date => notices.push(NoticeFacts::DeliveryDateChanged { old, new: date }),
            Some(_) => {}
        }
        after.promised_delivery_date = Some(date);
        after.first_promised_date = after.first_promised_date.or(Some(date));
    }
    if stage_before != after.stage {
        let resolution_notes = after.facts.resolution_notes.clone().unwrap_or_default();
        match after.stage {
            Stage::ClosedResolved => notices.push(NoticeFacts::Delivered { resolution_notes }),
            Stage::ClosedUnresolved => notices.push(NoticeFacts::ClosedUnresolved { resolution_notes }),
            _ => {}
        }
    }
    notices
}

#[cfg(test)]
mod tests;
