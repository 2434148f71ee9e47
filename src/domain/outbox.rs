//! When a notice in the outbox is free to be sent, whatever was done to the machine's clock; and when a mail server is taken to
//! refuse everybody.
//!
//! Pure. An instant that somebody stored by a clock that was set since may lie hours ahead. Each is believed only as far as it can
//! have been meant: no lease is longer than [`LEASE`], no wait longer than [`LONGEST_WAIT`], and nothing was decided in the future.
//! Example: the clock is set back by an hour; what was to be tried again in a minute is due, for it was put off “an hour ahead”.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a worker has a notice to itself. It renews its leases every few seconds while it works: a worker that was killed keeps
/// a mail from leaving for no longer than this.
pub const LEASE: TimeDelta = TimeDelta::seconds(20);
/// By how much the clocks of replicas may part, and a clock may be corrected, before that is taken for a clock that was set.
pub const SKEW: TimeDelta = TimeDelta::minutes(1);
/// Nothing that was tried waits longer than this: the longest backoff with its jitter, and some.
pub const LONGEST_WAIT: TimeDelta = TimeDelta::hours(8);

/// Refusals for good after which a notice is given up: greylists, full mailboxes and mistaken filters pass within an hour.
pub const MOST_REFUSALS: i32 = 3;
/// Waits after the first refusals.
const REFUSAL_WAITS: [TimeDelta; 2] = [TimeDelta::minutes(15), TimeDelta::hours(1)];

/// So many recipients refused, and nobody's mail taken in between: then it is the server that refuses.
const REFUSED_RECIPIENTS: usize = 3;
/// Refusals that are further apart than this have nothing to do with each other.
const REFUSED_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Returns true while a lease keeps others away.
pub fn lease_holds(leased_until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now <= leased_until && leased_until <= now + LEASE + SKEW
}

/// Returns true if a notice that was tried, or is to be, waits for its next attempt; `decided_at` is when that was decided.
pub fn waits(next_attempt_at: DateTime<Utc>, decided_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now < next_attempt_at && !was_decided_ahead(decided_at, now) && next_attempt_at <= now + LONGEST_WAIT
}

/// Returns true if something was decided by a clock that was set back since.
pub fn was_decided_ahead(decided_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    decided_at > now + SKEW
}

/// How long a notice waits after its recipient was refused so often; `None` once it is given up.
pub fn refusal_wait(refusals: i32) -> Option<TimeDelta> {
    let index = usize::try_from(refusals).ok()?.checked_sub(1)?;
    REFUSAL_WAITS.get(index).copied()
}

/// Tells recipients that are refused from a server that refuses everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Who was refused since a mail was last taken, and when.
    refused: Vec<(String, DateTime<Utc>)>,
    refuses_all: bool,
}

impl Refusals {
    /// Notes that the server took a mail. Returns true if it was taken to refuse everybody until now.
    pub fn taken(&mut self) -> bool {
        self.refused.clear();
        std::mem::take(&mut self.refuses_all)
    }

    /// Notes that the server refused a recipient for good. Returns true if it is taken to refuse everybody from now on.
    pub fn refused(&mut self, recipient: &str, now: DateTime<Utc>) -> bool {
        self.refused.retain(|(other, at)| other != recipient && (now - *at).abs() <= REFUSED_WITHIN);
        self.refused.push((recipient.to_owned(), now));
        let begins = !self.refuses_all && self.refused.len() >= REFUSED_RECIPIENTS;
        self.refuses_all |= begins;
        // Enough is known, and there may be thousands of recipients.
        self.refused.truncate(REFUSED_RECIPIENTS);
        begins
    }

    /// Returns true while the server is taken to refuse everybody.
    pub const fn refuses_all(&self) -> bool {
        self.refuses_all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, proptest};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn steps() -> impl Strategy<Value = i64> {
        -48 * 3600..48 * 3600_i64
    }

    proptest! {
        /// Whatever was done to the clock after a worker took a lease and died: it is free at once, or once it has run out.
        #[test]
        fn no_setting_of_the_clock_makes_a_lease_longer(step in steps()) {
            let holds_after = |passed: TimeDelta| lease_holds(at(0) + LEASE, at(step) + passed);
            prop_assert!(!holds_after(TimeDelta::zero()) || !holds_after(LEASE + SKEW + TimeDelta::seconds(1)), "{step}");
        }

        /// A wait that was decided before the clock was set ends at once, or when it was meant to.
        #[test]
        fn no_setting_of_the_clock_makes_a_wait_longer(step in steps(), wait in 0..8 * 3600_i64) {
            let waits_after = |passed: i64| waits(at(wait), at(0), at(step + passed));
            prop_assert!(!waits_after(0) || !waits_after(wait + SKEW.num_seconds()), "{step} {wait}");
        }

        /// The same where the clock was wrong when the wait was decided, and is set right again.
        #[test]
        fn a_wait_decided_by_a_wrong_clock_is_no_longer(step in steps(), wait in 0..8 * 3600_i64) {
            let waits_after = |passed: i64| waits(at(step + wait), at(step), at(passed));
            prop_assert!(!waits_after(0) || !waits_after(wait + SKEW.num_seconds()), "{step} {wait}");
        }
    }

    #[test]
    fn a_lease_and_a_wait_hold_while_nobody_sets_the_clock() {
        for passed in 0..=20 {
            assert!(lease_holds(at(20), at(passed)));
            assert!(waits(at(21), at(0), at(passed)));
        }
        assert!(!lease_holds(at(20), at(21)));
        assert!(!waits(at(21), at(0), at(21)));
    }

    #[test]
    fn a_server_refuses_everybody_once_it_refused_three_in_a_row() {
        let mut refusals = Refusals::default();
        assert!(!refusals.refused("a@x.example", at(0)) && !refusals.refused("b@x.example", at(1)));
        assert!(!refusals.refused("a@x.example", at(2)), "the same one again");
        assert!(!refusals.taken(), "it takes others");
        for (second, name) in [(3, "a"), (4, "b")] {
            assert!(!refusals.refused(name, at(second)));
        }
        assert!(refusals.refused("c", at(5)) && refusals.refuses_all());
        assert!(!refusals.refused("d", at(6)), "that is known");
        assert!(refusals.taken() && !refusals.refuses_all());
        assert!(!refusals.refused("a", at(7)) && !refusals.refused("b", at(8)));
        assert!(!refusals.refused("c", at(2 * 3600)), "too far apart");
    }

    #[test]
    fn a_refused_recipient_is_tried_three_times() {
        let waits: Vec<_> =
            (1..=MOST_REFUSALS).map(|refusals| refusal_wait(refusals).map(|wait| wait.num_minutes())).collect();
        assert_eq!(waits, [Some(15), Some(60), None]);
    }
}
