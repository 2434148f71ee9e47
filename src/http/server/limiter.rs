//! How many connections there may be, and whose place a new one takes once there are as many.
//!
//! A connection is an address's until a request on it comes with a valid token, and then that caller's. An address may have half
//! of the places for those who are not known yet. When all are taken, a new connection takes the place of an idle one of whoever
//! has the most, and where none is idle, of one whose requests come from nobody known, if its address has more than the new
//! one's. So whoever opens many connections loses them to whoever opens few. A proxy brings everybody's connections: then there
//! is no bound for an address, and only idle ones make room.
//!
//! A few places are kept beyond all that, for whoever watches the server: requests on them are answered only if they ask for its
//! health. The others hear there that the server is full, which a closed connection would not tell them.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    WARN_EVERY,
    activity::{Activity, FIRST_HEAD_WITHIN},
};
use crate::graphql::admission::network;

/// Connections of those who are not known yet: each may keep the head of a request, which is read into memory.
const UNKNOWN: usize = 1024;
/// Connections of one caller: more than they may have streams, since they need some for requests too.
const OF_CALLER: usize = 128;
/// Connections beyond all others, which may ask for the server's health.
pub(super) const SPARE: usize = 16;
/// Of which one address may have so many.
const SPARE_OF_ADDRESS: usize = 4;
/// Who asks for the server's health does so at once, and others shall have the place soon.
const SPARE_HEAD_WITHIN: Duration = Duration::from_secs(2);
/// Connections that were displaced and are not closed yet. They need file descriptors as long.
const CLOSING: usize = 32;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of everybody.
    in_all: usize,
    /// Of those who are not known.
    unknown: usize,
    /// Of one address.
    of_address: usize,
    /// Whether addresses say nothing of who asks.
    behind_proxy: bool,
}

impl Limits {
    pub(super) fn new(in_all: usize, behind_proxy: bool) -> Self {
        if behind_proxy {
            return Self { in_all, unknown: in_all, of_address: in_all, behind_proxy };
        }
        let unknown = in_all.min(UNKNOWN);
        Self { in_all, unknown, of_address: (unknown / 2).max(1), behind_proxy }
    }
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// Of somebody at this address; of IPv6, the network of one customer.
    Address(IpAddr),
    /// Of a caller with a token.
    Caller(Uuid),
}

/// Counts the connections of a server.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLimiter {
    limits: Limits,
    table: Arc<Mutex<Table>>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit(ConnectionHandle);

/// What requests know of their connection. It does not keep the connection's place.
#[derive(Clone, Debug)]
pub(in crate::http) struct ConnectionHandle {
    id: u64,
    network: IpAddr,
    is_spare: bool,
    limiter: ConnectionLimiter,
    activity: Arc<Activity>,
}

#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    connections: HashMap<u64, Connection>,
    /// How many connections each has.
    owners: HashMap<Owner, usize>,
    /// How many of all are of addresses.
    unknown: usize,
    /// How many each address has beyond those.
    spare: HashMap<IpAddr, usize>,
    /// Connections that have lost their place and are not closed yet.
    closing: usize,
    warned_at: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    owner: Owner,
    activity: Arc<Activity>,
}

/// Whose connection may be displaced in favour of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Among {
    /// Only one of the same owner.
    Own,
    /// One of somebody who is not known.
    Unknown,
    /// Anybody's.
    All,
}

impl ConnectionLimiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, table: Arc::default() }
    }

    /// Gives a new connection from an address its place; `None` where there is none, not even a spare one.
    pub(super) fn admit(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let network = network(address);
        let owner = Owner::Address(network);
        let Limits { in_all, unknown, of_address, behind_proxy } = self.limits;
        let mut table = self.table();
        let has_place = if table.count(owner) >= of_address {
            table.displace(owner, Among::Own, behind_proxy)
        } else if table.unknown >= unknown && unknown < in_all {
            table.displace(owner, Among::Unknown, behind_proxy)
        } else {
            table.connections.len() < in_all || table.displace(owner, Among::All, behind_proxy)
        };
        if !has_place {
            table.warn();
            table.take_spare(network)?;
        }
        let is_spare = !has_place;
        let first_head_within = if is_spare { SPARE_HEAD_WITHIN } else { FIRST_HEAD_WITHIN };
        let (id, activity) = (table.next_id, Arc::new(Activity::new(first_head_within)));
        table.next_id += 1;
        if has_place {
            table.insert(id, Connection { owner, activity: Arc::clone(&activity) });
        }
        Some(ConnectionPermit(ConnectionHandle { id, network, is_spare, limiter: self.clone(), activity }))
    }

    /// Ends an idle connection, where there is one, since the system itself has no room for a new one.
    pub(super) fn shrink(&self) {
        let nobody = Owner::Caller(Uuid::nil());
        self.table().displace(nobody, Among::All, true);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn count(&self, owner: Owner) -> usize {
        self.owners.get(&owner).copied().unwrap_or_default()
    }

    fn insert(&mut self, id: u64, connection: Connection) {
        *self.owners.entry(connection.owner).or_default() += 1;
        self.unknown += usize::from(connection.owner.is_address());
        self.connections.insert(id, connection);
    }

    fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        release(&mut self.owners, connection.owner);
        self.unknown -= usize::from(connection.owner.is_address());
        Some(connection)
    }

    /// Ends a connection in favour of a new one of this owner; false where there is none to end.
    fn displace(&mut self, newcomer: Owner, among: Among, only_idle: bool) -> bool {
        // Whoever floods its own places leaves others some that close.
        if self.closing >= if among == Among::Own { CLOSING / 2 } else { CLOSING } {
            return false;
        }
        let has = self.count(newcomer);
        let mut idle = None;
        let mut busy = None;
        for (id, connection) in &self.connections {
            let owner = connection.owner;
            let count = self.count(owner);
            let may = match among {
                Among::Own => owner == newcomer,
                Among::Unknown => owner.is_address(),
                Among::All => true,
            };
            let (phase, since) = connection.activity.phase();
            let rank = (count, Reverse(since), *id);
            if may && phase.is_idle() && (owner == newcomer || count > has) {
                idle = idle.max(Some(rank));
            } else if may && !phase.is_idle() && owner.is_address() && count > has + 1 {
                busy = busy.max(Some(rank));
            }
        }
        let Some((.., id)) = idle.or(busy.filter(|_| !only_idle)) else { return false };
        if let Some(connection) = self.remove(id) {
            connection.activity.displace();
            self.closing += 1;
        }
        true
    }

    fn take_spare(&mut self, network: IpAddr) -> Option<()> {
        let of_all: usize = self.spare.values().sum();
        let of_address = self.spare.get(&network).copied().unwrap_or_default();
        (of_all < SPARE && of_address < SPARE_OF_ADDRESS).then(|| *self.spare.entry(network).or_default() += 1)
    }

    fn warn(&mut self) {
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            let count = self.connections.len();
            tracing::warn!(
                http.connections = count,
                "connections are refused: there are too many, or too many of one address"
            );
        }
    }
}

impl Owner {
    const fn is_address(self) -> bool {
        matches!(self, Self::Address(_))
    }
}

impl ConnectionPermit {
    pub(super) fn handle(&self) -> ConnectionHandle {
        self.0.clone()
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.0.activity
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let ConnectionHandle { id, network, is_spare, limiter, .. } = &self.0;
        let mut table = limiter.table();
        if *is_spare {
            release(&mut table.spare, *network);
        } else if table.remove(*id).is_none() {
            table.closing -= 1;
        }
    }
}

impl ConnectionHandle {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Whether the connection is one too many, and only to be told about the server's health.
    pub(in crate::http) fn is_spare(&self) -> bool {
        self.is_spare
    }

    /// Notes who sends the requests: from now on it is that caller's connection.
    pub(in crate::http) fn identify(&self, caller: Uuid) {
        self.activity.identify();
        let owner = Owner::Caller(caller);
        let mut table = self.limiter.table();
        let is_other = table.connections.get(&self.id).is_some_and(|connection| connection.owner != owner);
        if self.limiter.limits.behind_proxy || !is_other {
            return;
        }
        if let Some(connection) = table.remove(self.id) {
            table.insert(self.id, Connection { owner, ..connection });
        }
        if table.count(owner) > OF_CALLER {
            table.displace(owner, Among::Own, true);
        }
    }

    /// A whole message has come over the WebSocket.
    pub(in crate::http) fn end_message(&self) {
        self.activity.end_message();
    }

    /// Ends once another connection is given the place of this one.
    pub(in crate::http) async fn displaced(&self) {
        self.activity.displaced().await;
    }
}

/// Counts one less; what has none is forgotten.
fn release<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
