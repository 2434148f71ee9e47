//! Wires: carries what is written elsewhere to the outside, and says whether it is worth another try.
//!
//! Knows addresses and bytes, never tickets or the store. May import [`RenderedNotice`](crate::notice::RenderedNotice),
//! which is what a mail carries. Example: `Mailer::send` answers `Err(Transient)`, so the outbox waits
//! [`backoff`]`(attempts, jitter)` and tries again, at most [`MAX_ATTEMPTS`] times.

pub mod attachments;
pub mod mail;

#[cfg(test)]
mod tests;

use chrono::TimeDelta;

/// After this many attempts a notice is given up: with the waits below the last one is about 50 hours after the first,
/// so that two days without a mail server are survived, while nobody is told what has long become history.
pub const MAX_ATTEMPTS: u32 = 17;

/// Wait after the first failure: long enough for a server to restart or a greylist to open.
const FIRST_WAIT: TimeDelta = TimeDelta::minutes(1);

/// Longest wait before jitter: whoever repairs a server by day sees the mail leave on the same day.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(6);

/// Share by which a wait varies either way, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// Says how long to wait after so many failed attempts: doubling, capped, −20 % to +20 % as `jitter` goes from 0 to 1.
pub fn backoff(attempts: u32, jitter: f64) -> TimeDelta {
    // 2^20 minutes is far over the cap, and far from overflowing.
    let doublings = attempts.saturating_sub(1).min(20);
    let wait = (FIRST_WAIT * (1_i32 << doublings)).min(LONGEST_WAIT);
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.5 };
    let factor = 1.0 + JITTER * (2.0 * jitter - 1.0);
    TimeDelta::milliseconds((wait.num_seconds() as f64 * factor * 1000.0).round() as i64)
}
