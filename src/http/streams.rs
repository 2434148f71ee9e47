//! How many streams each principal has open at once: WebSockets and event streams.
//!
//! Who opens a WebSocket says with its first message who they are, so that until then only its address is known, and behind one
//! address there may be a whole office whose front ends connect at once, as after a restart. Those count apart from what the
//! address itself, or a caller, has open; that nobody stays among them is seen to by a time limit.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::graphql::admission::Principal;

/// A browser with a dozen tabs on several machines, or everybody behind one address who stays unknown.
const LIMIT: usize = 100;
/// Everybody behind one address who is about to say who they are.
const ARRIVING_LIMIT: usize = 1000;

/// Counts the streams that are open.
#[derive(Clone, Debug, Default)]
pub struct StreamLimiter {
    open: Arc<Mutex<HashMap<Owner, usize>>>,
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// Of somebody at this address who has not said yet who they are.
    Arriving(Option<IpAddr>),
    /// Of whoever is known, or stays unknown.
    Principal(Principal),
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamPermit {
    owner: Owner,
    limiter: StreamLimiter,
}

impl StreamLimiter {
    /// Counts a stream of this principal; `None` where there are too many.
    pub(super) fn open(&self, principal: Principal) -> Option<StreamPermit> {
        self.count(Owner::Principal(principal), LIMIT)
    }

    /// Counts a stream of which only the address is known yet; `None` where there are too many.
    pub(super) fn arrive(&self, address: Option<IpAddr>) -> Option<StreamPermit> {
        self.count(Owner::Arriving(address), ARRIVING_LIMIT)
    }

    fn count(&self, owner: Owner, limit: usize) -> Option<StreamPermit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(owner).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(StreamPermit { owner, limiter: self.clone() })
    }
}

impl StreamPermit {
    /// Counts the stream for this principal instead; false where there are too many.
    pub(super) fn identify(&mut self, principal: Principal) -> bool {
        if self.owner == Owner::Principal(principal) {
            return true;
        }
        let permit = self.limiter.open(principal);
        permit.map(|permit| *self = permit).is_some()
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.limiter.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Principal = Principal::Known(uuid::Uuid::nil());

    #[test]
    fn a_principal_has_so_many_and_no_more() {
        let limiter = StreamLimiter::default();
        let mut open: Vec<_> = (0..LIMIT).map(|_| limiter.open(Principal::Unknown(None)).unwrap()).collect();
        assert!(limiter.open(Principal::Unknown(None)).is_none());
        assert!(limiter.open(KNOWN).is_some());
        open.pop();
        assert!(limiter.open(Principal::Unknown(None)).is_some());
        open.clear();
        assert!(limiter.open.lock().unwrap().is_empty());
    }

    #[test]
    fn who_arrives_is_not_counted_for_the_address_and_then_for_the_caller() {
        let limiter = StreamLimiter::default();
        let mut open: Vec<_> = (0..=LIMIT).map(|_| limiter.arrive(None).unwrap()).collect();
        assert!(limiter.open(Principal::Unknown(None)).is_some());
        let identified: Vec<_> = open.iter_mut().map(|permit| permit.identify(KNOWN)).collect();
        assert_eq!(identified.iter().filter(|is_counted| **is_counted).count(), LIMIT);
        assert!(open[0].identify(KNOWN), "it is counted already");
        drop(open);
        assert!(limiter.open.lock().unwrap().is_empty());
    }
}
