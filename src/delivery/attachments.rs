//! Where attachments' bytes are kept: a folder, or a bucket that speaks S3; and the signatures of their addresses.
//!
//! May import: object_store, hmac, `private_files`. Knows names of objects, not tickets. Example: `store.receive(name, bytes, …)` writes while
//! it reads, and what was not finished is not there.

mod housekeeping;

use std::{
    fmt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use hmac::{Hmac, KeyInit, Mac};
use object_store::{
    ObjectStore, ObjectStoreExt, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path,
    signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer},
};
use sha2::Sha256;
use url::Url;

pub use self::housekeeping::{Owner, RemovalPermit, StoredObject, file_name};
use crate::private_files;

/// Parts on their way at once: enough to keep a link busy.
const PARTS_AT_ONCE: usize = 4;
/// The parts of a file on this machine: each upload keeps a few of them in memory.
const PART: usize = 64 * 1024;
/// The parts of an object: buckets take no smaller ones.
const PART_OF_BUCKET: usize = 5 * 1024 * 1024;

/// Where attachments' bytes are kept.
#[derive(Clone, Debug)]
pub struct AttachmentStore {
    objects: Arc<dyn ObjectStore>,
    /// Lets clients upload by themselves; a folder cannot.
    bucket: Option<Arc<AmazonS3>>,
    /// Where the objects are, if in a folder.
    folder: Option<PathBuf>,
    prefix: Path,
}

/// Why bytes could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// There is no such object.
    #[error("the object is not there")]
    Missing,
    /// More bytes came than were announced, or fewer.
    #[error("the file is not as long as it was announced")]
    WrongSize,
    /// Its first bytes are of another type.
    #[error("the file is not of the announced type")]
    WrongType,
    /// The client went away, or sends nonsense.
    #[error("the upload was interrupted")]
    Interrupted,
    /// The folder or bucket does not work.
    #[error("the attachment store failed")]
    Store(#[source] object_store::Error),
}

impl From<object_store::Error> for AttachmentError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Store(error),
        }
    }
}

/// Whether the first bytes of a file are of the right type.
pub type FirstBytesCheck = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What an upload must be.
pub struct Expected {
    /// In bytes.
    pub size: u64,
    /// How many bytes the check wants to see.
    pub first_bytes: usize,
    /// Whether the first bytes are of the right type.
    pub agrees: FirstBytesCheck,
}

impl AttachmentStore {
    /// Keeps bytes in a folder, which is made where it is missing.
    pub fn folder(folder: &FilePath) -> Result<Self, AttachmentError> {
        let failed = |error| object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) };
        // The store's own folders and files have the modes that it gives them: they are reached through this one.
        private_files::make_folder(folder).map_err(failed)?;
        // What was acknowledged stays, also when the power fails.
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true));
        Ok(Self { objects, bucket: None, folder: Some(folder.to_owned()), prefix: Path::default() })
    }

    /// Keeps bytes in a bucket: `s3://bucket/prefix`, with the usual `AWS_…` variables for the rest.
    pub fn bucket(url: &Url) -> Result<Self, AttachmentError> {
        // Somebody else may have chosen one already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let name = url.host_str().unwrap_or_default();
        let bucket = Arc::new(AmazonS3Builder::from_env().with_bucket_name(name).build()?);
        let prefix = Path::from_url_path(url.path()).unwrap_or_default();
        let objects = Arc::clone(&bucket) as Arc<dyn ObjectStore>;
        Ok(Self { objects, bucket: Some(bucket), folder: None, prefix })
    }

    /// Where a client uploads an object by itself; none where it uploads to this server.
    pub async fn presigned_put(
        &self,
        name: &str,
        content_type: &str,
        within: Duration,
    ) -> Result<Option<Url>, AttachmentError> {
        let Some(bucket) = &self.bucket else { return Ok(None) };
        let mut options = SignedUrlOptions::new();
        if let Ok(value) = HeaderValue::from_str(content_type) {
            options = options.with_signed_header(HeaderName::from_static("content-type"), value);
        }
        Ok(Some(bucket.signed_url_opts(Method::PUT, &self.path(name), within, &options).await?))
    }

    /// Writes an object while its bytes come; it is there only when all of them came and are what was expected.
    pub async fn receive<Part, Error>(
        &self,
        name: &str,
        bytes: impl Stream<Item = Result<Part, Error>>,
        expected: &Expected,
    ) -> Result<(), AttachmentError>
    where
        Part: AsRef<[u8]>,
    {
        let part = if self.bucket.is_some() { PART_OF_BUCKET } else { PART };
        let upload = self.objects.put_multipart(&self.path(name)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, part);
        match copy(bytes, &mut writer, expected).await {
            Ok(()) => writer.finish().await.map(drop).map_err(AttachmentError::from),
            Err(error) => {
                if let Err(failure) = writer.abort().await {
                    tracing::warn!(error = &failure as &dyn std::error::Error, "an upload could not be undone");
                }
                Err(error)
            }
        }
    }

    /// Takes over what a client uploaded by itself, if it is what was expected; the original stays, to be removed by the caller.
    pub async fn take_over(&self, from: &str, to: &str, expected: &Expected) -> Result<(), AttachmentError> {
        let (from, to) = (self.path(from), self.path(to));
        if self.objects.head(&from).await?.size != expected.size {
            return Err(AttachmentError::WrongSize);
        }
        // A copy, for the client can still write to the original; and the copy is what is checked.
        self.objects.copy(&from, &to).await?;
        let checked = self.check(&to, expected).await;
        if checked.is_err() {
            self.remove_path(&to).await?;
        }
        checked
    }

    async fn check(&self, path: &Path, expected: &Expected) -> Result<(), AttachmentError> {
        let size = self.objects.head(path).await?.size;
        if size != expected.size {
            return Err(AttachmentError::WrongSize);
        }
        let end = size.min(u64::try_from(expected.first_bytes).unwrap_or(u64::MAX));
        let first = self.objects.get_range(path, 0..end).await?;
        if (expected.agrees)(&first) { Ok(()) } else { Err(AttachmentError::WrongType) }
    }

    /// Reads an object.
    pub async fn read(
        &self,
        name: &str,
    ) -> Result<BoxStream<'static, Result<Vec<u8>, AttachmentError>>, AttachmentError> {
        let object = self.objects.get(&self.path(name)).await?;
        Ok(object.into_stream().map_ok(Vec::from).map_err(AttachmentError::from).boxed())
    }

    /// Removes an object; one that is not there is fine.
    pub async fn remove(&self, name: &str) -> Result<(), AttachmentError> {
        self.remove_path(&self.path(name)).await
    }

    async fn remove_path(&self, path: &Path) -> Result<(), AttachmentError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }
}

async fn copy<Part: AsRef<[u8]>, Error>(
    bytes: impl Stream<Item = Result<Part, Error>>,
    writer: &mut WriteMultipart,
    expected: &Expected,
) -> Result<(), AttachmentError> {
    let mut bytes = std::pin::pin!(bytes);
    let mut first: Vec<u8> = Vec::new();
    let mut is_checked = false;
    let mut size = 0_u64;
    while let Some(part) = bytes.next().await {
        let part = part.map_err(|_| AttachmentError::Interrupted)?;
        let part = part.as_ref();
        size += u64::try_from(part.len()).unwrap_or(u64::MAX);
        if size > expected.size {
            return Err(AttachmentError::WrongSize);
        }
        if !is_checked {
            first.extend_from_slice(part);
            is_checked = first.len() >= expected.first_bytes;
            if is_checked && !(expected.agrees)(&first) {
                return Err(AttachmentError::WrongType);
            }
        }
        writer.wait_for_capacity(PARTS_AT_ONCE).await?;
        writer.write(part);
    }
    if size != expected.size {
        return Err(AttachmentError::WrongSize);
    }
    if !is_checked && !(expected.agrees)(&first) {
        return Err(AttachmentError::WrongType);
    }
    Ok(())
}

/// What an address lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Upload the file.
    Upload,
    /// Download the file.
    Download,
}

/// The key that signs addresses; all replicas have the same one.
#[derive(Clone)]
pub struct AttachmentKey(Vec<u8>);

impl fmt::Debug for AttachmentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AttachmentKey(***)")
    }
}

impl AttachmentKey {
    /// The key with these bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.to_vec())
    }

    /// The signature of a grant until an instant, in seconds since 1970.
    pub fn sign(&self, grant: Grant, id: &str, expires: i64) -> String {
        self.mac(grant, id, expires)
            .map_or_else(String::new, |mac| BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Whether the signature is that of the grant; takes as long for any wrong one.
    pub fn verify(&self, grant: Grant, id: &str, expires: i64, signature: &str) -> bool {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.mac(grant, id, expires).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
    }

    fn mac(&self, grant: Grant, id: &str, expires: i64) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        let method = match grant {
            Grant::Upload => "PUT",
            Grant::Download => "GET",
        };
        mac.update(format!("{method}\n{id}\n{expires}").as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_one_grant_one_file_and_one_time() {
        let key = AttachmentKey::new(b"a key");
        let signature = key.sign(Grant::Upload, "attachment_1", 100);
        assert!(key.verify(Grant::Upload, "attachment_1", 100, &signature));
        assert!(!key.verify(Grant::Download, "attachment_1", 100, &signature));
        assert!(!key.verify(Grant::Upload, "attachment_2", 100, &signature));
        assert!(!key.verify(Grant::Upload, "attachment_1", 101, &signature));
        assert!(!AttachmentKey::new(b"b key").verify(Grant::Upload, "attachment_1", 100, &signature));
        assert!(!key.verify(Grant::Upload, "attachment_1", 100, ""));
        assert!(!format!("{key:?}").contains("97"));
    }
}
