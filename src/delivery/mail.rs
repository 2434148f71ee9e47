//! Mail: one message to one recipient, through an SMTP server or into a folder.
//!
//! May import lettre, chrono and [`RenderedNotice`]. Example: `Mailer::smtp(&SmtpSettings::parse(url, None)?)?` once at
//! start, then `mailer.send(&envelope)` for each row of the outbox; the row's id makes `envelope.message_id`, so that a
//! retry is the same mail.

mod folder;
mod message;
mod settings;
mod smtp;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use self::settings::{Mailbox, Security, SettingsError, SmtpSettings};
use self::{folder::Folder, smtp::Smtp};
use crate::notice::RenderedNotice;

/// One mail to one recipient: no address of one company ever reaches another.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Stable over retries, as `local@host` without angle brackets; its host also names threads and the list.
    pub message_id: String,
    /// Who the mail is from.
    pub from: Mailbox,
    /// The recipient's name; may be empty.
    pub to_name: String,
    /// The recipient's address.
    pub to_address: String,
    /// The conversation that the mail belongs to.
    pub thread: Option<Thread>,
    /// When the mail was written.
    pub date: DateTime<Utc>,
    /// What it says.
    pub mail: RenderedNotice,
}

/// A conversation in the recipient's mailbox: all mails of a ticket.
#[derive(Clone, Debug)]
pub struct Thread {
    /// What the mails have in common, such as `L2-123`.
    pub ticket_key: String,
    /// Whether this mail opens the conversation; later ones say what they reply to.
    pub first_in_thread: bool,
}

/// Why a mail did not leave. The text holds the server's answer, without the recipient's address or the mail's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Another attempt would end the same way.
    #[error("refused for good: {0}")]
    Permanent(String),
    /// Another attempt may succeed. After a time-out the mail may have been delivered all the same.
    #[error("not delivered yet: {0}")]
    Transient(String),
}

/// Where mails go. Cheap to share behind an `Arc`; sends run concurrently.
pub enum Mailer {
    /// To a mail server.
    Smtp(Smtp),
    /// Into a folder, one file each, for trying the product without a mail server.
    Folder(Folder),
}

/// Whether a text is a mail address, without a name around it.
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

impl Mailer {
    /// Prepares to send through a server; connects with the first mail. Fails where TLS cannot work, for example
    /// because the system has no trusted certificates.
    pub fn smtp(settings: &SmtpSettings) -> Result<Self, SettingsError> {
        Smtp::new(settings).map(Self::Smtp)
    }

    /// Prepares to write mails into a folder, which is made with the first mail.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::Folder(Folder::new(path.into()))
    }

    /// Hands a mail over. `Ok` means that the server, or the folder, has taken it.
    pub async fn send(&self, envelope: &Envelope) -> Result<(), SendError> {
        let message = message::build(envelope)?;
        match self {
            Self::Smtp(smtp) => smtp.send(&message).await,
            Self::Folder(folder) => folder.store(&envelope.message_id, message.formatted()).await,
        }
    }

    /// Removes what processes that died have left of mails as files, where it was last written before an instant; answers how many.
    pub async fn remove_unfinished(&self, before: DateTime<Utc>) -> usize {
        match self {
            Self::Smtp(_) => 0,
            Self::Folder(folder) => folder.remove_unfinished(before).await,
        }
    }

    /// Says goodbye on idle connections; for an orderly shutdown.
    pub async fn close(&self) {
        match self {
            Self::Smtp(smtp) => smtp.close().await,
            Self::Folder(_) => (),
        }
    }
}

impl SendError {
    /// Whether another attempt is pointless.
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Permanent(_))
    }
}
