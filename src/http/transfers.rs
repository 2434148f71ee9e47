//! How many files are uploaded and downloaded at once.
//!
//! Each needs an open file and some memory for as long as its client likes to take. Whoever uploads is known by the address that
//! they were given; whoever downloads is known only by where they are.

use std::{net::IpAddr, time::Duration};

use tokio::time::timeout;
use uuid::Uuid;

use super::{
    answer::{self, Code, ErrorAnswer},
    turns::{Turn, Turns},
};

/// Files that are open at once.
pub(super) const FILES: usize = UPLOADS + DOWNLOADS;
const UPLOADS: usize = 32;
const DOWNLOADS: usize = 64;
/// A front end that uploads several screenshots at once has them uploaded one after the other.
const UPLOADS_OF_CALLER: usize = 1;
const UPLOADS_OF_ADDRESS: usize = 4;
/// A browser asks for six pictures at once; several people may be behind one address.
const DOWNLOADS_OF_ADDRESS: usize = 16;
/// Those who go on, and those who wait.
const IN_LINE: usize = 8;
/// The same, of an address.
const IN_LINE_OF_ADDRESS: usize = 64;
/// The same, of everybody.
const IN_LINE_OF_ALL: usize = 256;
/// Most files take a second.
const TURN_WITHIN: Duration = Duration::from_secs(30);

/// Counts files on their way.
#[derive(Clone, Debug)]
pub struct TransferLimiter {
    callers: Turns<Option<Uuid>>,
    uploading: Turns<Option<IpAddr>>,
    uploads: Turns<()>,
    downloading: Turns<Option<IpAddr>>,
    downloads: Turns<()>,
}

/// An upload on its way.
#[derive(Debug)]
pub(super) struct UploadPermit {
    _turns: (Turn<Option<Uuid>>, Turn<Option<IpAddr>>, Turn<()>),
}

/// A download on its way.
#[derive(Debug)]
pub(super) struct DownloadPermit {
    _turns: (Turn<Option<IpAddr>>, Turn<()>),
}

impl Default for TransferLimiter {
    fn default() -> Self {
        Self {
            callers: Turns::new(UPLOADS_OF_CALLER, IN_LINE),
            uploading: Turns::new(UPLOADS_OF_ADDRESS, IN_LINE_OF_ADDRESS),
            uploads: Turns::new(UPLOADS, IN_LINE_OF_ALL),
            downloading: Turns::new(DOWNLOADS_OF_ADDRESS, IN_LINE_OF_ADDRESS),
            downloads: Turns::new(DOWNLOADS, IN_LINE_OF_ALL),
        }
    }
}

impl TransferLimiter {
    /// Waits until this caller may upload a file from this address.
    pub(super) async fn upload(
        &self,
        caller: Option<Uuid>,
        address: Option<IpAddr>,
    ) -> Result<UploadPermit, ErrorAnswer> {
        let turns = async {
            // The own line first, so that nobody who waits in it keeps others of the address from theirs.
            Some((self.callers.wait(caller).await?, self.uploading.wait(address).await?, self.uploads.wait(()).await?))
        };
        let turns = timeout(TURN_WITHIN, turns).await.ok().flatten();
        turns.map(|turns| UploadPermit { _turns: turns }).ok_or_else(too_many)
    }

    /// Waits until a file may be downloaded from this address.
    pub(super) async fn download(&self, address: Option<IpAddr>) -> Result<DownloadPermit, ErrorAnswer> {
        let turns = async { Some((self.downloading.wait(address).await?, self.downloads.wait(()).await?)) };
        let turns = timeout(TURN_WITHIN, turns).await.ok().flatten();
        turns.map(|turns| DownloadPermit { _turns: turns }).ok_or_else(too_many)
    }
}

fn too_many() -> ErrorAnswer {
    answer::error(Code::TooMany, "too many files are on their way; send or ask for one after the other")
}
