//! Everything that a deployment decides, in one struct, checked before anything starts.
//!
//! May import: clap, `delivery`, `domain::{address, process}`, `store::connection`, for what their settings mean. Example:
//! `secondline serve --smtp-url smtp://mail` fills a [`Config`], and [`Config::check`] answers all problems at once, each with
//! the option it is about and what to do.

mod api;
mod identity;
mod secret;

#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use chrono::Utc;
use chrono_tz::Tz;
use tokio_cron_scheduler::Job;
use url::Url;

pub use self::{
    api::ApiConfig,
    identity::OidcConfig,
    secret::{Secret, hide_passwords},
};
use crate::{
    delivery::mail::{Mailbox, Mailer, Security, SmtpSettings},
    domain::{
        address::Address,
        process::{OTHER_PIPELINES, PIPELINE_NAME},
    },
    graphql::admission::Policy,
    http::Settings,
    store::connection,
};

/// Not reachable from outside until somebody decides so.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where SQLite's file and the mail folder go when nothing else is said.
const DATA_DIR: &str = "data";
/// PostgreSQL's default allows 100 in all; this leaves room for several replicas.
const DATABASE_CONNECTIONS: u32 = 20;
/// A database beside the server in the same deployment starts within this time.
const WAIT_FOR_DATABASE: u64 = 30;
/// An address that cannot be mistaken for a real one.
const MAIL_FROM: &str = "Secondline <secondline@localhost>";
/// An alert is at most so late.
const SLA_SCAN_SCHEDULE: &str = "*/15 * * * * *";
/// A mail leaves a few seconds after its cause.
const DELIVER_SCHEDULE: &str = "*/5 * * * * *";
/// A screenshot has a few megabytes at most.
const ATTACHMENT_LIMIT: u64 = 10 * 1024 * 1024;
/// As long as 128 random bits in hexadecimal.
const ATTACHMENT_KEY_LENGTH: usize = 32;
/// A pipeline's name is one line in a list.
const PIPELINE_LIMIT: usize = 100;

/// What a deployment decides. Times are UTC, schedules six-field cron expressions that begin with the second.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
    #[command(flatten)]
    pub mail: MailConfig,
    #[command(flatten)]
    pub api: ApiConfig,
    #[command(flatten)]
    pub oidc: OidcConfig,
    #[command(flatten)]
    pub attachments: AttachmentConfig,

    /// Where to listen, as ADDRESS:PORT; port 0 takes any free one
    #[arg(long, env = "SECONDLINE_LISTEN", value_name = "ADDRESS", default_value_t = LISTEN)]
    pub listen: SocketAddr,

    /// Leave the schema as it is instead of bringing it up to date
    #[arg(long, env = "SECONDLINE_NO_MIGRATE", value_parser = clap::builder::BoolishValueParser::new())]
    pub no_migrate: bool,

    /// The IANA zone of the default working calendar, used when the database is first filled
    #[arg(long, env = "SECONDLINE_TIME_ZONE", value_name = "ZONE", default_value_t = Tz::UTC, value_parser = time_zone)]
    pub time_zone: Tz,

    /// A pipeline that tickets can be transferred to, besides the built-in ones; may be repeated
    #[arg(long = "pipeline", env = "SECONDLINE_PIPELINE", value_name = "NAME", value_delimiter = ',')]
    pub pipelines: Vec<String>,

    /// Where people reach this server, for links in mails, such as `https://support.example.org`
    #[arg(long, env = "SECONDLINE_PUBLIC_URL", value_name = "URL", hide_env_values = true)]
    pub public_url: Option<String>,

    /// When to look for clocks that reached an alert level
    #[arg(long, env = "SECONDLINE_SLA_SCAN_SCHEDULE", value_name = "CRON", default_value = SLA_SCAN_SCHEDULE)]
    pub sla_scan_schedule: String,

    /// When to send the mails that wait
    #[arg(long, env = "SECONDLINE_DELIVER_SCHEDULE", value_name = "CRON", default_value = DELIVER_SCHEDULE)]
    pub deliver_schedule: String,

    /// How many seconds to go on accepting requests after SIGTERM while /readyz says 503, for load balancers to notice
    #[arg(long, env = "SECONDLINE_DRAIN", value_name = "SECONDS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub drain: u64,
}

/// Which database.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:DATA_DIR/secondline.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// A file that holds the database URL
    #[arg(long, env = "SECONDLINE_DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// The folder for what is not stored elsewhere: the SQLite file, and mails as long as no SMTP server is named
    #[arg(long, env = "SECONDLINE_DATA_DIR", value_name = "FOLDER", default_value = DATA_DIR)]
    pub data_dir: PathBuf,

    /// PostgreSQL connections at most, beside one that listens for other servers
    #[arg(long, env = "SECONDLINE_DATABASE_CONNECTIONS", value_name = "N", default_value_t = DATABASE_CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,

    /// How many seconds `serve` waits for a PostgreSQL server that is not there yet
    #[arg(long, env = "SECONDLINE_WAIT_FOR_DATABASE", value_name = "SECONDS", default_value_t = WAIT_FOR_DATABASE,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub wait_for_database: u64,
}

/// What the log says and how.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// How log lines look
    #[arg(long, env = "SECONDLINE_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// A level for this program, or directives such as warn,secondline=info,secondline::http=debug [default: info]
    #[arg(long, env = "SECONDLINE_LOG_LEVEL", value_name = "FILTER")]
    pub log_level: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// How mail leaves.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Mail")]
pub struct MailConfig {
    /// Who mails are from
    #[arg(long, env = "SECONDLINE_MAIL_FROM", value_name = "MAILBOX", default_value = MAIL_FROM)]
    pub mail_from: String,

    /// smtps://, smtp+starttls:// or smtp+plain:// USER@HOST:PORT; without it mails become files
    #[arg(long, env = "SECONDLINE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,

    /// The mail server's password; better kept in a file
    #[arg(long, env = "SECONDLINE_SMTP_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub smtp_password: Option<Secret>,

    /// A file that holds the mail server's password
    #[arg(long, env = "SECONDLINE_SMTP_PASSWORD_FILE", value_name = "FILE")]
    pub smtp_password_file: Option<PathBuf>,

    /// The folder for mails as .eml files, when no SMTP server is named [default: DATA_DIR/mail]
    #[arg(long, env = "SECONDLINE_MAIL_DIR", value_name = "FOLDER")]
    pub mail_dir: Option<PathBuf>,
}

/// Where files are kept.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Attachments")]
pub struct AttachmentConfig {
    /// The folder for attached files [default: DATA_DIR/attachments]
    #[arg(long, env = "SECONDLINE_ATTACHMENT_DIR", value_name = "FOLDER")]
    pub attachment_dir: Option<PathBuf>,

    /// A bucket for attached files instead, as s3://BUCKET/PREFIX; AWS_* variables say how to reach it
    #[arg(long, env = "SECONDLINE_ATTACHMENT_URL", value_name = "URL", hide_env_values = true)]
    pub attachment_url: Option<Url>,

    /// How large a file may be, in bytes
    #[arg(long, env = "SECONDLINE_ATTACHMENT_LIMIT", value_name = "BYTES", default_value_t = ATTACHMENT_LIMIT,
          value_parser = clap::value_parser!(u64).range(1..=1_073_741_824))]
    pub attachment_limit: u64,

    /// What signs the addresses of files, the same on all replicas; without it, one that is kept in the database
    #[arg(long, env = "SECONDLINE_ATTACHMENT_KEY", value_name = "KEY", hide_env_values = true)]
    pub attachment_key: Option<Secret>,

    /// A file that holds that key
    #[arg(long, env = "SECONDLINE_ATTACHMENT_KEY_FILE", value_name = "FILE")]
    pub attachment_key_file: Option<PathBuf>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used:\n  {}", .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// What a configuration comes to, once it was checked.
#[derive(Clone)]
pub struct Checked {
    /// Which database; may hold a password.
    pub database_url: String,
    /// Where tickets can be transferred to.
    pub pipelines: Vec<String>,
    /// How mail leaves.
    pub mailer: Arc<Mailer>,
    /// Who mail is from.
    pub mail_from: Mailbox,
    /// Where people reach this server, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether mails, and the mail password, cross the network in clear.
    pub mail_in_clear: bool,
    /// What requests may ask for.
    pub policy: Policy,
    /// How the API is offered.
    pub settings: Settings,
    /// What signs the addresses of files, where the deployment decides it.
    pub attachment_key: Option<Secret>,
}

impl Config {
    /// The defaults, with everything that is stored in this folder: for the demo, and for tests.
    pub fn in_folder(data_dir: PathBuf) -> Self {
        Self {
            database: DatabaseConfig {
                database_url: None,
                database_url_file: None,
                data_dir,
                database_connections: DATABASE_CONNECTIONS,
                wait_for_database: WAIT_FOR_DATABASE,
            },
            log: LogConfig::default(),
            mail: MailConfig {
                mail_from: MAIL_FROM.to_owned(),
                smtp_url: None,
                smtp_password: None,
                smtp_password_file: None,
                mail_dir: None,
            },
            api: ApiConfig::default(),
            oidc: OidcConfig::default(),
            attachments: AttachmentConfig {
                attachment_dir: None,
                attachment_url: None,
                attachment_limit: ATTACHMENT_LIMIT,
                attachment_key: None,
                attachment_key_file: None,
            },
            listen: LISTEN,
            no_migrate: false,
            time_zone: Tz::UTC,
            pipelines: Vec::new(),
            public_url: None,
            sla_scan_schedule: SLA_SCAN_SCHEDULE.to_owned(),
            deliver_schedule: DELIVER_SCHEDULE.to_owned(),
            drain: 0,
        }
    }

    /// Checks everything that does not need the network; answers all problems at once.
    pub fn check(&self) -> Result<Checked, ConfigError> {
        let mut problems = Vec::new();
        let mut note = |problem: String| problems.push(problem);
        let database_url = self.database.url().map_err(&mut note);
        let pipelines = checked_pipelines(&self.pipelines).map_err(&mut note);
        let from = self.mail_from().map_err(&mut note);
        let mailer = self.mailer().map_err(&mut note);
        let public_url = self.public_url().map_err(&mut note);
        let attachment_key = self.attachment_key().map_err(&mut note);
        let schedules =
            [("--sla-scan-schedule", &self.sla_scan_schedule), ("--deliver-schedule", &self.deliver_schedule)];
        for (option, schedule) in schedules.into_iter().filter(|(_, schedule)| !is_schedule(schedule)) {
            note(format!(
                "{option}: “{schedule}” is no cron expression of six fields, which begin with the second, such as \
                 {SLA_SCAN_SCHEDULE}"
            ));
        }
        let api = self.api.check().map_err(|found| found.into_iter().for_each(&mut note));
        self.oidc.provider().err().unwrap_or_default().into_iter().for_each(&mut note);
        match (database_url, pipelines, from, mailer, (public_url, attachment_key), api) {
            (
                Ok(database_url),
                Ok(pipelines),
                Ok(mail_from),
                Ok((mailer, mail_in_clear)),
                (Ok(public_url), Ok(attachment_key)),
                Ok((policy, settings)),
            ) if problems.is_empty() => {
                let mailer = Arc::new(mailer);
                let database_connections = usize::try_from(self.database.database_connections).unwrap_or(usize::MAX);
                let settings = Settings { database_connections, ..settings };
                Ok(Checked {
                    database_url,
                    pipelines,
                    mailer,
                    mail_from,
                    public_url,
                    mail_in_clear,
                    policy,
                    settings,
                    attachment_key,
                })
            }
            _ => Err(ConfigError(problems)),
        }
    }

    /// The folder for mails, when no SMTP server is named.
    pub fn mail_dir(&self) -> PathBuf {
        self.mail.mail_dir.clone().unwrap_or_else(|| self.database.data_dir.join("mail"))
    }

    /// The folder for attached files, when no bucket is named.
    pub fn attachment_dir(&self) -> PathBuf {
        self.attachments.attachment_dir.clone().unwrap_or_else(|| self.database.data_dir.join("attachments"))
    }

    fn attachment_key(&self) -> Result<Option<Secret>, String> {
        let AttachmentConfig { attachment_url, attachment_dir, attachment_key, attachment_key_file, .. } =
            &self.attachments;
        match attachment_url {
            Some(_) if attachment_dir.is_some() => {
                return Err("give --attachment-url or --attachment-dir, not both".to_owned());
            }
            Some(url) if url.scheme() != "s3" || url.host_str().is_none() => {
                return Err("--attachment-url: must be s3://BUCKET/PREFIX".to_owned());
            }
            _ => {}
        }
        let key = match (attachment_key, attachment_key_file) {
            (Some(_), Some(_)) => return Err("give --attachment-key or --attachment-key-file, not both".to_owned()),
            (Some(key), None) => key.clone(),
            (None, Some(file)) => Secret::from_file("--attachment-key-file", file)?,
            (None, None) => return Ok(None),
        };
        if key.expose().len() < ATTACHMENT_KEY_LENGTH {
            return Err(format!("--attachment-key: give at least {ATTACHMENT_KEY_LENGTH} random characters"));
        }
        Ok(Some(key))
    }

    fn mail_from(&self) -> Result<Mailbox, String> {
        let from = Mailbox::parse(&self.mail.mail_from)
            .map_err(|error| format!("--mail-from: {error}, such as {MAIL_FROM}"))?;
        Address::stated(from.address()).map_err(|why| format!("--mail-from: the address {why}"))?;
        Ok(from)
    }

    /// Mails' way out, and whether it is in clear.
    fn mailer(&self) -> Result<(Mailer, bool), String> {
        let mail = &self.mail;
        let password = match (&mail.smtp_password, &mail.smtp_password_file) {
            (Some(_), Some(_)) => return Err("give --smtp-password or --smtp-password-file, not both".to_owned()),
            (Some(password), None) => Some(password.clone()),
            (None, Some(file)) => Some(Secret::from_file("--smtp-password-file", file)?),
            (None, None) => None,
        };
        let Some(url) = &mail.smtp_url else {
            return match password {
                Some(_) => Err("there is a mail password but no server; name it with --smtp-url".to_owned()),
                None => Ok((Mailer::folder(self.mail_dir()), false)),
            };
        };
        if mail.mail_dir.is_some() {
            return Err("give --smtp-url or --mail-dir, not both".to_owned());
        }
        SmtpSettings::parse(url.expose(), password.as_ref().map(Secret::expose))
            .and_then(|settings| Ok((Mailer::smtp(&settings)?, settings.security() == Security::Plain)))
            .map_err(|error| format!("--smtp-url: {error}"))
    }

    fn public_url(&self) -> Result<Option<String>, String> {
        let Some(text) = &self.public_url else { return Ok(None) };
        match Url::parse(text.trim()) {
            Ok(mut url)
                if matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none() =>
            {
                // Links are mailed to clients, who shall not sign in as somebody else.
                if url.set_username("").and(url.set_password(None)).is_err() {
                    return Err("--public-url: must name a host".to_owned());
                }
                Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
            }
            _ => Err("--public-url: must be an http(s) address such as https://support.example.org".to_owned()),
        }
    }
}

impl DatabaseConfig {
    /// Which database; may hold a password.
    pub fn url(&self) -> Result<String, String> {
        let url = match (&self.database_url, &self.database_url_file) {
            (Some(_), Some(_)) => return Err("give --database-url or --database-url-file, not both".to_owned()),
            (Some(url), None) => url.clone(),
            (None, Some(file)) => Secret::from_file("--database-url-file", file)?,
            (None, None) => return Ok(format!("sqlite:{}", self.data_dir.join("secondline.db").display())),
        };
        let url = url.expose().trim();
        if !connection::is_supported(url) {
            return Err("--database-url: must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME".to_owned());
        }
        if url.starts_with("sqlite:") && url.contains(":memory:") {
            return Err("--database-url: SQLite needs a file, which several connections can share; to try things out \
                        there is `secondline demo`"
                .to_owned());
        }
        Ok(url.to_owned())
    }
}

/// The pipelines that tickets can be transferred to: the built-in ones and more.
pub fn pipelines(more: &[String]) -> Vec<String> {
    let mut all: Vec<String> = OTHER_PIPELINES.map(str::to_owned).to_vec();
    for name in more.iter().map(|name| name.trim()) {
        // A transfer names a pipeline in either case, so that two that differ by it would be one.
        if !all.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            all.push(name.to_owned());
        }
    }
    all
}

fn checked_pipelines(more: &[String]) -> Result<Vec<String>, String> {
    for name in more.iter().map(|name| name.trim()) {
        if name.is_empty() || name.chars().count() > PIPELINE_LIMIT || name.contains(char::is_control) {
            return Err(format!("--pipeline: a name has 1 to {PIPELINE_LIMIT} characters on one line"));
        }
        if name.eq_ignore_ascii_case(PIPELINE_NAME) {
            return Err(format!("--pipeline: {PIPELINE_NAME} is this pipeline; name the others only"));
        }
    }
    Ok(pipelines(more))
}

/// Whether the scheduler can read it.
fn is_schedule(text: &str) -> bool {
    Job::new_async_tz(text, Utc, |_, _| Box::pin(std::future::ready(()))).is_ok()
}

fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "must be an IANA zone such as Europe/Berlin".to_owned())
}
