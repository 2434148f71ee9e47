//! Which server mails go through, read from a URL and checked before anything starts.
//!
//! May import lettre's types and url. Example: `smtp+starttls://robot@mail.example.org` with the password apart. No
//! error and no debug output repeats the URL, which may hold a password.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use url::{Host, Url};

/// Longest wait for connecting, and again for handing over a mail: a healthy server takes a second or two, and lettre's
/// own minute would let a few dead connections block the whole queue.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// `smtps://`: TLS from the first byte, port 465.
    Tls,
    /// `smtp+starttls://`: TLS by STARTTLS, without which nothing is sent; port 587.
    StartTls,
    /// `smtp+plain://`: in clear, password included; port 25. For a relay on the same machine, and for tests.
    Plain,
}

/// A mail server and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    pub(super) security: Security,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user_and_password: Option<(String, String)>,
    pub(super) timeout: Duration,
}

/// What is wrong with the mail settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It does not parse.
    #[error("the mail server's URL cannot be read")]
    NotAUrl(#[source] url::ParseError),
    /// It is `smtp://`, which says nothing about encryption.
    #[error(
        "smtp:// does not say how the connection is protected: choose smtps:// (TLS, port 465), \
         smtp+starttls:// (STARTTLS, port 587) or, to send in clear, smtp+plain:// (port 25)"
    )]
    ProtectionNotChosen,
    /// Its scheme is none of ours.
    #[error("{0}:// is no way to send mail: choose smtps://, smtp+starttls:// or smtp+plain://")]
    UnknownScheme(String),
    /// It names no server.
    #[error("the mail server's URL names no host")]
    NoHost,
    /// It has a path, a query or a fragment.
    #[error("the mail server's URL ends after the port: a path, query or fragment means nothing")]
    Surplus,
    /// A password without a user.
    #[error("there is a mail password, but the mail server's URL names no user")]
    PasswordWithoutUser,
    /// A user without a password.
    #[error("the mail server's URL names a user, but there is no password")]
    UserWithoutPassword,
    /// Two passwords.
    #[error("the mail password is given twice: in the URL and apart")]
    PasswordTwice,
    /// The sender is not a mailbox.
    #[error("the sender must be a mail address, or a name and an address in angle brackets")]
    NotAMailbox(#[source] Option<lettre::address::AddressError>),
    /// TLS cannot be set up.
    #[error("TLS for the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

impl SmtpSettings {
    /// Reads `smtps://user:password@host:port` and its kin; the password may come apart, for example from a file.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, SettingsError> {
        let url = Url::parse(url.trim()).map_err(SettingsError::NotAUrl)?;
        let (security, default_port) = match url.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtp+plain" => (Security::Plain, 25),
            "smtp" => return Err(SettingsError::ProtectionNotChosen),
            other => return Err(SettingsError::UnknownScheme(other.to_owned())),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(SettingsError::Surplus);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(SettingsError::NoHost),
        };
        let user_and_password = match (url.username(), url.password(), password) {
            ("", None, None) => None,
            ("", _, _) => return Err(SettingsError::PasswordWithoutUser),
            (_, Some(_), Some(_)) => return Err(SettingsError::PasswordTwice),
            (_, None, None) => return Err(SettingsError::UserWithoutPassword),
            (user, Some(inside), None) => Some((decoded(user), decoded(inside))),
            (user, None, Some(apart)) => Some((decoded(user), apart.to_owned())),
        };
        Ok(Self { security, host, port: url.port().unwrap_or(default_port), user_and_password, timeout: TIMEOUT })
    }

    /// Waits this long instead of ten seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How the connection is protected, for a warning at start where it is not.
    pub const fn security(&self) -> Security {
        self.security
    }
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SmtpSettings")
            .field("security", &self.security)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("authenticates", &self.user_and_password.is_some())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Undoes percent-encoding in one part of a URL.
fn decoded(part: &str) -> String {
    // The form decoder undoes it too, once the three characters that mean something in forms cannot.
    let literal = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(literal.as_bytes()).map(|(text, _)| text.into_owned()).next().unwrap_or_default()
}

/// Who mails are from, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox(lettre::message::Mailbox);

impl Mailbox {
    /// Reads `address@host`, or `Name <address@host>`.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>') {
            Some(inside) => inside.rsplit_once('<').ok_or(SettingsError::NotAMailbox(None))?,
            None => ("", text),
        };
        let name = name.trim().trim_matches('"').trim();
        if name.contains(char::is_control) {
            return Err(SettingsError::NotAMailbox(None));
        }
        let address: Address = address.trim().parse().map_err(|error| SettingsError::NotAMailbox(Some(error)))?;
        Ok(Self(lettre::message::Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address)))
    }

    /// Its address, without the name.
    pub fn address(&self) -> &str {
        self.0.email.as_ref()
    }

    /// The host of its address, for message ids.
    pub fn host(&self) -> &str {
        self.0.email.domain()
    }

    pub(super) const fn inner(&self) -> &lettre::message::Mailbox {
        &self.0
    }
}
