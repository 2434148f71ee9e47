//! How slowly a client may take an answer or send a file.
//!
//! Time counts only while the client is waited for. A limit on silence alone would let one byte every 29 seconds hold an answer,
//! and whatever makes it, for ever; so the client also has to move so many bytes a second on average, with one silence to spare.

use std::time::Duration;

/// A phone that changes networks comes back sooner.
pub(in crate::http) const SILENCE: Duration = Duration::from_secs(30);
/// A poor mobile line has twice this. A file of 10 MiB takes at most eleven minutes.
const BYTES_PER_SECOND: u64 = 16 * 1024;

/// What a client has moved, and how long it was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Pace {
    waited: Duration,
    moved: u64,
}

impl Pace {
    /// Returns how long the client's next bytes are waited for.
    pub(in crate::http) fn patience(&self) -> Duration {
        let earned = Duration::from_millis(self.moved.saturating_mul(1000) / BYTES_PER_SECOND);
        (SILENCE + earned).saturating_sub(self.waited).min(SILENCE)
    }

    /// Records that so many bytes were moved after the client was waited for so long.
    pub(in crate::http) fn record(&mut self, waited: Duration, moved: usize) {
        self.waited += waited;
        self.moved = self.moved.saturating_add(u64::try_from(moved).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_byte_now_and_then_is_not_enough() {
        let mut pace = Pace::default();
        assert_eq!(pace.patience(), SILENCE);
        pace.record(29 * SECOND, 1);
        assert_eq!(pace.patience(), SECOND);
        pace.record(SECOND, 1);
        assert_eq!(pace.patience(), Duration::ZERO);
    }

    #[test]
    fn a_slow_line_is_quick_enough_and_silence_never_is() {
        let mut pace = Pace::default();
        for _ in 0..3600 {
            pace.record(SECOND, 20 * 1024);
            assert!(pace.patience() > 29 * SECOND);
        }
        assert_eq!(pace.patience(), SILENCE, "what was quick before buys no longer silence");
    }
}
