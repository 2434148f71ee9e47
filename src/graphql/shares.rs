//! Which share of the database's connections each principal has: one over all of their requests at the moment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    graphql::admission::Principal,
    service::{ConnectionShare, Service},
};

/// The shares that are in use are looked through for others once there are twice as many as after the last time, and no fewer.
const LOOK_THROUGH: usize = 64;

/// The shares of all principals.
#[derive(Debug, Default)]
pub struct ConnectionShares {
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    of: HashMap<Principal, ConnectionShare>,
    look_through_at: usize,
}

impl ConnectionShares {
    /// The share of a principal; the same one as long as anybody works under it.
    pub fn of(&self, principal: Principal, service: &Service) -> ConnectionShare {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.of.len() >= shares.look_through_at.max(LOOK_THROUGH) {
            shares.of.retain(|_, share| share.is_in_use());
            shares.look_through_at = shares.of.len() * 2;
        }
        shares.of.entry(principal).or_insert_with(|| service.new_share()).clone()
    }
}
