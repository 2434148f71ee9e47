//! The only source of time and of new ids.
//!
//! May import: chrono, uuid. Example: a service asks `clock.now()` once per use case and
//! passes the instant down; a test holds the same [`Clock::manual`] and moves it with [`Clock::advance`].

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Digits of a second that are kept. SQLite keeps nanoseconds and PostgreSQL microseconds; equal values need equal ones.
const FRACTION_DIGITS: u16 = 6;

/// What the machine's monotonic clock counts from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that is passed in and, where it is manual, only moves when told.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still; all clones share it.
    Manual(Arc<ManualClock>),
}

/// What a manual clock shows.
#[derive(Debug)]
pub struct ManualClock {
    /// Microseconds since 1970.
    wall: AtomicI64,
    /// Microseconds that have passed, however the wall clock was set.
    monotonic: AtomicU64,
}

impl Clock {
    /// A clock that stands at `now`.
    pub fn manual(now: DateTime<Utc>) -> Self {
        let wall = AtomicI64::new(now.timestamp_micros());
        Self::Manual(Arc::new(ManualClock { wall, monotonic: AtomicU64::new(0) }))
    }

    /// The instant, in UTC, to the microsecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(FRACTION_DIGITS),
            Self::Manual(clock) => {
                DateTime::from_timestamp_micros(clock.wall.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// How much time has passed since some moment: for how long something lasts or holds in this process. Setting the wall clock, forward
    /// or back, does not change it.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System => BEGINNING.elapsed(),
            Self::Manual(clock) => Duration::from_micros(clock.monotonic.load(Ordering::SeqCst)),
        }
    }

    /// Lets time pass on a manual clock; the machine's clock does not care.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Manual(clock) = self {
            let micros = by.num_microseconds().unwrap_or(0);
            clock.wall.fetch_add(micros, Ordering::SeqCst);
            clock.monotonic.fetch_add(u64::try_from(micros).unwrap_or(0), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, while no time passes; the machine's clock does not care.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Self::Manual(clock) = self {
            clock.wall.store(now.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// A new UUIDv7 of this clock's time; ids of one process sort in the order in which they were made.
    pub fn new_uuid(&self) -> Uuid {
        static CONTEXT: std::sync::Mutex<ContextV7> = std::sync::Mutex::new(ContextV7::new());
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, now.timestamp_subsec_nanos()))
    }

    /// A new id of a table, such as `clock.new_id(TicketId)`.
    pub fn new_id<Id>(&self, wrap: impl FnOnce(Uuid) -> Id) -> Id {
        wrap(self.new_uuid())
    }
}
