//! Documents that are sent by name: trusted ones from a folder, and those that a client registered (“automatic persisted
//! queries”).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use moka::sync::Cache;
use sha2::{Digest, Sha256};

/// Bytes of registered documents that are kept: some thousand.
const PERSISTED_BYTES: u64 = 16 * 1024 * 1024;
/// What the id of a trusted document begins with.
const PREFIX: &str = "sha256:";

/// A SHA-256.
type Hash = [u8; 32];

/// How a request names its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In full.
    Text(String),
    /// As a trusted document: `sha256:` and 64 hexadecimal digits.
    Id(String),
    /// By its hash, in hexadecimal digits, and in full where the client registers it.
    Persisted {
        /// The hash.
        hash: String,
        /// The text.
        text: Option<String>,
    },
}

impl Source {
    /// How many bytes were sent of the document.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Text(text) | Self::Persisted { text: Some(text), .. } => text.len(),
            Self::Id(_) | Self::Persisted { text: None, .. } => 0,
        }
    }
}

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// No trusted document has this id.
    UnknownId,
    /// Nobody registered this hash here, or it was forgotten.
    NotPersisted,
    /// The text is not the one of the hash.
    OtherHash,
    /// Only trusted documents are taken.
    NotTrusted,
}

/// Why a folder of trusted documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It is no map of ids to documents.
    #[error("{} is no JSON object of ids and documents", .0.display())]
    NotAMap(PathBuf, #[source] serde_json::Error),
    /// A document does not parse.
    #[error("a document in {} does not parse", .0.display())]
    Invalid(PathBuf, #[source] async_graphql::parser::Error),
}

/// The documents that can be sent by name.
#[derive(Debug)]
pub(super) struct Documents {
    trusted: HashMap<Hash, Arc<str>>,
    only_trusted: bool,
    persisted: Cache<Hash, Arc<str>>,
}

impl Documents {
    pub(super) fn new(trusted: HashMap<Hash, Arc<str>>, only_trusted: bool) -> Self {
        let weight = |_: &Hash, text: &Arc<str>| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let persisted = Cache::builder().max_capacity(PERSISTED_BYTES).weigher(weight).build();
        Self { trusted, only_trusted, persisted }
    }

    /// The text of a document.
    pub(super) fn find(&self, source: &Source) -> Result<Arc<str>, Missing> {
        match source {
            Source::Id(id) => {
                let hash = id.strip_prefix(PREFIX).and_then(read_hash).ok_or(Missing::UnknownId)?;
                self.trusted.get(&hash).cloned().ok_or(Missing::UnknownId)
            }
            Source::Text(text) => self.trusted_text(text),
            Source::Persisted { hash, text: None } => {
                let hash = read_hash(hash).ok_or(Missing::NotPersisted)?;
                let known = self.trusted.get(&hash).cloned().or_else(|| self.persisted.get(&hash));
                known.ok_or(Missing::NotPersisted)
            }
            Source::Persisted { hash, text: Some(text) } => {
                if read_hash(hash) == Some(hash_of(text)) {
                    self.trusted_text(text)
                } else {
                    Err(Missing::OtherHash)
                }
            }
        }
    }

    /// Keeps a document that a client registers, once it was found to be one that can be carried out.
    pub(super) fn keep(&self, source: &Source, text: &Arc<str>) {
        if let Source::Persisted { text: Some(_), .. } = source {
            self.persisted.insert(hash_of(text), Arc::clone(text));
        }
    }

    fn trusted_text(&self, text: &str) -> Result<Arc<str>, Missing> {
        if self.only_trusted {
            self.trusted.get(&hash_of(text)).cloned().ok_or(Missing::NotTrusted)
        } else {
            Ok(text.into())
        }
    }
}

/// Reads the trusted documents of a folder: each `*.graphql` file is one, and each `*.json` file a map whose values are
/// documents, as the compilers of front ends write it.
pub fn trusted_documents(folder: &Path) -> Result<HashMap<[u8; 32], Arc<str>>, TrustError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| TrustError::Unreadable(path, error)
    };
    let mut found = HashMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !matches!(extension, "graphql" | "gql" | "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        let texts = if extension == "json" {
            let map: HashMap<String, String> =
                serde_json::from_str(&text).map_err(|error| TrustError::NotAMap(path.clone(), error))?;
            map.into_values().collect()
        } else {
            vec![text]
        };
        for text in texts {
            async_graphql::parser::parse_query(&text).map_err(|error| TrustError::Invalid(path.clone(), error))?;
            found.insert(hash_of(&text), text.into());
        }
    }
    Ok(found)
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// The hash that 64 hexadecimal digits stand for.
fn read_hash(digits: &str) -> Option<Hash> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = Hash::default();
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{ __typename }";

    fn hex(text: &str) -> String {
        hash_of(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn text() -> Source {
        Source::Text(TEXT.to_owned())
    }

    #[test]
    fn a_registered_document_is_found_by_its_hash() {
        let documents = Documents::new(HashMap::new(), false);
        let by_hash = Source::Persisted { hash: hex(TEXT), text: None };
        assert_eq!(documents.find(&by_hash), Err(Missing::NotPersisted));
        let registering = Source::Persisted { hash: hex(TEXT), text: Some(TEXT.to_owned()) };
        let found = documents.find(&registering).unwrap();
        documents.keep(&registering, &found);
        assert_eq!(documents.find(&by_hash).as_deref(), Ok(TEXT));
        let other = Source::Persisted { hash: hex(TEXT), text: Some("{ x }".to_owned()) };
        assert_eq!(documents.find(&other), Err(Missing::OtherHash));
    }

    #[test]
    fn where_only_trusted_documents_are_taken_no_other_is() {
        let trusted = HashMap::from([(hash_of(TEXT), TEXT.into())]);
        let documents = Documents::new(trusted, true);
        for source in
            [text(), Source::Id(format!("sha256:{}", hex(TEXT))), Source::Persisted { hash: hex(TEXT), text: None }]
        {
            assert_eq!(documents.find(&source).as_deref(), Ok(TEXT), "{source:?}");
        }
        assert_eq!(documents.find(&Source::Text("{ x }".to_owned())), Err(Missing::NotTrusted));
        let registering = Source::Persisted { hash: hex("{ x }"), text: Some("{ x }".to_owned()) };
        assert_eq!(documents.find(&registering), Err(Missing::NotTrusted));
    }

    #[test]
    fn an_id_that_is_none_names_nothing() {
        let documents = Documents::new(HashMap::new(), false);
        for id in ["", "sha256:", "sha256:xyz", &format!("md5:{}", hex(TEXT)), &"ä".repeat(32)] {
            assert_eq!(documents.find(&Source::Id(id.to_owned())), Err(Missing::UnknownId), "{id}");
        }
    }

    #[test]
    fn a_folder_holds_documents_and_maps_of_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.graphql"), TEXT).unwrap();
        std::fs::write(folder.path().join("b.json"), r#"{"x": "{ process { name } }"}"#).unwrap();
        std::fs::write(folder.path().join("README"), "no document").unwrap();
        let found = trusted_documents(folder.path()).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.contains_key(&hash_of(TEXT)));
        std::fs::write(folder.path().join("c.graphql"), "{").unwrap();
        assert!(matches!(trusted_documents(folder.path()), Err(TrustError::Invalid(..))));
    }
}
