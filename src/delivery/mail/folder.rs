//! Mails as files: one `.eml` each, for trying the product without a mail server.
//!
//! May import its parent's errors and `private_files`. Example: `var/mail/0198…@support.example.org.eml`, which every mail program opens.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io, time::SystemTime};

use chrono::{DateTime, Utc};

use super::SendError;
use crate::private_files;

/// The ending of what is not finished.
const UNFINISHED: &str = ".part";

/// A folder that takes mails.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Stores a message under its id: a retry overwrites, and no half-written file ever bears the name.
    pub(super) async fn store(&self, message_id: &str, message: Vec<u8>) -> Result<(), SendError> {
        let (folder, message_id) = (self.path.clone(), message_id.to_owned());
        let written = tokio::task::spawn_blocking(move || write(&folder, &message_id, &message)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SendError::Transient(format!("the mail folder cannot be written: {error}"))),
            Err(error) => Err(SendError::Transient(format!("writing to the mail folder was cut short: {error}"))),
        }
    }
}

impl Folder {
    /// Removes files that were not finished and last written before an instant; answers how many.
    pub(super) async fn remove_unfinished(&self, before: DateTime<Utc>) -> usize {
        let (folder, before) = (self.path.clone(), SystemTime::from(before));
        let remove = move || {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let is_unfinished = |entry: &fs::DirEntry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with('.') && name.ends_with(UNFINISHED)
            };
            let is_old =
                |entry: &fs::DirEntry| entry.metadata().and_then(|file| file.modified()).is_ok_and(|at| at < before);
            let old = entries.filter(|entry| is_unfinished(entry) && is_old(entry));
            old.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
        };
        tokio::task::spawn_blocking(remove).await.unwrap_or_default()
    }
}

/// Writes under a temporary name, then renames.
fn write(folder: &Path, message_id: &str, message: &[u8]) -> io::Result<()> {
    private_files::make_folder(folder)?;
    let unfinished = folder.join(format!(".{message_id}{UNFINISHED}"));
    let mut file = private_files::create(&unfinished)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(unfinished, folder.join(format!("{message_id}.eml")))?;
    // The name must be on the disk, too, before anybody says that the mail was sent.
    fs::File::open(folder)?.sync_all()
}
