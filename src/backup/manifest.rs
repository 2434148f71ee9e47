//! What a backup says of itself: `manifest.json`, written last.

use std::{fs, io, io::Write, path::Path};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BackupError, Result, about, files::Fingerprint};
use crate::private_files;

/// The name of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// How backups are laid out; raised when an older version could not restore a newer one's.
const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// How the backup is laid out.
    pub format: u32,
    /// The version of Secondline that took it.
    pub version: String,
    /// The last migration of its database.
    pub schema: String,
    /// What was stored before this instant is in it.
    pub taken_at: DateTime<Utc>,
    /// The bucket that has the attached files; `None` where they are in the backup.
    pub bucket: Option<String>,
    /// All other files of the backup.
    pub files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path in the backup, with `/` between the parts.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The part of a manifest that every version can read.
#[derive(Deserialize)]
struct Head {
    format: u32,
    version: String,
}

impl FileEntry {
    pub(super) fn new(path: String, Fingerprint { size, sha256 }: Fingerprint) -> Self {
        Self { path, size, sha256 }
    }

    pub(super) fn is(&self, found: &Fingerprint) -> bool {
        (self.size, &self.sha256) == (found.size, &found.sha256)
    }
}

impl Manifest {
    pub(super) fn new(schema: String, taken_at: DateTime<Utc>, bucket: Option<String>, files: Vec<FileEntry>) -> Self {
        Self { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned(), schema, taken_at, bucket, files }
    }

    /// Reads the manifest of a backup.
    pub(super) fn read(backup: &Path) -> Result<Self> {
        let none = |error| BackupError::NoManifest(backup.to_owned(), error);
        let text = fs::read(backup.join(MANIFEST)).map_err(none)?;
        let head: Head = serde_json::from_slice(&text).map_err(|error| none(io::Error::other(error)))?;
        if head.format > FORMAT {
            return Err(BackupError::Newer(head.version));
        }
        serde_json::from_slice(&text).map_err(|error| none(io::Error::other(error)))
    }

    /// Writes the manifest of a backup, and has it on the disk.
    pub(super) fn write(&self, backup: &Path) -> Result<()> {
        let path = backup.join(MANIFEST);
        let write = || {
            let mut file = private_files::create(&path)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(about(&path))
    }
}
