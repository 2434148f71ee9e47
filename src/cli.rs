//! The command line: what can be asked for, and where it is done.
//!
//! May import everything of the library. Commands act as [`Actor::System`](secondline::domain::actor::Actor), since whoever
//! reaches the database could do anything anyway. Results go to standard output, everything else to standard error. Example:
//! `TOKEN=$(secondline token create --person ada@example.org --name laptop)`.

mod access;
mod backup;
mod demo;
mod directory;
mod holidays;
mod operations;
mod print;
mod serve;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, CommandFactory, Parser, Subcommand};
use entity::{
    id::{AccessTokenId, CompanyId, NoticeId},
    vocab::{NoticeState, Scope, Team},
};
use secondline::{
    app,
    clock::Clock,
    config::{Config, ConfigError, DatabaseConfig, LogConfig},
    domain::instant,
    service::Service,
};

pub use self::print::is_broken_pipe;
use self::{
    backup::{BackupArgs, RestoreArgs},
    directory::{ContactCommand, DirectoryCommand, PersonCommand},
};

/// What all of our environment variables begin with, but for `DATABASE_URL`.
const ENVIRONMENT_PREFIX: &str = "SECONDLINE_";
/// Not settings of ours: those of tests, and what Kubernetes sets in every pod beside a service named `secondline`.
const NOT_SETTINGS: [&str; 3] = ["SECONDLINE_TEST_", "SECONDLINE_SERVICE_", "SECONDLINE_PORT"];

/// A server for second-line support: the Level 2 process, its SLA clocks, its notices, over GraphQL.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  secondline demo                                      try it: nothing to set up, nothing left behind
  secondline serve                                     on a SQLite file in ./data
  DATABASE_URL=postgres://secondline@db/secondline secondline serve --listen 0.0.0.0:8080
  secondline person add --name 'Ada Lovelace' --email ada@example.org --administrator
  secondline token create --person ada@example.org --name laptop

Every option can be given by environment too, as `secondline <command> --help` says.
Exit codes: 0 done, 1 failed, 2 not understood."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a throw-away server with made-up companies, people and tickets
    #[command(after_help = "Examples:\n  secondline demo\n  secondline demo --listen 127.0.0.1:9000")]
    Demo(DemoArgs),
    /// Run the server
    #[command(after_help = "Examples:\n  secondline serve\n  secondline serve --data-dir /var/lib/secondline \
        --time-zone Europe/Berlin\n  DATABASE_URL=postgres://secondline@db/secondline SECONDLINE_LISTEN=0.0.0.0:8080 \
        \\\n    SECONDLINE_SMTP_URL=smtp+starttls://robot@mail.example.org \\\n    \
        SECONDLINE_SMTP_PASSWORD_FILE=/run/secrets/smtp secondline serve")]
    Serve(Box<Config>),
    /// Bring the database's schema up to date
    #[command(after_help = "Example:\n  DATABASE_URL=postgres://secondline@db/secondline secondline migrate")]
    Migrate(Common),
    /// Print the GraphQL schema
    #[command(after_help = "Example:\n  secondline schema > schema.graphql")]
    Schema(LogConfig),
    /// Members of staff
    #[command(subcommand)]
    Person(PersonCommand),
    /// Clients' contacts
    #[command(subcommand)]
    Contact(ContactCommand),
    /// People and contacts together
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// SLA clocks
    #[command(subcommand)]
    Sla(SlaCommand),
    /// Working calendars
    #[command(subcommand)]
    Calendar(CalendarCommand),
    /// Mails that wait, left or failed
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Back everything up on SQLite while the server runs, or verify a backup
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Restore a backup where no server runs
    #[command(after_help = backup::RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once
    #[command(after_help = "Examples:\n  secondline token create --person ada@example.org --name laptop\n  \
        secondline token create --contact ana@acme.example --name dashboard --expires-in-days 90\n  \
        secondline token create --integration 'ClickUp sync' --scope tickets:read --scope tickets:write")]
    Create(TokenArgs),
    /// List all tokens, without their secrets
    List(Common),
    /// Revoke a token
    #[command(after_help = "Example:\n  secondline token revoke access_token_0199f3c27b1e7c3f8a4d5e6f7a8b9c0d")]
    Revoke {
        /// Which token, as `secondline token list` shows it
        #[arg(value_parser = id::<AccessTokenId>)]
        id: AccessTokenId,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub enum SlaCommand {
    /// Look once for clocks that reached an alert level, and tell people
    Scan(Common),
    /// Make clocks again from their history, and say what differs from what is stored
    #[command(
        after_help = "Ends with 1 where a clock has drifted.\n\nExample:\n  secondline sla verify --ticket L2-123"
    )]
    Verify {
        /// Only those of this ticket
        #[arg(long, value_name = "KEY")]
        ticket: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub enum CalendarCommand {
    /// Add the public holidays of an iCalendar file to a calendar; running clocks follow
    #[command(
        after_help = "Holidays that the calendar has already stay as they are, so that a file can be imported again.\n\n\
        Examples:\n  secondline calendar import-holidays default holidays.ics --dry-run\n  \
        secondline calendar import-holidays 'Office Berlin' berlin.ics --years 2026..2028"
    )]
    ImportHolidays(HolidayArgs),
}

#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// List mails, oldest first
    #[command(after_help = "Example:\n  secondline outbox list --state failed")]
    List {
        /// Only those in this state: queued, sent, failed or cancelled
        #[arg(long, value_parser = notice_state)]
        state: Option<NoticeState>,
        /// So many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Queue failed mails again, to the addresses that their recipients have now
    #[command(after_help = "Examples:\n  secondline outbox retry --since 2026-06-01T09:00:00Z\n  \
        secondline outbox retry --recipient ana@acme.example\n  \
        secondline outbox retry notice_0199f3c27b1e7c3f8a4d5e6f7a8b9c0d")]
    Retry(RetryArgs),
}

#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    which: RetryWhich,
    #[command(flatten)]
    common: Common,
}

/// Which failed mails.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct RetryWhich {
    /// Which mail, as `secondline outbox list` shows it
    #[arg(value_parser = id::<NoticeId>)]
    id: Option<NoticeId>,
    /// All that failed
    #[arg(long)]
    all: bool,
    /// Those that were given up at this instant or later
    #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
    since: Option<DateTime<Utc>>,
    /// Those to this address
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print who changed what, as JSON lines, the oldest first
    #[command(after_help = "Examples:\n  secondline audit export > audit.jsonl\n  \
        secondline audit export --from 2026-06-01T00:00:00Z --to 2026-07-01T00:00:00Z")]
    Export {
        /// At this instant or later
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        from: Option<DateTime<Utc>>,
        /// Before this instant
        #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
        to: Option<DateTime<Utc>>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration of `serve` and print it, without secrets
    Check(Box<Config>),
}

/// What every command on a database needs.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to listen, as ADDRESS:PORT; port 0 takes any free one
    #[arg(long, env = "SECONDLINE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub log: LogConfig,
}

#[derive(Debug, Args)]
pub struct HolidayArgs {
    /// The calendar's name, or its id
    pub calendar: String,
    /// The file; - reads standard input
    #[arg(value_name = "FILE.ics")]
    pub file: PathBuf,
    /// The years whose holidays are added, at most ten [default: this one and the next two]
    #[arg(long, value_name = "FROM..TO", value_parser = years)]
    pub years: Option<(i32, i32)>,
    /// From when on they hold, which may be over [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
    pub effective_at: Option<DateTime<Utc>>,
    /// Only tell what would be added
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// Where several companies have a contact with this address: which one
    #[arg(long, value_name = "ID", conflicts_with = "person", value_parser = id::<CompanyId>)]
    pub company: Option<CompanyId>,
    /// What it is for, to be recognised in lists; an integration's is its own name
    #[arg(long, required_unless_present = "integration", conflicts_with = "integration")]
    pub name: Option<String>,
    /// What it is restricted to: tickets:read, tickets:write, comments:write, directory:read, directory:write, notices:read,
    /// audit:read or admin; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "contact", value_parser = scope)]
    pub scopes: Vec<Scope>,
    /// When it ends [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub expires_in_days: Option<u32>,
    #[command(flatten)]
    pub common: Common,
}

/// Whose token it is: exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct OwnerArgs {
    /// The mail address of a member of staff
    #[arg(long, value_name = "EMAIL")]
    pub person: Option<String>,
    /// The mail address of a client's contact
    #[arg(long, value_name = "EMAIL")]
    pub contact: Option<String>,
    /// The name of a program, which then has no rights but its scopes
    #[arg(long, value_name = "NAME", requires = "scopes")]
    pub integration: Option<String>,
}

impl Command {
    /// How the command logs.
    pub const fn log(&self) -> &LogConfig {
        match self {
            Self::Serve(config) | Self::Config(ConfigCommand::Check(config)) => &config.log,
            Self::Demo(DemoArgs { log, .. }) | Self::Schema(log) => log,
            Self::Backup(arguments) => arguments.log(),
            Self::Restore(arguments) => arguments.log(),
            Self::Person(command) => &command.common().log,
            Self::Contact(command) => &command.common().log,
            Self::Migrate(common)
            | Self::Directory(DirectoryCommand::Check(common))
            | Self::Token(
                TokenCommand::Create(TokenArgs { common, .. })
                | TokenCommand::List(common)
                | TokenCommand::Revoke { common, .. },
            )
            | Self::Audit(AuditCommand::Export { common, .. })
            | Self::Calendar(CalendarCommand::ImportHolidays(HolidayArgs { common, .. }))
            | Self::Sla(SlaCommand::Scan(common) | SlaCommand::Verify { common, .. })
            | Self::Outbox(OutboxCommand::List { common, .. } | OutboxCommand::Retry(RetryArgs { common, .. })) => {
                &common.log
            }
        }
    }

    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Demo(arguments) => demo::run(arguments).await,
            Self::Serve(config) => serve::run(&config).await,
            Self::Migrate(common) => operations::migrate(&common).await,
            Self::Schema(_) => print::text(&secondline::graphql::sdl()),
            Self::Person(command) => command.run().await,
            Self::Contact(command) => command.run().await,
            Self::Directory(DirectoryCommand::Check(common)) => directory::check(&common).await,
            Self::Token(TokenCommand::Create(arguments)) => access::create_token(arguments).await,
            Self::Token(TokenCommand::List(common)) => access::list_tokens(&common).await,
            Self::Token(TokenCommand::Revoke { id, common }) => access::revoke_token(id, &common).await,
            Self::Sla(SlaCommand::Scan(common)) => operations::sla_scan(&common).await,
            Self::Sla(SlaCommand::Verify { ticket, common }) => {
                operations::sla_verify(ticket.as_deref(), &common).await
            }
            Self::Calendar(CalendarCommand::ImportHolidays(arguments)) => holidays::import(arguments).await,
            Self::Outbox(OutboxCommand::List { state, limit, common }) => {
                operations::list_outbox(state, limit, &common).await
            }
            Self::Outbox(OutboxCommand::Retry(arguments)) => operations::retry(arguments).await,
            Self::Audit(AuditCommand::Export { from, to, common }) => operations::export_audit(from, to, &common).await,
            Self::Backup(arguments) => arguments.run().await,
            Self::Restore(arguments) => backup::restore(&arguments).await,
            Self::Config(ConfigCommand::Check(config)) => operations::check_config(&config),
        }
    }
}

impl Common {
    /// The use cases, over a database whose schema is this version's.
    async fn service(&self) -> anyhow::Result<Service> {
        let url = self.database.url().map_err(|problem| ConfigError(vec![problem]))?;
        let db = app::open_current(&url, self.database.database_connections).await?;
        Ok(Service::new(db, Clock::System, Vec::new()))
    }
}

/// Refuses environment variables that look like settings but are none: most likely they are misspelt.
pub fn refuse_unknown_settings() -> Result<(), String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown: Vec<_> = names.filter(|name| !is_setting(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!("no setting is named {}; `secondline serve --help` shows all of them", unknown.join(" or ")))
}

/// Whether it is one of our settings, or nothing that could be meant as one.
fn is_setting(name: &str) -> bool {
    !name.starts_with(ENVIRONMENT_PREFIX)
        || NOT_SETTINGS.iter().any(|prefix| name.starts_with(prefix))
        || settings(&Cli::command()).contains(name)
}

fn settings(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env).filter_map(|name| name.to_str());
    let mut all: BTreeSet<String> = own.map(str::to_owned).collect();
    all.extend(command.get_subcommands().flat_map(settings));
    all
}

fn id<Id: std::str::FromStr>(text: &str) -> Result<Id, String> {
    text.trim().parse().map_err(|_| "not such an id; the lists show the ids in full".to_owned())
}

fn team(text: &str) -> Result<Team, String> {
    Team::parse(&text.replace(['-', ' '], "_"))
        .ok_or_else(|| "must be operations, qa, project-manager or tech".to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::all().find(|scope| scope.label().eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
        let scopes: Vec<_> = Scope::all().map(Scope::label).collect();
        format!("must be one of {}", scopes.join(", "))
    })
}

fn years(text: &str) -> Result<(i32, i32), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let years = from.trim().parse().ok().zip(to.trim().parse().ok());
    years.ok_or_else(|| "must be a year, or the first and the last one: 2026..2028".to_owned())
}

fn notice_state(text: &str) -> Result<NoticeState, String> {
    NoticeState::parse(text).ok_or_else(|| "must be queued, sent, failed or cancelled".to_owned())
}

/// How to reach the same database again, as options to repeat.
fn same_database(database: &DatabaseConfig) -> String {
    let default = Config::in_folder(PathBuf::from("data")).database.data_dir;
    let is_named = database.database_url.is_some() || database.database_url_file.is_some();
    if is_named || database.data_dir == default {
        return String::new();
    }
    format!(" --data-dir {}", print::quoted(&database.data_dir.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn misspelt_settings_are_noticed_and_foreign_ones_let_pass() {
        for name in ["SECONDLINE_LISTEN", "SECONDLINE_SMTP_URL", "SECONDLINE_TEST_POSTGRES_URL", "DATABASE_URL", "PATH"]
        {
            assert!(is_setting(name), "{name}");
        }
        assert!(is_setting("SECONDLINE_PORT_8080_TCP_ADDR") && is_setting("SECONDLINE_SERVICE_HOST"));
        assert!(!is_setting("SECONDLINE_LISTNE"));
    }

    #[test]
    fn teams_are_read_in_several_spellings() {
        for text in ["project-manager", "PROJECT_MANAGER", "Project Manager"] {
            assert_eq!(team(text), Ok(Team::ProjectManager));
        }
        assert!(team("sales").is_err());
    }

    #[test]
    fn years_are_one_or_the_first_and_the_last() {
        assert_eq!(years("2026..2028"), Ok((2026, 2028)));
        assert_eq!(years("2026"), Ok((2026, 2026)));
        for text in ["", "2026..", "..2028", "next", "2026-2028"] {
            assert!(years(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_belongs_to_exactly_one() {
        let parse = |arguments: &str| Cli::try_parse_from(arguments.split(' ')).is_ok();
        assert!(parse("secondline token create --name x --person a@b"));
        assert!(parse("secondline token create --name x --contact a@b"));
        assert!(!parse("secondline token create --name x"));
        assert!(!parse("secondline token create --name x --person a@b --contact a@b"));
        assert!(!parse(
            "secondline token create --name x --person a@b --company company_0199f3c27b1e7c3f8a4d5e6f7a8b9c0d"
        ));
    }

    #[test]
    fn every_command_has_examples_or_no_arguments_of_its_own() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("secondline demo") && help.contains("Exit codes"));
    }
}
