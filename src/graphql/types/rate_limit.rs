//! What a request cost, as the API tells it.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use crate::graphql::admission::Charge;

/// What this request costs you, and what is left. One point is one field that the answer may have; a mutation costs 50 more.
#[derive(Debug, SimpleObject)]
pub struct RateLimit {
    /// What this request costs, in points.
    cost: u64,
    /// What you may spend in a minute, in points.
    limit: u64,
    /// What is left of it.
    remaining: u64,
    /// When all of it is there again.
    reset_at: DateTime<Utc>,
}

impl From<Charge> for RateLimit {
    fn from(charge: Charge) -> Self {
        let Charge { cost, limit, remaining, reset_at } = charge;
        Self { cost, limit, remaining, reset_at }
    }
}
