//! How long a failed delivery waits.

use chrono::TimeDelta;

use super::{MAX_ATTEMPTS, backoff};

#[test]
fn waits_double_from_one_minute_to_six_hours() {
    let minutes: Vec<_> = (1..=12).map(|attempts| backoff(attempts, 0.5).num_minutes()).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
}

#[test]
fn jitter_moves_a_wait_by_a_fifth_either_way() {
    assert_eq!(backoff(1, 0.0), TimeDelta::seconds(48));
    assert_eq!(backoff(1, 1.0), TimeDelta::seconds(72));
    assert_eq!(backoff(30, 1.0), TimeDelta::minutes(432));
}

#[test]
fn odd_arguments_still_wait() {
    for (attempts, jitter) in [(0, 0.5), (u32::MAX, 0.5), (1, f64::NAN), (1, -7.0), (1, f64::INFINITY)] {
        let wait = backoff(attempts, jitter);
        assert!(wait >= TimeDelta::seconds(48) && wait <= TimeDelta::minutes(432), "{attempts} {jitter}: {wait}");
    }
}

#[test]
fn all_attempts_together_take_about_two_days() {
    let total: TimeDelta = (1..MAX_ATTEMPTS).map(|attempts| backoff(attempts, 0.5)).sum();
    assert!(total >= TimeDelta::hours(48) && total <= TimeDelta::hours(54), "{total}");
}
