//! What a store has that nothing refers to: listing it, whose it is to remove, and what dead processes left.

use std::{fs, io, path::Path as FilePath, time::SystemTime};

use chrono::{DateTime, Utc};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::{AttachmentError, AttachmentStore};
use crate::private_files::{Lock, Sharing};

/// The object that says which database the store belongs to.
const OWNER: &str = "owner";
/// How a slash in the name of an object is spelt where it is kept: objects lie beside each other.
const SLASH: &str = "%2F";

/// An object of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name, as the store's other functions take it.
    pub name: String,
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

/// Whose a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The one who asks.
    Caller,
    /// Somebody else.
    Other,
    /// Nobody has said so yet.
    Nobody,
}

/// Nothing is removed while a backup is taken; released when it is dropped.
#[derive(Debug)]
pub struct RemovalPermit {
    _lock: Option<Lock>,
}

impl AttachmentStore {
    /// Lets the caller remove objects; `None` while a backup of the folder is taken, whose database may name them. Whoever backs up
    /// a bucket has its versions kept.
    pub fn permit_removal(&self) -> Result<Option<RemovalPermit>, AttachmentError> {
        let Some(folder) = &self.folder else { return Ok(Some(RemovalPermit { _lock: None })) };
        Ok(match Lock::attempt(folder, Sharing::Exclusive) {
            Ok(lock) => lock.map(|lock| RemovalPermit { _lock: Some(lock) }),
            // Some network file systems lock no folder. What is removed was not needed for an hour.
            Err(_) => Some(RemovalPermit { _lock: None }),
        })
    }

    /// All objects, and whatever else is there.
    pub async fn list(&self) -> Result<BoxStream<'static, Result<StoredObject, AttachmentError>>, AttachmentError> {
        if let Some(folder) = self.folder.clone() {
            // The crate's own list fails at a folder within this one that it may not read, such as lost+found.
            let list = tokio::task::spawn_blocking(move || files_in(&folder)).await.map_err(failed)?;
            let found = list.map_err(failed)?.into_iter().filter(|(name, _)| !is_unfinished(name));
            let named = found.map(|(name, at)| Ok(StoredObject { name: object_name(&name), written_at: at.into() }));
            return Ok(stream::iter(named).boxed());
        }
        let named = self.objects.list(Some(&self.prefix)).map_ok(|object| StoredObject {
            name: object_name(object.location.filename().unwrap_or_default()),
            written_at: object.last_modified,
        });
        Ok(named.map_err(AttachmentError::from).boxed())
    }

    /// Whose the store is.
    pub async fn owner(&self, caller: &str) -> Result<Owner, AttachmentError> {
        match self.objects.get(&self.path(OWNER)).await {
            Ok(said) => {
                Ok(if said.bytes().await?.as_ref() == caller.as_bytes() { Owner::Caller } else { Owner::Other })
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Owner::Nobody),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the caller the owner of a store that has none.
    pub async fn claim(&self, caller: &str) -> Result<Owner, AttachmentError> {
        let only_first = PutOptions::from(PutMode::Create);
        let put = self.objects.put_opts(&self.path(OWNER), PutPayload::from(caller.to_owned()), only_first).await;
        match put {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => self.owner(caller).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what processes that died have left of uploads into the folder, where it was last written before an instant; answers
    /// how many. A bucket does not list uploads that were begun: a rule of its own must end them.
    pub async fn remove_unfinished(&self, before: DateTime<Utc>) -> Result<usize, AttachmentError> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let remove = move || remove_unfinished_in(&folder, before.into());
        tokio::task::spawn_blocking(remove).await.map_err(failed)?.map_err(failed)
    }
}

/// The file in the folder of a store that has an object.
pub fn file_name(object: &str) -> String {
    object.replace('/', SLASH)
}

fn object_name(file: &str) -> String {
    file.replace(SLASH, "/")
}

/// The files in a folder, but for those in folders within, with when they were written.
fn files_in(folder: &FilePath) -> io::Result<Vec<(String, SystemTime)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(about) if about.is_file() => {
                found.push((entry.file_name().to_string_lossy().into_owned(), about.modified()?));
            }
            // A folder, or something that was removed at this moment.
            _ => {}
        }
    }
    Ok(found)
}

fn remove_unfinished_in(folder: &FilePath, before: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for (name, at) in files_in(folder)? {
        if is_unfinished(&name) && at < before {
            fs::remove_file(folder.join(name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Returns true for the names that the store of a folder gives what it has not finished: `object#1`.
fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> AttachmentError {
    AttachmentError::Store(object_store::Error::Generic { store: "attachments", source: Box::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let store = AttachmentStore::folder(folder.path()).unwrap();
        assert_eq!(store.owner("one").await.unwrap(), Owner::Nobody);
        assert_eq!(store.claim("one").await.unwrap(), Owner::Caller);
        assert_eq!(store.claim("other").await.unwrap(), Owner::Other);
        assert_eq!(
            (store.owner("one").await.unwrap(), store.owner("other").await.unwrap()),
            (Owner::Caller, Owner::Other)
        );
    }

    #[test]
    fn unfinished_names_end_in_a_number() {
        assert!(is_unfinished("attachment_1-a#1") && is_unfinished("a#12"));
        assert!(!["a", "a#", "a#b", "a#1b"].into_iter().any(is_unfinished));
    }
}
