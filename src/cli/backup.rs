//! Backups: taking one beside the running server, verifying it, restoring it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use secondline::{
    app,
    backup::{self, Attachments, Manifest, Storage},
    clock::Clock,
    config::{Config, DatabaseConfig, LogConfig, hide_passwords},
    domain::actor::Actor,
    service::Service,
    store::connection::{self, SchemaState, copying},
};
use url::Url;

use crate::cli::{Common, print};

/// Shown by `secondline backup --help`.
pub(super) const BACKUP_EXAMPLES: &str = "\
The folder must not be there yet; it appears once the backup is whole. It has what the API stores, with secrets: keep it private.
Configuration, the secrets in it, and attached files in a bucket are backed up by other means.

Examples:
  secondline backup /backups/2026-06-01
  secondline backup --data-dir /var/lib/secondline /backups/2026-06-01
  secondline backup verify /backups/2026-06-01
  pg_dump … && rsync … && secondline backup record";

/// Shown by `secondline restore --help`.
pub(super) const RESTORE_EXAMPLES: &str = "\
The backup is verified first. Mails that were sent after it was taken wait in it once more.

Examples:
  secondline restore --data-dir /var/lib/secondline /backups/2026-06-01
  secondline restore --data-dir /var/lib/secondline --force /backups/2026-06-01    # keeps what is there under other names";

/// So many problems are printed; more say nothing more.
const MOST_PROBLEMS: usize = 100;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BackupArgs {
    /// The folder to make
    #[arg(value_name = "DIR", required = true)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    storage: StorageArgs,
    #[command(subcommand)]
    command: Option<BackupCommand>,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    /// Look whether a backup is whole: checksums, the database, attached files, the clocks' history
    #[command(after_help = "Ends with 1 where it is not.\n\nExample:\n  secondline backup verify /backups/2026-06-01")]
    Verify {
        /// The backup
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[command(flatten)]
        log: LogConfig,
    },
    /// Note that a backup was taken by other means, such as pg_dump, for /readyz to tell
    Record(Common),
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Keep what is there under other names instead of refusing
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Where a deployment keeps its data, as `serve` is told.
#[derive(Debug, Args)]
struct StorageArgs {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    log: LogConfig,
    /// The folder for mails as .eml files [default: DATA_DIR/mail]
    #[arg(long, env = "SECONDLINE_MAIL_DIR", value_name = "FOLDER")]
    mail_dir: Option<PathBuf>,
    /// The folder for attached files [default: DATA_DIR/attachments]
    #[arg(long, env = "SECONDLINE_ATTACHMENT_DIR", value_name = "FOLDER")]
    attachment_dir: Option<PathBuf>,
    /// A bucket for attached files instead, as s3://BUCKET/PREFIX, which is backed up by other means
    #[arg(long, env = "SECONDLINE_ATTACHMENT_URL", value_name = "URL", hide_env_values = true)]
    attachment_url: Option<Url>,
}

impl BackupArgs {
    /// How the command logs.
    pub const fn log(&self) -> &LogConfig {
        match &self.command {
            Some(BackupCommand::Verify { log, .. }) => log,
            Some(BackupCommand::Record(common)) => &common.log,
            None => &self.storage.log,
        }
    }

    /// Does it.
    pub async fn run(self) -> Result<()> {
        match (self.command, self.dir) {
            (Some(BackupCommand::Verify { dir, .. }), _) => verify(&dir).await,
            (Some(BackupCommand::Record(common)), _) => record(&common).await,
            (None, dir) => take(&dir.unwrap_or_default(), &self.storage).await,
        }
    }
}

impl RestoreArgs {
    /// How the command logs.
    pub const fn log(&self) -> &LogConfig {
        &self.storage.log
    }
}

impl StorageArgs {
    fn storage(&self) -> Result<Storage> {
        let mut config = Config::in_folder(self.database.data_dir.clone());
        config.database = self.database.clone();
        config.mail.mail_dir.clone_from(&self.mail_dir);
        config.attachments.attachment_dir.clone_from(&self.attachment_dir);
        config.attachments.attachment_url.clone_from(&self.attachment_url);
        let database_url = config.check()?.database_url;
        let attachments = match &config.attachments.attachment_url {
            Some(url) => Attachments::Bucket(hide_passwords(url.as_str())),
            None => Attachments::Folder(config.attachment_dir()),
        };
        Ok(Storage { database_url, attachments, mails: config.mail_dir() })
    }
}

async fn take(dir: &Path, arguments: &StorageArgs) -> Result<()> {
    let storage = arguments.storage()?;
    let taken = backup::take(&storage, &Clock::System, dir).await?;
    print::text(&summary(dir, &taken.manifest))?;
    for object in &taken.missing {
        print::note(&format!("warning: the attached file {object} is not where it should be, and not in the backup"))?;
    }
    if let Some(bucket) = &taken.manifest.bucket {
        print::note(&format!(
            "warning: {} attached files are in {bucket} and not in the backup; see docs/operate/backup.md",
            taken.in_bucket
        ))?;
    }
    // The backup is there, whether or not this can be noted: the disk of the database may be full.
    if let Err(error) = note(&storage.database_url, &taken.manifest).await {
        print::note(&format!("warning: /readyz does not know of this backup: {error:#}"))?;
    }
    Ok(())
}

async fn note(url: &str, manifest: &Manifest) -> Result<()> {
    let service = Service::new(app::open_current(url, 2).await?, Clock::System, Vec::new());
    let noted = service.record_backup(manifest.taken_at).await;
    service.close().await;
    Ok(noted?)
}

async fn record(common: &Common) -> Result<()> {
    let service = common.service().await?;
    let now = service.clock().now();
    let noted = service.record_backup(now).await;
    service.close().await;
    noted?;
    print::note("It is noted that a backup was taken now.")
}

async fn verify(dir: &Path) -> Result<()> {
    let verified = backup::verify(dir).await?;
    let mut problems = verified.damage;
    let missing = verified.missing.iter();
    problems.extend(missing.map(|object| format!("{object}: the database names this attached file, which is missing")));
    let clocks = match verified.schema {
        // A damaged database says nothing about clocks.
        _ if !problems.is_empty() => "not verified".to_owned(),
        Some(SchemaState::Current | SchemaState::NewerCompatible) => clocks(dir, &mut problems).await?,
        Some(SchemaState::Old) => "an older version made them: `secondline sla verify` once it is restored".to_owned(),
        Some(SchemaState::Newer) | None => "a newer version made them: verify with that one".to_owned(),
    };
    let summary = summary(dir, &verified.manifest);
    let bucket = verified.manifest.bucket.map(|bucket| format!("\nattached files: in {bucket}, not verified"));
    print::text(&format!("{summary}\nclocks:         {clocks}{}", bucket.unwrap_or_default()))?;
    for problem in problems.iter().take(MOST_PROBLEMS) {
        print::note(problem)?;
    }
    ensure!(problems.is_empty(), "the backup is not whole: {} problems", problems.len());
    Ok(())
}

/// Makes the clocks again from their history.
async fn clocks(dir: &Path, problems: &mut Vec<String>) -> Result<String> {
    let db = copying::open(&dir.join("secondline.db")).await?;
    let service = Service::new(db, Clock::System, Vec::new());
    let report = service.verify_clocks(&Actor::System, None).await;
    service.close().await;
    let report = report?;
    for drift in &report.drifts {
        problems.extend(drift.differences.iter().map(|difference| format!("L2-{}: {difference}", drift.number)));
    }
    Ok(format!("of {} tickets verified, {} drifted", report.verified, report.drifts.len()))
}

/// Restores a backup.
pub(super) async fn restore(arguments: &RestoreArgs) -> Result<()> {
    let storage = arguments.storage.storage()?;
    let restored = backup::restore(&arguments.dir, &storage, arguments.force, &Clock::System).await?;
    print::text(&summary(&arguments.dir, &restored.manifest))?;
    for kept in &restored.kept {
        print::note(&format!("What was there before is kept as {}", kept.display()))?;
    }
    for object in &restored.missing {
        print::note(&format!("warning: the attached file {object} was missing when the backup was taken"))?;
    }
    if let Some(bucket) = &restored.manifest.bucket {
        print::note(&format!("The attached files are in {bucket}: start the server with --attachment-url"))?;
    }
    let file = connection::sqlite_file(&storage.database_url).context("SQLite is a file")?;
    print::note(&format!(
        "The backup was restored to {}. Mails that were sent since wait in it once more: look at `secondline outbox \
         list --state queued` before you start the server.",
        file.display()
    ))
}

fn summary(dir: &Path, manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    format!(
        "backup:         {}\ntaken at:       {}\nversion:        {} ({})\nfiles:          {}\nbytes:          {bytes}",
        dir.display(),
        manifest.taken_at.format("%Y-%m-%d %H:%M:%SZ"),
        manifest.version,
        manifest.schema,
        manifest.files.len(),
    )
}
