//! How many long connections each principal holds open: WebSockets and event streams.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::graphql::admission::Principal;

/// A browser with a dozen tabs on several machines, or everybody behind one address who has not said yet who they are.
const LIMIT: usize = 100;

/// The connections that are open.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    open: Arc<Mutex<HashMap<Principal, usize>>>,
}

/// An open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    principal: Principal,
    of: Connections,
}

impl Connections {
    /// Counts a connection; none where the principal has too many.
    pub(super) fn hold(&self, principal: Principal) -> Option<Held> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(principal).or_default();
        if *count >= LIMIT {
            return None;
        }
        *count += 1;
        Some(Held { principal, of: self.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.of.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.principal) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_holds_so_many_and_no_more() {
        let connections = Connections::default();
        let mut held: Vec<_> = (0..LIMIT).map(|_| connections.hold(Principal::Unknown(None)).unwrap()).collect();
        assert!(connections.hold(Principal::Unknown(None)).is_none());
        assert!(connections.hold(Principal::Known(uuid::Uuid::nil())).is_some());
        held.pop();
        assert!(connections.hold(Principal::Unknown(None)).is_some());
        held.clear();
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
