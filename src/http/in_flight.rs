//! How many bytes may be in memory for clients: bodies of requests that come in, answers that wait to be taken.
//!
//! A client that asks for large answers on many connections, and takes nothing of them, would otherwise have the server keep as
//! much as it likes. What those who are not known have in flight is bounded in all, too, and apart from what callers have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::Response,
};

use crate::graphql::admission::Principal;

const MIB: usize = 1 << 20;
/// Who waits for a client to take what it has looks so often.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How many bytes there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteLimits {
    /// Of one caller.
    caller: usize,
    /// Of all callers.
    callers: usize,
    /// Of one address of somebody who is not known.
    address: usize,
    /// Of everybody who is not known.
    unknown: usize,
}

/// Of answers: the largest ones are a few MiB long. A WebSocket keeps as much as its longest message.
pub(super) const ANSWERS: ByteLimits =
    ByteLimits { caller: 16 * MIB, callers: 256 * MIB, address: 4 * MIB, unknown: 16 * MIB };
/// Of bodies, which are read before anybody knows whose they are.
pub(super) const BODIES: ByteLimits =
    ByteLimits { caller: 2 * MIB, callers: 32 * MIB, address: 2 * MIB, unknown: 32 * MIB };

/// Counts bytes.
#[derive(Clone, Debug)]
pub struct ByteLimiter {
    limits: ByteLimits,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    principals: HashMap<Principal, usize>,
    callers: usize,
    unknown: usize,
}

/// Bytes in memory, until it is dropped.
#[derive(Debug)]
pub(super) struct BytePermit {
    limiter: ByteLimiter,
    principal: Principal,
    bytes: usize,
}

impl ByteLimiter {
    pub(super) fn new(limits: ByteLimits) -> Self {
        Self { limits, counts: Arc::default() }
    }

    /// Whether something more may be begun for a principal: what it comes to is only known afterwards.
    pub(super) fn has_room(&self, principal: Principal) -> bool {
        self.counts().fits(self.limits, principal, 1)
    }

    /// Waits until something more may be begun for a principal.
    pub(super) async fn room(&self, principal: Principal) {
        while !self.has_room(principal) {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    /// No bytes yet.
    pub(super) fn permit(&self, principal: Principal) -> BytePermit {
        BytePermit { limiter: self.clone(), principal, bytes: 0 }
    }

    /// The text as bytes that are counted for the principal as long as any of them is in memory.
    pub(super) fn counted(&self, principal: Principal, text: String) -> Bytes {
        let mut permit = self.permit(principal);
        permit.extend_to(text.len());
        Bytes::from_owner(CountedText { text, _permit: permit })
    }

    /// The same of an answer's body.
    pub(super) fn counted_answer(&self, principal: Principal, answer: Response<String>) -> axum::response::Response {
        answer.map(|text| Body::from(self.counted(principal, text)))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn fits(&self, limits: ByteLimits, principal: Principal, bytes: usize) -> bool {
        let has = self.principals.get(&principal).copied().unwrap_or_default();
        let (limit, all, limit_of_all) = match principal {
            Principal::Known(_) => (limits.caller, self.callers, limits.callers),
            Principal::Unknown(_) => (limits.address, self.unknown, limits.unknown),
        };
        has + bytes <= limit && all + bytes <= limit_of_all
    }

    fn all_mut(&mut self, principal: Principal) -> &mut usize {
        match principal {
            Principal::Known(_) => &mut self.callers,
            Principal::Unknown(_) => &mut self.unknown,
        }
    }
}

impl BytePermit {
    /// Counts more bytes; false, and none of them is counted, where they are too many.
    pub(super) fn try_extend(&mut self, bytes: usize) -> bool {
        let mut counts = self.limiter.counts();
        let fits = counts.fits(self.limiter.limits, self.principal, bytes);
        if fits {
            *counts.principals.entry(self.principal).or_default() += bytes;
            *counts.all_mut(self.principal) += bytes;
            self.bytes += bytes;
        }
        fits
    }

    /// Counts at least so many bytes, be they too many or not; false where there was no room for more.
    pub(super) fn extend_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let mut counts = self.limiter.counts();
        let had_room = counts.fits(self.limiter.limits, self.principal, 1);
        *counts.principals.entry(self.principal).or_default() += more;
        *counts.all_mut(self.principal) += more;
        self.bytes += more;
        had_room
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts();
        *counts.all_mut(self.principal) -= self.bytes;
        if let Some(count) = counts.principals.get_mut(&self.principal) {
            *count -= self.bytes;
            if *count == 0 {
                counts.principals.remove(&self.principal);
            }
        }
    }
}

struct CountedText {
    text: String,
    _permit: BytePermit,
}

impl AsRef<[u8]> for CountedText {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LIMITS: ByteLimits = ByteLimits { caller: 100, callers: 250, address: 10, unknown: 25 };
    const KNOWN: Principal = Principal::Known(uuid::Uuid::nil());

    fn address(n: u8) -> Principal {
        Principal::Unknown(Some(IpAddr::from([203, 0, 113, n])))
    }

    #[test]
    fn an_answer_counts_as_long_as_any_of_its_bytes_is_there() {
        let limiter = ByteLimiter::new(LIMITS);
        let bytes = limiter.counted(KNOWN, "x".repeat(150));
        let end = bytes.slice(149..);
        drop(bytes);
        assert!(!limiter.has_room(KNOWN));
        assert!(limiter.has_room(address(1)));
        drop(end);
        assert!(limiter.has_room(KNOWN));
        assert!(limiter.counts().principals.is_empty());
    }

    #[test]
    fn those_who_are_not_known_share_a_bound_that_callers_do_not() {
        let limiter = ByteLimiter::new(LIMITS);
        let mut permits = [1, 2, 3].map(|n| limiter.permit(address(n)));
        assert_eq!(permits.each_mut().map(|permit| permit.try_extend(10)), [true, true, false]);
        assert!(permits[2].try_extend(5));
        assert!(!permits[2].try_extend(1) && !limiter.has_room(address(4)));
        assert!(limiter.has_room(KNOWN));
        drop(permits);
        assert!(limiter.has_room(address(4)));
        assert_eq!(limiter.counts().unknown, 0);
    }

    #[test]
    fn what_is_kept_is_the_largest_that_there_was() {
        let limiter = ByteLimiter::new(LIMITS);
        let mut permit = limiter.permit(KNOWN);
        assert_eq!([40, 190, 20].map(|bytes| permit.extend_to(bytes)), [true; 3]);
        assert_eq!(limiter.counts().callers, 190);
        assert!(!permit.extend_to(191), "it had more than it may have before");
        drop(permit);
        assert_eq!(limiter.counts().callers, 0);
    }
}
