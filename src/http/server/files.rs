//! How many connections the file descriptors of the process allow.
//!
//! Each connection needs one. Once there are none left the database, mail and files fail too, so some are kept for them.

use rustix::process::{Resource, getrlimit, setrlimit};

use super::limiter::SPARE;

/// More than this needs more memory than a server of this kind is given.
const MOST: u64 = 65_536;
/// The log, the listener, the runtime, mail and providers on their way.
const OWN: usize = 64;
/// Attached files that are written and read at once.
const TRANSFERRED: usize = crate::http::transfers::FILES;
/// A SQLite connection has its file, its log and, now and then, a temporary file open.
const OF_DATABASE_CONNECTION: usize = 3;
/// Where the limit leaves hardly anything, so many connections are accepted all the same.
const FEWEST: usize = 16;

/// Raises the process's own limit as far as it may, and returns how many connections it leaves.
pub(super) fn capacity(database_connections: usize) -> usize {
    let mut limits = getrlimit(Resource::Nofile);
    let allowed = limits.maximum.unwrap_or(MOST).min(MOST);
    if limits.current.is_some_and(|current| current < allowed) {
        let raised = rustix::process::Rlimit { current: Some(allowed), ..limits };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limits = raised;
        }
    }
    let files = usize::try_from(limits.current.unwrap_or(MOST).min(MOST)).unwrap_or_default();
    let kept = reserve(database_connections);
    let connections = files.saturating_sub(kept).max(FEWEST);
    tracing::info!(http.connections = connections, files.limit = files, files.kept = kept, "connections are limited");
    if files < kept + FEWEST {
        tracing::warn!(files.limit = files, "the process may open very few files; raise its limit (`ulimit -n`)");
    }
    connections
}

fn reserve(database_connections: usize) -> usize {
    OWN + TRANSFERRED + SPARE + OF_DATABASE_CONNECTION * database_connections
}
