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
use crate::domain::notice::NoticeFacts;

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
    sla_warning(stage: &'a str, due: &'a str, assignee: Option<&'a str>),
    "en/sla_warning.txt",
    "en/sla_warning.html"
);
letter!(
    sla_breach(stage: &'a str, due: &'a str, assignee: Option<&'a str>),
    "en/sla_breach.txt",
    "en/sla_breach.html"
);
letter!(
    sla_escalation(stage: &'a str, level: &'a str, due: &'a str, assignee: Option<&'a str>),
    "en/sla_escalation.txt",
    "en/sla_escalation.html"
);
letter!(
    delivery_overdue(date: &'a str, due: &'a str, assignee: Option<&'a str>),
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
        NoticeFacts::SlaWarning { stage, due_at, assignee } => {
            sla_warning(page, stage.label(), &instant(*due_at, zone), name(assignee).as_deref())
        }
        NoticeFacts::SlaBreach { stage, due_at, assignee } => {
            sla_breach(page, stage.label(), &instant(*due_at, zone), name(assignee).as_deref())
        }
        NoticeFacts::SlaEscalation { stage, level, due_at, assignee } => {
            let due = instant(*due_at, zone);
            sla_escalation(page, stage.label(), level.label(), &due, name(assignee).as_deref())
        }
        NoticeFacts::DeliveryOverdue { date, due_at, assignee } => {
            delivery_overdue(page, &day(*date), &instant(*due_at, zone), name(assignee).as_deref())
        }
        NoticeFacts::CommentAdded { body, author, visibility } => {
            comment_added(page, &one_line(author), &many_lines(body), *visibility == Visibility::Internal)
        }
        NoticeFacts::Assigned { stage, assigned_by } => assigned(page, stage.label(), &one_line(assigned_by)),
        NoticeFacts::TicketMoved { from, to, moved_by } => {
            ticket_moved(page, from.label(), to.label(), &one_line(moved_by))
        }
    }
}

/// A person's name on one line.
fn name(name: &Option<String>) -> Option<String> {
    name.as_deref().map(one_line)
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
