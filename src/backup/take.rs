//! Taking a backup while the server runs.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ATTACHMENTS, Attachments, BackupError, DATABASE, FileEntry, MAILS, Manifest, Result, Storage, about, files, parent,
    require_room,
};
use crate::{
    clock::Clock,
    delivery::attachments::file_name,
    private_files::{self, Lock, Sharing},
    store::{self, connection, connection::copying},
};

/// The ending of a mail in the folder of mails; what has another one is still being written.
const MAIL_ENDING: &str = "eml";

/// A backup that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Attached files that the database names and that are not where they should be, or are not as long as they should be.
    pub missing: Vec<String>,
    /// How many attached files are in a bucket, and not in the backup.
    pub in_bucket: usize,
}

/// Takes a backup into a folder that is not there yet.
///
/// A process that is killed meanwhile leaves a folder with another name, which the next backup of that name removes.
///
/// # Errors
/// When the folder is there, the database is not SQLite, or something cannot be read or written; then nothing is left.
pub async fn take(storage: &Storage, clock: &Clock, backup: &Path) -> Result<Taken> {
    let database = connection::sqlite_file(&storage.database_url).ok_or(BackupError::NotSqlite)?;
    if !database.exists() {
        return Err(BackupError::NoDatabase(database));
    }
    let partial = Partial::begin(backup)?;
    require_room(&partial.folder, sizes(&connection::files(&storage.database_url)))?;
    // From before the database is copied until all files are: what was removed in the meantime is still there.
    let purge_waits = keep_purge_out(&storage.attachments).await?;
    let taken_at = clock.now();
    let copy = partial.folder.join(DATABASE);
    copying::copy(&storage.database_url, &copy).await?;
    let db = copying::open(&copy).await?;
    let schema = copying::last_migration(&db).await?;
    let objects = store::attachments::ready_objects(&db).await?;
    db.close().await.map_err(store::StoreError::from)?;
    let storage = storage.clone();
    let collect = move || {
        let mut collected = Collected::default();
        collected.database(&partial.folder)?;
        let (bucket, in_bucket) = match &storage.attachments {
            Attachments::Folder(folder) => {
                require_room(&partial.folder, objects.iter().map(|(_, size)| size).sum())?;
                collected.attachments(folder, &objects, &partial.folder)?;
                (None, 0)
            }
            Attachments::Bucket(url) => (Some(url.clone()), objects.len()),
        };
        collected.mails(&storage.mails, &partial.folder)?;
        for folder in &collected.folders {
            files::sync_folder(folder).map_err(about(folder))?;
        }
        let manifest = Manifest::new(schema, taken_at, bucket, collected.files);
        partial.publish(&manifest)?;
        drop(purge_waits);
        Ok(Taken { manifest, missing: collected.missing, in_bucket })
    };
    tokio::task::spawn_blocking(collect).await?
}

/// The bytes of some files, without those that are not there.
fn sizes(files: &[PathBuf]) -> u64 {
    files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// The purge of attached files takes this lock alone.
async fn keep_purge_out(attachments: &Attachments) -> Result<Option<Lock>> {
    let Attachments::Folder(folder) = attachments else { return Ok(None) };
    if !folder.exists() {
        return Ok(None);
    }
    let folder = folder.clone();
    // A network file system that locks no folder does not hinder a backup: removed files stay for an hour anyway.
    Ok(tokio::task::spawn_blocking(move || Lock::wait_for_shared(&folder).ok()).await?)
}

/// What was copied so far.
#[derive(Default)]
struct Collected {
    files: Vec<FileEntry>,
    folders: BTreeSet<PathBuf>,
    missing: Vec<String>,
}

impl Collected {
    /// The database is there already, and must be on the disk.
    fn database(&mut self, to: &Path) -> Result<()> {
        let path = to.join(DATABASE);
        let sync = || fs::File::open(&path)?.sync_all();
        let found = sync().and_then(|()| files::fingerprint(&path)).map_err(about(&path))?;
        self.files.push(FileEntry::new(DATABASE.to_owned(), found));
        Ok(())
    }

    /// A file that is missing does not hinder a backup of everything else.
    fn attachments(&mut self, from: &Path, objects: &[(String, u64)], to: &Path) -> Result<()> {
        for (object, size) in objects {
            let name = file_name(object);
            let path = format!("{ATTACHMENTS}/{name}");
            let (Some(source), Some(copy)) = (files::within(from, &name), files::within(to, &path)) else {
                self.missing.push(object.clone());
                continue;
            };
            if fs::metadata(&source).is_ok_and(|found| found.is_file() && found.len() == *size) {
                self.file(&source, path, &copy)?;
            } else {
                self.missing.push(object.clone());
            }
        }
        Ok(())
    }

    fn mails(&mut self, from: &Path, to: &Path) -> Result<()> {
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(about(from))?,
        };
        for entry in entries {
            let mail = entry.map_err(about(from))?.path();
            let name = mail.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if mail.extension().is_some_and(|ending| ending == MAIL_ENDING) && !name.starts_with('.') {
                let copy = to.join(MAILS).join(&name);
                match self.file(&mail, format!("{MAILS}/{name}"), &copy) {
                    // Somebody removed it meanwhile, as one may.
                    Err(BackupError::File { path, source })
                        if path == mail && source.kind() == io::ErrorKind::NotFound => {}
                    copied => copied?,
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, path: String, to: &Path) -> Result<()> {
        let mut folder = parent(to);
        private_files::make_folder(folder).map_err(about(folder))?;
        let copied = files::copy(from, to).map_err(about(from))?;
        self.files.push(FileEntry::new(path, copied));
        // Each folder on the way is an entry of the one above it.
        while self.folders.insert(folder.to_owned()) {
            folder = parent(folder);
        }
        Ok(())
    }
}

/// A backup that is being written, under a name that nobody takes for one; removed where it is dropped.
struct Partial {
    folder: PathBuf,
    backup: PathBuf,
    /// Tells other processes that this is not the leftover of one that was killed.
    _lock: Option<Lock>,
}

impl Partial {
    fn begin(backup: &Path) -> Result<Self> {
        let name = backup.file_name().ok_or_else(|| BackupError::Exists(backup.to_owned()))?;
        if backup.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(backup.to_owned()));
        }
        let folder = parent(backup);
        private_files::make_folder(folder).map_err(about(folder))?;
        let mut partial = OsString::from(".");
        partial.push(name);
        partial.push(".partial");
        let folder = folder.join(partial);
        private_files::make_folder(&folder).map_err(about(&folder))?;
        let lock = match Lock::attempt(&folder, Sharing::Exclusive) {
            Ok(None) => return Err(BackupError::Busy(backup.to_owned())),
            Ok(lock) => lock,
            // Some network file systems lock no folder.
            Err(_) => None,
        };
        let partial = Self { folder, backup: backup.to_owned(), _lock: lock };
        partial.clear().map_err(about(&partial.folder))?;
        Ok(partial)
    }

    /// Removes what a process that was killed has left.
    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Gives the backup its name, once everything is on the disk.
    fn publish(self, manifest: &Manifest) -> Result<()> {
        manifest.write(&self.folder)?;
        files::sync_folder(&self.folder).map_err(about(&self.folder))?;
        if self.backup.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(self.backup.clone()));
        }
        fs::rename(&self.folder, &self.backup).map_err(about(&self.backup))?;
        let folder = parent(&self.backup);
        files::sync_folder(folder).map_err(about(folder))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Not there any more once it was published.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
