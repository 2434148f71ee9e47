//! How much a principal may ask for in a minute: a leaky bucket each.
//!
//! Buckets fill as time passes, which is told by the monotonic clock: however the wall clock is set, nobody waits longer.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::StateInformationMiddleware, nanos::Nanos,
    state::keyed::DefaultKeyedStateStore,
};
use uuid::Uuid;

use crate::clock::Clock;

/// The buckets that are full again are forgotten so often, in requests.
const FORGET_EVERY: u32 = 10_000;

/// Whose bucket is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Whoever the token belongs to, over all of their tokens.
    Known(Uuid),
    /// Someone without a token, by their network.
    Unknown(Option<IpAddr>),
}

impl Principal {
    /// Someone without a token at this address.
    pub fn of_address(address: Option<IpAddr>) -> Self {
        Self::Unknown(address.map(network))
    }
}

/// An address, or of IPv6 the network that one customer is given.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// What a request cost, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What the request costs, in points.
    pub cost: u64,
    /// What the principal has in a minute.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When all of it is there again.
    pub reset_at: DateTime<Utc>,
}

/// The request costs more than what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdrawn {
    /// What was not charged.
    pub charge: Charge,
    /// When the request can be sent again.
    pub retry_after: Duration,
}

type Buckets = RateLimiter<Principal, DefaultKeyedStateStore<Principal>, MinuteClock, StateInformationMiddleware>;

/// The buckets of all principals.
pub(super) struct Budget {
    per_minute: NonZeroU32,
    clock: Clock,
    buckets: Buckets,
    charges: AtomicU32,
}

impl Budget {
    pub(super) fn new(per_minute: NonZeroU32, clock: Clock) -> Self {
        let quota = Quota::per_minute(per_minute);
        let buckets = RateLimiter::dashmap_with_clock(quota, MinuteClock(clock.clone()))
            .with_middleware::<StateInformationMiddleware>();
        Self { per_minute, clock, buckets, charges: AtomicU32::new(0) }
    }

    /// Takes the cost of a request out of the principal's bucket.
    pub(super) fn charge(&self, principal: Principal, cost: u64) -> Result<Charge, Overdrawn> {
        if self.charges.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.buckets.retain_recent();
        }
        let points = u32::try_from(cost).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        match self.buckets.check_key_n(&principal, points) {
            Ok(Ok(state)) => Ok(self.state(cost, state.remaining_burst_capacity())),
            Ok(Err(not_until)) => {
                let retry_after = not_until.wait_time_from(MinuteClock(self.clock.clone()).now());
                let missing = retry_after.as_secs_f64() * f64::from(self.per_minute.get()) / 60.0;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a part of a bucket, which is a u32"
                )]
                let remaining = points.get().saturating_sub(missing.ceil() as u32);
                Err(Overdrawn { charge: self.state(cost, remaining), retry_after })
            }
            // The configuration allows no request that costs more than a whole bucket.
            Err(_) => Err(Overdrawn { charge: self.state(cost, 0), retry_after: Duration::from_secs(60) }),
        }
    }

    /// Takes so much out of the principal's bucket, or what is left of it.
    pub(super) fn take(&self, principal: Principal, cost: u64) -> Result<(), Overdrawn> {
        if cost == 0 {
            return Ok(());
        }
        let refused = match self.charge(principal, cost) {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        // Somebody else may have been quicker.
        let _ = self.charge(principal, refused.charge.remaining);
        Err(refused)
    }

    fn state(&self, cost: u64, remaining: u32) -> Charge {
        let limit = self.per_minute.get();
        let used = i64::from(limit.saturating_sub(remaining));
        let until_full = TimeDelta::milliseconds(used.saturating_mul(60_000) / i64::from(limit));
        Charge { cost, limit: limit.into(), remaining: remaining.into(), reset_at: self.clock.now() + until_full }
    }
}

/// The time that passes, by the clock that was passed in, as the library wants it.
#[derive(Clone)]
struct MinuteClock(Clock);

impl GovernorClock for MinuteClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Principal = Principal::Known(Uuid::from_u128(1));
    const BOB: Principal = Principal::Known(Uuid::from_u128(2));

    fn budget(clock: &Clock) -> Budget {
        Budget::new(NonZeroU32::new(600).unwrap(), clock.clone())
    }

    fn clock() -> Clock {
        Clock::manual("2026-06-01T09:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_bucket_empties_and_fills_again_in_a_minute() {
        let clock = clock();
        let budget = budget(&clock);
        let charge = budget.charge(ANN, 500).unwrap();
        assert_eq!((charge.cost, charge.limit, charge.remaining), (500, 600, 100));
        assert_eq!(charge.reset_at - clock.now(), TimeDelta::seconds(50));
        let refused = budget.charge(ANN, 200).unwrap_err();
        assert!(refused.retry_after > Duration::from_secs(9) && refused.retry_after <= Duration::from_secs(11));
        assert_eq!((refused.charge.cost, refused.charge.remaining), (200, 100));
        assert_eq!(refused.charge.reset_at, charge.reset_at);
        clock.advance(TimeDelta::seconds(11));
        assert!(budget.charge(ANN, 200).is_ok());
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_nothing() {
        for set_by in [TimeDelta::hours(2), TimeDelta::hours(-2)] {
            let clock = clock();
            let budget = budget(&clock);
            assert!(budget.charge(ANN, 500).is_ok());
            clock.set(clock.now() + set_by);
            assert!(budget.charge(ANN, 200).is_err(), "nothing has passed");
            assert!(budget.charge(ANN, 50).is_ok());
            clock.set(clock.now() - set_by);
            clock.advance(TimeDelta::seconds(20));
            assert!(budget.charge(ANN, 200).is_ok(), "20 s have passed");
        }
    }

    #[test]
    fn what_is_taken_is_what_is_left_where_that_is_less() {
        let budget = budget(&clock());
        assert!(budget.charge(ANN, 500).is_ok());
        assert!(budget.take(ANN, 200).is_err());
        assert!(budget.charge(ANN, 1).is_err());
    }

    #[test]
    fn addresses_of_one_network_are_one_principal() {
        let of = |address: &str| Principal::of_address(Some(address.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.8"), of("203.0.113.7"));
    }

    #[test]
    fn nobody_pays_for_another() {
        let budget = budget(&clock());
        assert!(budget.charge(ANN, 600).is_ok());
        assert!(budget.charge(ANN, 1).is_err());
        assert!(budget.charge(BOB, 600).is_ok());
        assert!(budget.charge(Principal::Unknown(None), 600).is_ok());
    }
}
