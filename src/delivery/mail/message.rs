//! Builds the message: headers that people's mail programs and other servers trust, and both bodies, text first.
//!
//! May import lettre and its parent's types. Example: a mail about `L2-123` carries
//! `References: <ticket-L2-123@support.example.org>`, so that all mails of that ticket are one conversation.

use base64::{Engine, prelude::BASE64_STANDARD};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::{Envelope, SendError};

/// Longest message id: it is also a file's name, of which most systems allow 255 bytes.
const LONGEST_ID: usize = 200;

/// What begins an encoded word (RFC 2047).
const ENCODED_WORD: &str = "=?";
/// Bytes of text in one encoded word: with its base64 and the header's name in front it fits into a line of 78 characters.
const WORD_BYTES: usize = 42;

/// Declares a header whose value is plain text.
macro_rules! text_header {
    ($(#[$about:meta])* $type:ident, $name:literal) => {
        $(#[$about])*
        #[derive(Clone)]
        struct $type(String);

        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

text_header!(
    /// Tells other programs not to answer (RFC 3834).
    AutoSubmitted,
    "Auto-Submitted"
);
text_header!(
    /// Tells Exchange the same.
    XAutoResponseSuppress,
    "X-Auto-Response-Suppress"
);
text_header!(
    /// Lets people filter (RFC 2919).
    ListId,
    "List-Id"
);

/// What the mail is about.
#[derive(Clone)]
struct Subject(String);

impl Header for Subject {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Subject")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    /// lettre leaves words of ASCII as they are, also those that look encoded, which mail programs then decode: with
    /// `=?utf-8?q?…?=` somebody could write what no reader of the ticket sees. So a text with such a beginning is encoded whole.
    fn display(&self) -> HeaderValue {
        if !self.0.contains(ENCODED_WORD) {
            return HeaderValue::new(Self::name(), self.0.clone());
        }
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.clone(), encoded(&self.0))
    }
}

/// A text as encoded words, one a line.
fn encoded(text: &str) -> String {
    let mut words = vec![String::new()];
    for letter in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + letter.len_utf8() <= WORD_BYTES => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?b?{}?=", BASE64_STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// Builds the message of an envelope; whatever cannot stand in one is a permanent error.
pub(super) fn build(envelope: &Envelope) -> Result<Message, SendError> {
    let id = &envelope.message_id;
    let host =
        host_of(id).ok_or_else(|| SendError::Permanent("the message id is not of the form local@host".into()))?;
    let address = envelope
        .to_address
        .parse()
        .map_err(|error| SendError::Permanent(format!("the recipient's address is not a mail address: {error}")))?;
    let to_name = one_line(&envelope.to_name);
    let mut builder = Message::builder()
        .from(envelope.from.inner().clone())
        .to(Mailbox::new((!to_name.is_empty()).then_some(to_name), address))
        .header(Subject(one_line(&envelope.mail.subject)))
        .date(envelope.date.into())
        .message_id(Some(format!("<{id}>")))
        .header(AutoSubmitted("auto-generated".into()))
        .header(XAutoResponseSuppress("All".into()))
        .header(ListId(format!("<tickets.{host}>")));
    if let Some(thread) = &envelope.thread {
        if !is_word(&thread.ticket_key) {
            return Err(SendError::Permanent("the ticket's key cannot name a thread".into()));
        }
        let root = format!("<ticket-{}@{host}>", thread.ticket_key);
        builder = builder.references(root.clone());
        if !thread.first_in_thread {
            builder = builder.in_reply_to(root);
        }
    }
    let bodies = MultiPart::alternative_plain_html(envelope.mail.text.clone(), envelope.mail.html.clone());
    builder.multipart(bodies).map_err(|error| SendError::Permanent(format!("the message cannot be built: {error}")))
}

/// The host of a message id, when the id may stand in a header and name a file.
fn host_of(id: &str) -> Option<&str> {
    let (local, host) = id.split_once('@')?;
    (id.len() <= LONGEST_ID && is_word(local) && is_word(host)).then_some(host)
}

/// Whether text is letters, digits, dots, hyphens and underscores, and does not start with a dot.
fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(allowed)
}

/// Turns every control character into a space: the second lock against header injection, behind the words' own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
