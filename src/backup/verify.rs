//! Looking whether a backup is what it was when it was taken, and can be worked with. Writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{ATTACHMENTS, DATABASE, Manifest, Result, about, files, manifest::MANIFEST};
use crate::{
    delivery::attachments::file_name,
    store::{
        self, StoreError,
        connection::{
            SchemaState,
            copying::{self, flaws},
            schema_state,
        },
    },
};

/// What was found out about a backup.
#[derive(Clone, Debug)]
pub struct Verification {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What was changed since it was taken, or cannot be read.
    pub damage: Vec<String>,
    /// Attached files that its database names and that were not there when it was taken.
    pub missing: Vec<String>,
    /// How its schema stands to the one of this version; `None` where that cannot be read.
    pub schema: Option<SchemaState>,
}

/// Verifies a backup: each file by its checksum, the structure of its database, and that each attached file is there.
///
/// # Errors
/// When it is no backup, or a newer version took it.
pub async fn verify(backup: &Path) -> Result<Verification> {
    let backup = backup.to_owned();
    let (backup, manifest, mut damage) = tokio::task::spawn_blocking(move || {
        let manifest = Manifest::read(&backup)?;
        let damage = changed_files(&backup, &manifest)?;
        Ok::<_, super::BackupError>((backup, manifest, damage))
    })
    .await??;
    let (missing, schema) = match database(&backup.join(DATABASE), &manifest).await {
        Ok(found) => {
            damage.extend(found.flaws);
            (found.missing, Some(found.schema))
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            damage.push(format!("{DATABASE}: {error}{cause}"));
            (Vec::new(), None)
        }
    };
    Ok(Verification { manifest, damage, missing, schema })
}

fn changed_files(backup: &Path, manifest: &Manifest) -> Result<Vec<String>> {
    let mut damage = Vec::new();
    let mut known = BTreeSet::from([MANIFEST]);
    for entry in &manifest.files {
        known.insert(&entry.path);
        let found = files::within(backup, &entry.path).map(|path| files::fingerprint(&path));
        match found {
            None => damage.push(format!("{}: is outside of the backup", entry.path)),
            Some(Err(error)) => damage.push(format!("{}: {error}", entry.path)),
            Some(Ok(found)) if found.size != entry.size => {
                damage.push(format!("{}: has {} bytes and not {}", entry.path, found.size, entry.size));
            }
            Some(Ok(found)) if !entry.is(&found) => damage.push(format!("{}: its checksum is wrong", entry.path)),
            Some(Ok(_)) => {}
        }
    }
    if !known.contains(DATABASE) {
        damage.push(format!("{DATABASE}: is not in the manifest"));
    }
    let there = files::files_in(backup).map_err(about(backup))?;
    let strange = there.iter().filter(|path| !known.contains(path.as_str()));
    damage.extend(strange.map(|path| format!("{path}: is not in the manifest")));
    Ok(damage)
}

/// What was found in the database of a backup.
struct Found {
    flaws: Vec<String>,
    missing: Vec<String>,
    schema: SchemaState,
}

async fn database(copy: &Path, manifest: &Manifest) -> Result<Found, StoreError> {
    let db = copying::open(copy).await?;
    let flaws = flaws(&db).await?.into_iter().map(|flaw| format!("{DATABASE}: {flaw}")).collect();
    let schema = schema_state(&db).await?;
    let objects = store::attachments::ready_objects(&db).await?;
    db.close().await?;
    let sizes: BTreeMap<_, _> = manifest.files.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
    let is_there = |object: &str, size: u64| {
        let path = format!("{ATTACHMENTS}/{}", file_name(object));
        sizes.get(path.as_str()).is_some_and(|of| *of == size)
    };
    let missing = objects.into_iter().filter(|(object, size)| manifest.bucket.is_none() && !is_there(object, *size));
    Ok(Found { flaws, missing: missing.map(|(object, _)| object).collect(), schema })
}
