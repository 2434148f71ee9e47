//! The English mails: which template says which kind, and how dates read.
//!
//! May import what its parent may. Example: 27 November 2026, 16:00 UTC, reads “Friday, 27 November 2026, 17:00 CET
//! (16:00 UTC)” in Berlin.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::vocab::Visibility;

use super::text::{many_lines, one_line};
use super::{Bodies, Page, RenderError};
use crate::domain::notice::{Acknowledgement, DigestedAlert, DriftedTicket, NoticeFacts};

/// Declares the two templates of a kind, the text's `lead` block being the sentence that also leads the HTML, and the
/// function that fills them.
macro_rules! letter {
    ($kind:ident ($($fact:ident: $type:ty),*), $text:literal, $html:literal) => {
        fn $kind<'a>(page: &'a Page<'a>, $($fact: $type),*) -> Result<Bodies, RenderError> {
            #[derive(Template)]
            #[template(path = $text, config = "src/notice/askama.toml", blocks = ["lead"])]
            struct Text<'a> {
                page: &'a Page<'a>,
                $($fact: $type,)*
            }

            #[derive(Template)]
            #[template(path = $html, config = "src/notice/askama.toml")]
            struct Html<'a> {
                page: &'a Page<'a>,
                lead: &'a str,
                $($fact: $type,)*
            }

            let text = Text { page, $($fact,)* };
            let lead = text.as_lead().render()?;
            Ok(Bodies { text: text.render()?, html: Html { page, lead: &lead, $($fact,)* }.render()? })
        }
    };
}

letter!(delivery_date_set(date: &'a str), "en/delivery_date_set.txt", "en/delivery_date_set.html");
letter!(
    delivery_date_changed(old: &'a str, new: &'a str, later: bool),
    "en/delivery_date_changed.txt",
    "en/delivery_date_changed.html"
);
letter!(delivered(notes: &'a str), "en/delivered.txt", "en/delivered.html");
letter!(closed_unresolved(notes: &'a str), "en/closed_unresolved.txt", "en/closed_unresolved.html");
letter!(
    clarification_requested(question: &'a str),
    "en/clarification_requested.txt",
    "en/clarification_requested.html"
);
letter!(
    clarification_answered(question: &'a str, answer: &'a str, answered_by: &'a str),
    "en/clarification_answered.txt",
    "en/clarification_answered.html"
);
letter!(
    sla_warning(stage: &'a str, due: &'a str, assignee: Option<&'a str>, taken: Option<&'a str>),
    "en/sla_warning.txt",
    "en/sla_warning.html"
);
letter!(
    sla_breach(stage: &'a str, due: &'a str, assignee: Option<&'a str>, taken: Option<&'a str>),
    "en/sla_breach.txt",
    "en/sla_breach.html"
);
letter!(
    sla_escalation(stage: &'a str, level: &'a str, due: &'a str, assignee: Option<&'a str>, taken: Option<&'a str>),
    "en/sla_escalation.txt",
    "en/sla_escalation.html"
);
letter!(
    delivery_overdue(date: &'a str, due: &'a str, assignee: Option<&'a str>, taken: Option<&'a str>),
    "en/delivery_overdue.txt",
    "en/delivery_overdue.html"
);

letter!(comment_added(author: &'a str, body: &'a str, internal: bool), "en/comment_added.txt", "en/comment_added.html");
letter!(assigned(stage: &'a str, assigned_by: &'a str), "en/assigned.txt", "en/assigned.html");
letter!(
    ticket_moved(from: &'a str, to: &'a str, moved_by: &'a str),
    "en/ticket_moved.txt",
    "en/ticket_moved.html"
);

letter!(
    sla_digest(total: usize, cause: Option<&'a str>, found_late: usize, changed: usize, lines: &'a [String], more: usize),
    "en/sla_digest.txt",
    "en/sla_digest.html"
);
letter!(
    de_escalation_loop(from: &'a str, to: &'a str, count: i32, reasons: &'a str),
    "en/de_escalation_loop.txt",
    "en/de_escalation_loop.html"
);
letter!(
    pause_ended(stage: &'a str, reasons: &'a str, due: Option<&'a str>),
    "en/pause_ended.txt",
    "en/pause_ended.html"
);
letter!(
    clock_drift(total: usize, lines: &'a [String], more: usize),
    "en/clock_drift.txt",
    "en/clock_drift.html"
);
letter!(
    client_not_told(what: &'a str, contact: &'a str, cause: &'a str, clock_goes_on: bool),
    "en/client_not_told.txt",
    "en/client_not_told.html"
);
letter!(mail_trouble(troubles: &'a [String]), "en/mail_trouble.txt", "en/mail_trouble.html");

/// What mail is about that is not about one ticket.
pub(super) fn title(facts: &NoticeFacts) -> String {
    match facts {
        NoticeFacts::SlaDigest { total, .. } => format!("{total} SLA alerts"),
        NoticeFacts::ClockDrift { .. } => "Stored clocks have drifted".to_owned(),
        NoticeFacts::MailTrouble { .. } => "Mails do not arrive".to_owned(),
        other => other.kind().label().to_owned(),
    }
}

/// Says the facts in English, instants in `zone` and UTC.
pub(super) fn render(facts: &NoticeFacts, page: &Page<'_>, zone: Tz) -> Result<Bodies, RenderError> {
    match facts {
        NoticeFacts::DeliveryDateSet { date } => delivery_date_set(page, &day(*date)),
        NoticeFacts::DeliveryDateChanged { old, new } => delivery_date_changed(page, &day(*old), &day(*new), new > old),
        NoticeFacts::Delivered { resolution_notes } => delivered(page, &many_lines(resolution_notes)),
        NoticeFacts::ClosedUnresolved { resolution_notes } => closed_unresolved(page, &many_lines(resolution_notes)),
        NoticeFacts::ClarificationRequested { question } => clarification_requested(page, &many_lines(question)),
        NoticeFacts::ClarificationAnswered { question, answer, answered_by } => {
            clarification_answered(page, &many_lines(question), &many_lines(answer), &one_line(answered_by))
        }
        NoticeFacts::SlaWarning { stage, due_at, assignee, acknowledged, .. } => sla_warning(
            page,
            stage.label(),
            &instant(*due_at, zone),
            name(assignee).as_deref(),
            taken(acknowledged, zone).as_deref(),
        ),
        NoticeFacts::SlaBreach { stage, due_at, assignee, acknowledged } => sla_breach(
            page,
            stage.label(),
            &instant(*due_at, zone),
            name(assignee).as_deref(),
            taken(acknowledged, zone).as_deref(),
        ),
        NoticeFacts::SlaEscalation { stage, level, due_at, assignee, acknowledged } => {
            let due = instant(*due_at, zone);
            sla_escalation(
                page,
                stage.label(),
                level.label(),
                &due,
                name(assignee).as_deref(),
                taken(acknowledged, zone).as_deref(),
            )
        }
        NoticeFacts::DeliveryOverdue { date, due_at, assignee, acknowledged } => delivery_overdue(
            page,
            &day(*date),
            &instant(*due_at, zone),
            name(assignee).as_deref(),
            taken(acknowledged, zone).as_deref(),
        ),
        NoticeFacts::CommentAdded { body, author, visibility } => {
            comment_added(page, &one_line(author), &many_lines(body), *visibility == Visibility::Internal)
        }
        NoticeFacts::Assigned { stage, assigned_by } => assigned(page, stage.label(), &one_line(assigned_by)),
        NoticeFacts::TicketMoved { from, to, moved_by } => {
            ticket_moved(page, from.label(), to.label(), &one_line(moved_by))
        }
        NoticeFacts::SlaDigest { alerts, total, found_late, changed } => {
            let lines: Vec<_> = alerts.iter().map(|alert| digested(alert, zone)).collect();
            let cause = cause(*total, *found_late, *changed);
            sla_digest(page, *total, cause, *found_late, *changed, &lines, total.saturating_sub(lines.len()))
        }
        NoticeFacts::DeEscalationLoop { from, to, count, reasons } => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.label()).collect();
            de_escalation_loop(page, from.label(), to.label(), *count, &reasons.join(", "))
        }
        NoticeFacts::PauseEnded { stage, reasons, due_at } => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.label()).collect();
            let due = due_at.map(|due_at| instant(due_at, zone));
            pause_ended(page, stage.label(), &reasons.join(", "), due.as_deref())
        }
        NoticeFacts::ClockDrift { tickets, total } => {
            let line =
                |ticket: &DriftedTicket| format!("{}: {}", ticket.ticket_key, one_line(&ticket.differences.join("; ")));
            let lines: Vec<_> = tickets.iter().map(line).collect();
            clock_drift(page, *total, &lines, total.saturating_sub(lines.len()))
        }
        NoticeFacts::ClientNotTold { what, contact, cause, clock_goes_on } => {
            client_not_told(page, what.label(), &one_line(contact), &one_line(cause), *clock_goes_on)
        }
        NoticeFacts::MailTrouble { troubles } => {
            let lines: Vec<_> = troubles.iter().map(|trouble| one_line(trouble)).collect();
            mail_trouble(page, &lines)
        }
    }
}

/// One alert of a digest, on one line.
fn digested(alert: &DigestedAlert, zone: Tz) -> String {
    let ticket = &alert.ticket;
    let taken = taken(&alert.acknowledged, zone).map(|taken| format!("; {taken}")).unwrap_or_default();
    format!(
        "{}: {}, {} ({}), {}, due {}{taken}",
        alert.level,
        ticket.ticket_key,
        one_line(&ticket.ticket_subject),
        one_line(&ticket.company_name),
        alert.stage,
        instant(alert.due_at, zone)
    )
}

/// Why they all came together, where it is the same for all.
fn cause(total: usize, found_late: usize, changed: usize) -> Option<&'static str> {
    if found_late == total {
        Some("they were found late, after a time in which nobody looked at the clocks")
    } else if changed == total {
        Some("a policy, a calendar or a due time was changed")
    } else {
        None
    }
}

/// A person's name on one line.
fn name(name: &Option<String>) -> Option<String> {
    name.as_deref().map(one_line)
}

/// Who took charge of which lower level, and when.
fn taken(acknowledged: &Option<Acknowledgement>, zone: Tz) -> Option<String> {
    let Acknowledgement { level, by, at } = acknowledged.as_ref()?;
    let by = by.as_deref().map_or_else(|| "an integration".to_owned(), one_line);
    Some(format!("{by} acknowledged “{level}” on {}", instant(*at, zone)))
}

/// A calendar day, such as “Friday, 27 November 2026”.
pub(super) fn day(date: NaiveDate) -> String {
    date.format("%A, %-d %B %Y").to_string()
}

/// An instant on the reader's wall clock and in UTC; the day of the latter only where it is another one.
pub(super) fn instant(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    let date = day(local.date_naive());
    let abbreviation = local.format("%Z").to_string();
    if abbreviation == "UTC" {
        return format!("{date}, {} UTC", at.format("%H:%M"));
    }
    // Zones without letters of their own have their offset as abbreviation, which reads as part of the time.
    let zone_name = if abbreviation.starts_with(|c: char| c.is_ascii_alphabetic()) {
        abbreviation
    } else {
        local.format("UTC%:z").to_string()
    };
    let utc = if local.date_naive() == at.date_naive() {
        at.format("%H:%M").to_string()
    } else {
        format!("{}, {}", day(at.date_naive()), at.format("%H:%M"))
    };
    format!("{date}, {} {zone_name} ({utc} UTC)", local.format("%H:%M"))
}
