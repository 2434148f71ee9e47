//! The only source of time and of new ids.
//!
//! May import: chrono, uuid. Example: a service asks `clock.now()` once per use case and
//! passes the instant down; a test holds the same [`Clock::manual`] and moves it with [`Clock::advance`].

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Digits of a second that are kept. SQLite keeps nanoseconds and PostgreSQL microseconds; equal values need equal ones.
const FRACTION_DIGITS: u16 = 6;

/// A clock that is passed in and, where it is manual, only moves when told.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still; all clones share it. Microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now`.
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.timestamp_micros())))
    }

    /// The instant, in UTC, to the microsecond.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(FRACTION_DIGITS),
            Self::Manual(micros) => {
                DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// Moves a manual clock forward; the machine's clock does not care.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Manual(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock; the machine's clock does not care.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Self::Manual(micros) = self {
            micros.store(now.timestamp_micros(), Ordering::SeqCst);
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
