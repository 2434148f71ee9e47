//! Notices when the machine's clock is set, forward or back.
//!
//! The scheduler decides by that clock when a job's turn comes: set back by an hour, it would wait for the hour to pass again. The
//! monotonic clock, which nobody sets, tells by how much they parted; then the turns are planned anew.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock::Clock;

/// How often they are compared.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time services that correct a clock slowly move it by less in this time; a process that was stopped for a moment is not late.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// Both clocks, as they stood when last looked at.
#[derive(Debug)]
pub(super) struct ClockWatch {
    wall: DateTime<Utc>,
    monotonic: Instant,
}

impl ClockWatch {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { wall: clock.now(), monotonic: Instant::now() }
    }

    /// By how much the wall clock was set since the last look, forward or back; `None` where it only went on.
    pub(super) fn look(&mut self, clock: &Clock) -> Option<TimeDelta> {
        let (wall, monotonic) = (clock.now(), Instant::now());
        let passed = TimeDelta::from_std(monotonic - self.monotonic).unwrap_or(TimeDelta::MAX);
        let set_by = (wall - self.wall).checked_sub(&passed).unwrap_or(TimeDelta::MAX);
        (self.wall, self.monotonic) = (wall, monotonic);
        (set_by.abs() > TOLERANCE).then_some(set_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_noticed_once_in_both_directions() {
        let clock = Clock::manual("2026-06-01T09:00:00Z".parse().unwrap());
        let mut watch = ClockWatch::new(&clock);
        let mut pass = async |seconds: i64, set_by: TimeDelta| {
            tokio::time::advance(Duration::from_secs(u64::try_from(seconds).unwrap())).await;
            clock.set(clock.now() + TimeDelta::seconds(seconds) + set_by);
            watch.look(&clock)
        };
        assert_eq!(pass(1, TimeDelta::zero()).await, None);
        assert_eq!(pass(1, TimeDelta::seconds(1)).await, None, "a correction");
        assert_eq!(pass(1, TimeDelta::hours(-1)).await, Some(TimeDelta::hours(-1)));
        assert_eq!(pass(1, TimeDelta::zero()).await, None);
        assert_eq!(pass(3600, TimeDelta::hours(2)).await, Some(TimeDelta::hours(2)));
    }
}
