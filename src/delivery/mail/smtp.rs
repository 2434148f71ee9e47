//! Speaks to a mail server, over connections that are used again.
//!
//! May import lettre and its parent's types. Example: a mail takes an idle connection, is handed over within the time
//! limit, and parks the connection; any failure closes it.
//!
//! lettre's own pool is not used: its asynchronous transport limits only the time to connect, and a send that is cut
//! short from outside leaves a connection in the pool in the middle of its dialogue, where the next mail reads the last
//! one's answers (read in lettre 0.11.23).

use std::error::Error as _;
use std::future::Future;
use std::time::{Duration, Instant};

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{Security, SendError, SettingsError, SmtpSettings};

/// Most connections kept for later: as many as mails are sent at once in practice.
const MOST_IDLE: usize = 8;

/// Longest time a connection is kept: servers close idle ones after some minutes, and asking a dead one costs a wait.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// Longest server answer that is kept, in characters: enough for its reason, too little for a mail's text.
const LONGEST_ANSWER: usize = 300;

/// Refusals that are about our settings, not about this mail: authentication or encryption is required (RFC 4954).
const REFUSALS_OF_SETTINGS: [u16; 2] = [530, 538];

/// A mail server.
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    timeout: Duration,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, SettingsError> {
        let tls = match settings.security {
            Security::Tls | Security::StartTls => {
                Some(TlsParameters::new_rustls(settings.host.clone()).map_err(SettingsError::Tls)?)
            }
            Security::Plain => None,
        };
        let credentials = settings.user_and_password.clone().map(|(user, password)| Credentials::new(user, password));
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            security: settings.security,
            tls,
            credentials,
            timeout: settings.timeout,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Hands a message over within the time limits.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut connection = match self.reuse().await {
            Some(connection) => connection,
            None => {
                self.limited(self.connect()).await?.map_err(|error| SendError::Transient(answer(&error, message)))?
            }
        };
        let bytes = message.formatted();
        self.limited(hand_over(&mut connection, message, &bytes)).await??;
        self.park(connection).await;
        Ok(())
    }

    /// Ends the idle connections politely.
    pub(super) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().await);
        for (mut connection, _) in idle {
            // The mails are delivered; how the goodbye is answered changes nothing.
            let _ = timeout(self.timeout, connection.quit()).await;
        }
    }

    /// Takes the latest idle connection, when it still answers.
    async fn reuse(&self) -> Option<AsyncSmtpConnection> {
        let (mut connection, since) = self.idle.lock().await.pop()?;
        if since.elapsed() < LONGEST_IDLE && timeout(self.timeout, connection.test_connected()).await == Ok(true) {
            return Some(connection);
        }
        // The others are older, and trying each on a server that hangs would cost a time limit apiece.
        self.idle.lock().await.clear();
        None
    }

    /// Keeps a connection for the next mail.
    async fn park(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().await;
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    /// Connects, protects the connection as the settings say, and authenticates.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let name = ClientId::default();
        let wrapper = match self.security {
            Security::Tls => self.tls.clone(),
            Security::StartTls | Security::Plain => None,
        };
        let server = (self.host.as_str(), self.port);
        // Half the time per address of the server, so that a dead IPv6 route leaves time for IPv4.
        let per_address = Some(self.timeout / 2);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, per_address, &name, wrapper, None).await?;
        if let (Security::StartTls, Some(tls)) = (self.security, &self.tls) {
            connection.starttls(tls.clone(), &name).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// Waits for one step of the work, at most as long as the settings say.
    async fn limited<T>(&self, step: impl Future<Output = T>) -> Result<T, SendError> {
        timeout(self.timeout, step)
            .await
            .map_err(|_| SendError::Transient(format!("the mail server did not answer within {:?}", self.timeout)))
    }
}

/// Hands a message over on a connection that stands, step by step: what a refusal means depends on what was refused.
async fn hand_over(connection: &mut AsyncSmtpConnection, message: &Message, bytes: &[u8]) -> Result<(), SendError> {
    let handed_over = dialogue(connection, message, bytes).await;
    if handed_over.is_err() {
        connection.abort().await;
    }
    handed_over
}

async fn dialogue(connection: &mut AsyncSmtpConnection, message: &Message, bytes: &[u8]) -> Result<(), SendError> {
    let envelope = message.envelope();
    let mut parameters = Vec::new();
    let is_international =
        envelope.from().into_iter().chain(envelope.to()).any(|address| !(address.as_ref() as &str).is_ascii());
    if is_international {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let cause = "the address has other than ASCII letters, and the mail server does not support SMTPUTF8";
            return Err(SendError::Permanent(cause.to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() {
        if !connection.server_info().supports_feature(Extension::EightBitMime) {
            let cause = "the mail has other than ASCII letters, and the mail server does not support 8BITMIME";
            return Err(SendError::Permanent(cause.to_owned()));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    // Whoever refuses the sender refuses us, and not this recipient.
    let from = Mail::new(envelope.from().cloned(), parameters);
    connection.command(from).await.map_err(|error| SendError::Transient(answer(&error, message)))?;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(|error| refusal(&error, message))?;
    }
    connection.command(Data).await.map_err(|error| refusal(&error, message))?;
    connection.message(bytes).await.map_err(|error| refusal(&error, message))?;
    Ok(())
}

/// Classifies the failure of a recipient or a text: a 5xx answer is about this mail, everything else may pass.
fn refusal(error: &Error, message: &Message) -> SendError {
    let about_settings = error.status().is_some_and(|code| REFUSALS_OF_SETTINGS.contains(&code.into()));
    if error.is_permanent() && !about_settings {
        SendError::Refused(answer(error, message))
    } else {
        SendError::Transient(answer(error, message))
    }
}

/// The server's answer on one line, or what went wrong instead of one. Servers like to repeat the address they refuse;
/// ledgers and logs must not.
fn answer(error: &Error, message: &Message) -> String {
    let mut text = match (error.status(), error.source()) {
        (Some(code), Some(source)) => format!("{code} {source}"),
        (Some(code), None) => code.to_string(),
        (None, _) => error.to_string(),
    };
    for address in message.envelope().to() {
        text = text.replace(address.as_ref() as &str, "the recipient");
    }
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_ANSWER).collect();
    line.trim_end().to_owned()
}
