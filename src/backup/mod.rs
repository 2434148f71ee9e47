//! Backups of a deployment on SQLite: taken while its server runs, verified, restored.
//!
//! May import: `store`, `private_files`, `clock`, and of `delivery` how objects are named in a folder. A backup is a folder with
//! one state of the database, the attached files that it names, the mails that were written as files, and a manifest with the
//! checksum of each. The database comes first: an attached file
//! is there before its row says so, and is removed an hour after its row went, or later ([`take()`] keeps the purge out). Everything
//! is written under another name and renamed at the end, so that what bears the name of a backup is one. Example:
//! `take(&storage, &Clock::System, Path::new("/backups/monday"))`, then `verify` there, and `restore` on another machine.

mod files;
mod manifest;
mod restore;
mod take;
mod verify;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::{
    manifest::{FileEntry, Manifest},
    restore::{Restored, restore},
    take::{Taken, take},
    verify::{Verification, verify},
};
use crate::store::StoreError;

/// The database in a backup.
const DATABASE: &str = "secondline.db";
/// The folder of attached files in a backup.
const ATTACHMENTS: &str = "attachments";
/// The folder of mails in a backup.
const MAILS: &str = "mail";

/// Where a deployment keeps its data.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Which database.
    pub database_url: String,
    /// Where attached files are.
    pub attachments: Attachments,
    /// The folder of mails that are written as files; it may not be there.
    pub mails: PathBuf,
}

/// Where attached files are.
#[derive(Clone, Debug)]
pub enum Attachments {
    /// In a folder, which may not be there.
    Folder(PathBuf),
    /// In a bucket of this URL, without secrets; buckets are backed up by other means.
    Bucket(String),
}

/// Why a backup was not taken, or is none, or was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is not a file.
    #[error(
        "this is for SQLite; back PostgreSQL up with pg_dump and copy the attached files afterwards: see \
         docs/operate/backup.md"
    )]
    NotSqlite,
    /// There is nothing to back up.
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    /// Backups are not overwritten.
    #[error("{} is there already; name a folder that is not", .0.display())]
    Exists(PathBuf),
    /// Another process writes there.
    #[error("another backup is being written to {}", .0.display())]
    Busy(PathBuf),
    /// A server, or another restore, uses the database.
    #[error("{} is in use; stop the server first", .0.display())]
    InUse(PathBuf),
    /// A restore would hide data.
    #[error("{} is there already; move it away, or have it kept under another name with --force", .0.display())]
    Occupied(PathBuf),
    /// It has files that a bucket does not take.
    #[error("the backup has attached files, which go into a folder: restore it without --attachment-url")]
    NeedsFolder,
    /// It is no backup.
    #[error("{} is no backup: it has no manifest.json that can be read", .0.display())]
    NoManifest(PathBuf, #[source] io::Error),
    /// A newer version took it.
    #[error("a newer version of Secondline, {0}, took this backup; use that version")]
    Newer(String),
    /// It was changed since it was taken.
    #[error("the backup is damaged:\n  {}", .0.join("\n  "))]
    Damaged(Vec<String>),
    /// It would fill the disk, which may be that of the server.
    #[error("the backup needs {needed} bytes, and {} has room for {free}", .folder.display())]
    NoRoom {
        /// Where it was to be written.
        folder: PathBuf,
        /// In bytes, at least.
        needed: u64,
        /// In bytes.
        free: u64,
    },
    /// A file or folder cannot be used.
    #[error("{} cannot be used", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The database cannot be copied or read.
    #[error("the database cannot be copied")]
    Database(#[from] StoreError),
    /// The work was cut short.
    #[error("the work was cut short")]
    Cut(#[from] tokio::task::JoinError),
}

type Result<T, E = BackupError> = std::result::Result<T, E>;

/// Says which file an error is about.
fn about(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    |source| BackupError::File { path: path.to_owned(), source }
}

/// Refuses what there is no room for.
fn require_room(folder: &Path, needed: u64) -> Result<()> {
    let free = files::free_space(folder).map_err(about(folder))?;
    if needed <= free {
        return Ok(());
    }
    Err(BackupError::NoRoom { folder: folder.to_owned(), needed, free })
}

/// The folder that holds a path.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(require_room(folder.path(), 0).is_ok());
        let refused = require_room(folder.path(), u64::MAX).unwrap_err();
        assert!(refused.to_string().contains("needs 18446744073709551615 bytes"), "{refused}");
    }
}
