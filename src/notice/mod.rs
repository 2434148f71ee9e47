//! Words: turns the facts of a notice into the mail that one recipient reads.
//!
//! May import `crate::domain`, the vocabulary, chrono and askama; never an address book, a wire or the store.
//! Example: `render(&content, &recipient, &site)` with a `DeliveryDateSet` gives “[L2-123] Export fails” and, as text
//! and as HTML, “We plan to deliver the fix for your ticket on Friday, 27 November 2026.”
//!
//! A second language is a folder beside `templates/en`, a module beside `english` and one arm each in `Locale::of` and
//! [`render`].

mod english;
mod text;

#[cfg(test)]
mod tests;

use chrono_tz::Tz;
use entity::vocab::NoticeKind;

use self::text::one_line;
use crate::domain::notice::{NoticeContent, TicketLabel};

/// The person a mail is for.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// What the greeting calls them; may be empty.
    pub name: String,
    /// Where the mail goes. No mail ever shows it.
    pub address: String,
    /// Their language as a BCP 47 tag, such as `en` or `de-AT`; unknown ones read English.
    pub locale: String,
    /// Whose wall clock the instants are told in.
    pub time_zone: Tz,
    /// Whether they are a client's contact, as opposed to staff.
    pub is_client: bool,
}

/// What every mail says about this deployment.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name in the footer, such as “Secondline”.
    pub product_name: String,
    /// Where people reach it, such as `https://support.example.org`; without it mails carry no link.
    pub public_url: Option<String>,
    /// The host that mails come from, shown in the footer.
    pub mail_host: String,
}

/// A mail in words, ready for a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedNotice {
    /// One line without control characters; the same for every mail of a ticket, so that they stay one thread.
    pub subject: String,
    /// The body as plain text, lines separated by `\n`.
    pub text: String,
    /// The body as a whole HTML document.
    pub html: String,
}

/// Why a notice could not be put into words.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The notice is for staff, and its recipient is a client's contact.
    #[error("a notice of kind {0:?} is not for clients")]
    NotForClients(NoticeKind),
    /// A template failed.
    #[error("template failed")]
    Template(#[from] askama::Error),
}

/// What every template sees, cleaned of control characters.
struct Page<'a> {
    subject: &'a str,
    /// Whether it is about one ticket; the next three are empty where it is about several.
    has_ticket: bool,
    key: String,
    ticket_subject: String,
    company: String,
    name: String,
    is_client: bool,
    link: Option<String>,
    product: &'a str,
    host: &'a str,
}

/// The languages that there are words in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locale {
    English,
}

impl Locale {
    /// Picks the language of a BCP 47 tag by its first part; unknown ones are English.
    fn of(tag: &str) -> Self {
        match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Self::English,
            // A second language is its arm above; whoever reads none of ours reads English.
            _ => Self::English,
        }
    }
}

/// Puts a notice into the recipient's language and time zone.
pub fn render(content: &NoticeContent, recipient: &Recipient, site: &Site) -> Result<RenderedNotice, RenderError> {
    let kind = content.facts.kind();
    if recipient.is_client && !content.facts.is_for_clients() {
        return Err(RenderError::NotForClients(kind));
    }
    let line = |of: fn(&TicketLabel) -> &String| {
        content.ticket.as_ref().map(of).map_or_else(String::new, |text| one_line(text))
    };
    let (key, ticket_subject) = (line(|ticket| &ticket.ticket_key), line(|ticket| &ticket.ticket_subject));
    let has_ticket = content.ticket.is_some();
    let (subject, path) = if has_ticket {
        (format!("[{key}] {ticket_subject}").trim_end().to_owned(), format!("/tickets/{key}"))
    } else {
        let title = match Locale::of(&recipient.locale) {
            Locale::English => english::title(&content.facts),
        };
        (format!("[{}] {title}", site.product_name), String::new())
    };
    let page = Page {
        subject: &subject,
        link: site.public_url.as_deref().map(|url| format!("{}{path}", url.trim_end_matches('/'))),
        has_ticket,
        company: line(|ticket| &ticket.company_name),
        name: one_line(&recipient.name),
        is_client: recipient.is_client,
        product: &site.product_name,
        host: &site.mail_host,
        key,
        ticket_subject,
    };
    let bodies = match Locale::of(&recipient.locale) {
        Locale::English => english::render(&content.facts, &page, recipient.time_zone)?,
    };
    Ok(RenderedNotice { text: bodies.text, html: bodies.html, subject })
}

/// A mail's body, both ways.
struct Bodies {
    text: String,
    html: String,
}
