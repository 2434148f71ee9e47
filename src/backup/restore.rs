//! Restoring a backup where nothing is, or beside what is there.
//!
//! Everything is copied under other names first, and then renamed, the database last: without it nothing else is looked at.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ATTACHMENTS, Attachments, BackupError, DATABASE, MAILS, Manifest, Result, Storage, about, files, parent, verify,
};
use crate::{
    clock::Clock,
    private_files::{self, Sharing},
    store::{
        self, StoreError,
        connection::{self, SchemaState, sqlite_url, with_ending},
    },
};

/// Where files wait for their names; left by a process that was killed, and removed by the next restore.
const STAGED: &str = ".restoring";
/// What is kept of what was there before has this in its name.
const BEFORE: &str = ".before-restore-";
/// At the root of many file systems, and nobody's data.
const LOST_AND_FOUND: &str = "lost+found";

/// A backup that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Attached files that its database names and that were not there when it was taken.
    pub missing: Vec<String>,
    /// Under which names what was there before is kept.
    pub kept: Vec<PathBuf>,
}

/// Verifies a backup and restores it. With `force`, what is there is kept under other names; without, it hinders.
///
/// # Errors
/// When the backup is damaged, a server runs on the database, or something is there already; then nothing was changed.
pub async fn restore(backup: &Path, storage: &Storage, force: bool, clock: &Clock) -> Result<Restored> {
    let database = connection::sqlite_file(&storage.database_url).ok_or(BackupError::NotSqlite)?;
    let verified = verify(backup).await?;
    if verified.schema == Some(SchemaState::Newer) {
        return Err(BackupError::Newer(verified.manifest.version));
    }
    if !verified.damage.is_empty() {
        return Err(BackupError::Damaged(verified.damage));
    }
    let lock = connection::lock(&storage.database_url, Sharing::Exclusive).map_err(about(&database))?;
    let lock = lock.ok_or_else(|| BackupError::InUse(database.clone()))?;
    let mut folders = vec![(MAILS, storage.mails.clone())];
    match (&storage.attachments, &verified.manifest.bucket) {
        (Attachments::Folder(folder), None) => folders.push((ATTACHMENTS, folder.clone())),
        (Attachments::Bucket(_), None) => return Err(BackupError::NeedsFolder),
        (_, Some(_)) => {}
    }
    let files = connection::files(&storage.database_url);
    if !force {
        vacant(&files, &folders)?;
    }
    let (backup, manifest) = (backup.to_owned(), verified.manifest);
    let staged = with_ending(&database, STAGED);
    let stage = {
        let staged = staged.clone();
        move || {
            stage_database(&backup, &manifest, &staged)?;
            for (name, folder) in &folders {
                stage_folder(&backup, &manifest, name, folder)?;
            }
            Ok::<_, BackupError>((manifest, folders))
        }
    };
    let (manifest, folders) = tokio::task::spawn_blocking(stage).await??;
    disown(&staged).await?;
    write_back(&storage.database_url).await;
    let stamp = format!("{BEFORE}{}", clock.now().format("%Y%m%dT%H%M%SZ"));
    let publish = move || {
        let mut kept = set_database_aside(&database, &stamp)?;
        for (_, folder) in &folders {
            kept.extend(publish_folder(folder, &stamp)?);
        }
        fs::File::open(&staged).and_then(|file| file.sync_all()).map_err(about(&staged))?;
        fs::rename(&staged, &database).map_err(about(&database))?;
        let folder = parent(&database);
        files::sync_folder(folder).map_err(about(folder))?;
        drop(lock);
        Ok::<_, BackupError>(kept)
    };
    let kept = tokio::task::spawn_blocking(publish).await??;
    Ok(Restored { manifest, missing: verified.missing, kept })
}

/// Refuses to restore where something is.
fn vacant(files: &[PathBuf], folders: &[(&str, PathBuf)]) -> Result<()> {
    if let Some(file) = files.iter().find(|file| file.symlink_metadata().is_ok()) {
        return Err(BackupError::Occupied(file.clone()));
    }
    for (_, folder) in folders {
        if !contents(folder)?.is_empty() {
            return Err(BackupError::Occupied(folder.clone()));
        }
    }
    Ok(())
}

/// The names in a folder of data, without what restores and file systems put there.
fn contents(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(about(folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(about(folder))?.file_name();
        let text = name.to_string_lossy();
        if text != STAGED && text != LOST_AND_FOUND && !text.starts_with(BEFORE) {
            found.push(folder.join(&name));
        }
    }
    Ok(found)
}

fn stage_database(backup: &Path, manifest: &Manifest, staged: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let leftover = with_ending(staged, ending);
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(about(&leftover)(error)),
            _ => {}
        }
    }
    copy_checked(backup, manifest, DATABASE, staged)
}

/// Copies a folder of the backup to where renaming is enough: into the folder itself, which may be a mount point.
fn stage_folder(backup: &Path, manifest: &Manifest, name: &str, folder: &Path) -> Result<()> {
    let staged = folder.join(STAGED);
    match fs::remove_dir_all(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(about(&staged)(error)),
        _ => {}
    }
    private_files::make_folder(&staged).map_err(about(&staged))?;
    let prefix = format!("{name}/");
    for entry in &manifest.files {
        let Some(path) = entry.path.strip_prefix(&prefix) else { continue };
        let to = files::within(&staged, path).ok_or_else(|| BackupError::Damaged(vec![entry.path.clone()]))?;
        private_files::make_folder(parent(&to)).map_err(about(parent(&to)))?;
        copy_checked(backup, manifest, &entry.path, &to)?;
    }
    for file in files::files_in(&staged).map_err(about(&staged))? {
        let folder = parent(&staged.join(&file)).to_owned();
        files::sync_folder(&folder).map_err(about(&folder))?;
    }
    files::sync_folder(&staged).map_err(about(&staged))
}

/// Copies a file of the backup; what is read must be what was verified.
fn copy_checked(backup: &Path, manifest: &Manifest, path: &str, to: &Path) -> Result<()> {
    let from = backup.join(path);
    let copied = files::copy(&from, to).map_err(about(&from))?;
    if manifest.files.iter().any(|entry| entry.path == path && entry.is(&copied)) {
        return Ok(());
    }
    Err(BackupError::Damaged(vec![format!("{path}: changed while it was restored")]))
}

/// A restored database does not own the bucket of the one that it is a copy of, which may go on being used.
async fn disown(staged: &Path) -> Result<()> {
    let db = connection::open(&sqlite_url(staged), 1).await?;
    store::attachments::forget_owner(&db).await?;
    db.close().await.map_err(StoreError::from)?;
    // The last connection has written its log back and removed it.
    let log = with_ending(staged, "-wal");
    if log.exists() {
        return Err(about(&log)(io::Error::other("SQLite has left it")));
    }
    Ok(())
}

/// Has SQLite write the log of the old database back, so that it is one file; where it cannot, the log is kept, too.
async fn write_back(url: &str) {
    if connection::exists(url)
        && let Ok(db) = connection::open(url, 1).await
    {
        let _ = db.close().await;
    }
}

/// First of all, so that no server begins on the old database with new files.
fn set_database_aside(database: &Path, stamp: &str) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    let aside = with_ending(database, stamp);
    // The database before its log: without it SQLite would take the database for whole.
    for ending in ["", "-wal", "-shm"] {
        let (from, to) = (with_ending(database, ending), with_ending(&aside, ending));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => {
                renamed.map_err(about(&from))?;
                kept.push(to);
            }
        }
    }
    Ok(kept)
}

/// Gives the files in a folder their names, and what was there before another one.
fn publish_folder(folder: &Path, stamp: &str) -> Result<Option<PathBuf>> {
    let old = contents(folder)?;
    let aside = folder.join(stamp);
    if !old.is_empty() {
        private_files::make_folder(&aside).map_err(about(&aside))?;
    }
    let move_into = |path: &Path, to: &Path| {
        let to = to.join(path.file_name().unwrap_or_default());
        fs::rename(path, to).map_err(about(path))
    };
    for path in &old {
        move_into(path, &aside)?;
    }
    let staged = folder.join(STAGED);
    for path in contents(&staged)? {
        move_into(&path, folder)?;
    }
    fs::remove_dir(&staged).map_err(about(&staged))?;
    files::sync_folder(folder).map_err(about(folder))?;
    Ok((!old.is_empty()).then_some(aside))
}
