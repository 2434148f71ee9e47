//! Removing what nothing refers to any more: files that were removed, uploads that never came, and what dead processes left.
//!
//! Two ways lead there. A file that was removed, or never came, has a row that says so: its object goes first, then the row. Where a
//! process died in between, or before a row named its object, only a list of the store tells. A list cannot tell our objects from
//! those of another database that was given the same folder or bucket, such as a copy of this one on somebody's desk; therefore
//! a store belongs to one database, which it names, and no other one removes what it does not know.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{id::AttachmentId, vocab::AttachmentState};
use futures_util::{StreamExt, TryStreamExt};

use crate::{
    delivery::attachments::{AttachmentStore, Owner, StoredObject},
    service::{Result, Service, attachments::pending_name},
    store,
};

/// An upload that began in time may end so much later.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// Files forgotten in one run.
const SWEPT_AT_ONCE: u64 = 500;
/// No upload takes longer, at the slowest that is taken.
const STALE_AFTER: TimeDelta = TimeDelta::hours(24);
/// Objects whose rows are asked for at once.
const BATCH: usize = 500;
/// Orphans removed in one run: more wait for the next one.
const ORPHANS_AT_ONCE: usize = 5_000;
/// Where the objects of files are.
const FILES: &str = "files/";
/// Where clients' own uploads to a bucket wait for their check.
const UPLOADS: &str = "uploads/";

/// What a purge of the attachment store did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeReport {
    /// Objects that no row named.
    pub orphans: usize,
    /// Parts of uploads whose process died.
    pub unfinished: usize,
}

/// What a list of the store came to.
#[derive(Default)]
struct Listed {
    orphans: Vec<String>,
    /// Objects whose rows are there.
    known: usize,
    /// Objects whose rows are not.
    unknown: usize,
}

impl Service {
    /// Removes the bytes of uploads that never came and of files that were removed; answers how many. None while a backup is taken.
    pub async fn sweep_attachments(&self) -> Result<usize> {
        let attachments = self.attachments()?;
        let Some(_permit) = attachments.store.permit_removal()? else { return Ok(0) };
        let before = self.clock.now() - GRACE;
        let unkept = store::attachments::unkept(&self.db, before, SWEPT_AT_ONCE).await?;
        for row in &unkept {
            attachments.store.remove(&pending_name(row)).await?;
            if let Some(object) = &row.object {
                attachments.store.remove(object).await?;
            }
            store::attachments::forget(&self.db, row.id).await?;
        }
        Ok(unkept.len())
    }

    /// Removes objects that no row names, and what is left of uploads whose process died, after a day. Nothing while a backup is
    /// taken, and no orphans of a store that belongs to another database.
    pub async fn purge_orphans(&self) -> Result<PurgeReport> {
        let store = &self.attachments()?.store;
        let Some(_permit) = store.permit_removal()? else { return Ok(PurgeReport::default()) };
        let before = self.clock.now() - STALE_AFTER;
        let unfinished = store.remove_unfinished(before).await?;
        let listed = self.listed(store, before).await?;
        let mut report = PurgeReport { orphans: 0, unfinished };
        if self.owns(store, &listed).await? {
            for orphan in &listed.orphans {
                store.remove(orphan).await?;
                report.orphans += 1;
            }
        } else if listed.unknown > 0 {
            tracing::warn!(
                attachments.unknown = listed.unknown,
                attachments.known = listed.known,
                "the place for attachments has files that this database does not know, and belongs to another one; they \
                 stay: if no other server uses it, remove the object `owner` there, see docs/operate/backup.md"
            );
        }
        Ok(report)
    }

    async fn listed(&self, store: &AttachmentStore, before: DateTime<Utc>) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut batches = store.list().await?.try_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| error.1)?;
            self.sort_out(&batch, before, &mut listed).await?;
            if listed.orphans.len() >= ORPHANS_AT_ONCE {
                break;
            }
        }
        Ok(listed)
    }

    async fn sort_out(&self, objects: &[StoredObject], before: DateTime<Utc>, listed: &mut Listed) -> Result<()> {
        // What is not named as ours is not ours.
        let ours: Vec<_> = objects.iter().filter_map(|object| Some((id_in(&object.name)?, object))).collect();
        let ids: Vec<_> = ours.iter().map(|(id, _)| *id).collect();
        let rows = store::attachments::objects_of(&self.db, &ids).await?;
        let rows: HashMap<_, _> = rows.into_iter().map(|(id, state, object)| (id, (state, object))).collect();
        for (id, object) in ours {
            let is_orphan = match rows.get(&id) {
                None => {
                    listed.unknown += 1;
                    true
                }
                Some((state, kept)) => {
                    listed.known += 1;
                    // The row of a file that is there names one object; another attempt's, and the original of a copy, are left.
                    *state == AttachmentState::Ready && kept.as_deref() != Some(object.name.as_str())
                }
            };
            if is_orphan && object.written_at < before {
                listed.orphans.push(object.name.clone());
            }
        }
        Ok(())
    }

    /// Returns true if the store belongs to this database. One that belongs to nobody does from now on, unless most of what is
    /// in it is unknown.
    async fn owns(&self, store: &AttachmentStore, listed: &Listed) -> Result<bool> {
        let secret = store::attachments::owner(&self.db, self.clock.new_uuid().simple().to_string(), self.clock.now());
        // A copy of the database has the same secret, and another place.
        let caller = format!("{} {}", secret.await?, self.db.place());
        let owner = match store.owner(&caller).await? {
            Owner::Nobody if listed.unknown <= listed.known => store.claim(&caller).await?,
            owner => owner,
        };
        Ok(owner == Owner::Caller)
    }
}

/// The file that an object is of, by its name.
fn id_in(name: &str) -> Option<AttachmentId> {
    match name.strip_prefix(FILES) {
        Some(rest) => rest.split_once('-')?.0.parse().ok(),
        None => name.strip_prefix(UPLOADS)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_have_an_id() {
        let id = "attachment_0199f3c27b1e7c3f8a4d5e6f7a8b9c0d";
        assert!(id_in(&format!("files/{id}-0a1b")).is_some() && id_in(&format!("uploads/{id}")).is_some());
        for name in ["files/a-b", "files", "uploads/x", "owner", id, &format!("files/{id}"), &format!("else/{id}")] {
            assert!(id_in(name).is_none(), "{name}");
        }
    }
}
