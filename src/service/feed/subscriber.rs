//! One subscriber's way through the log.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{heard::Heard, recent::Recent};
use crate::{
    domain::refusal::{Code, Problem},
    service::{
        Result, Service, ServiceError,
        sessions::{Session, desk::Watched},
    },
    store::event_log::{self, LogFilter},
};

/// Events of a page that is read from the table.
const PAGE: u64 = 64;
/// Places of the log that one statement looks through for what is wanted, where no index leads to it: milliseconds.
const STRETCH: i64 = 20_000;
/// What was found out about a subscriber's rights so long ago does not count any more.
const RIGHTS_HOLD: Duration = Duration::from_secs(1);

/// A subscriber: who hears what, and how far.
#[derive(Debug)]
pub struct Subscriber {
    service: Service,
    watched: Watched,
    filter: LogFilter,
    recent: watch::Receiver<Option<Recent>>,
    /// The place up to which everything was handed out that is wanted; none until there is a first one.
    position: Option<i64>,
    /// What is handed out next, when it was read, and the place up to which it goes.
    page: VecDeque<Arc<Heard>>,
    read_at: Instant,
    page_ends: i64,
    /// When the subscriber was last known to have its rights.
    rights_at: Option<Instant>,
    /// When an event was handed out that has not been taken yet, and how long those of the page took before.
    handed_at: Option<Instant>,
    taking: Duration,
}

/// A subscriber that hears no more.
#[derive(Debug)]
pub struct Lost {
    /// The place in the log from which it can go on.
    pub position: Option<i64>,
    /// Why.
    pub why: Why,
}

/// Why a subscriber hears no more.
#[derive(Debug)]
pub enum Why {
    /// It is too slow.
    TooSlow,
    /// The token is out of force, or does not give the same rights any more.
    RightsChanged,
    /// Something failed.
    Failed(ServiceError),
}

impl From<ServiceError> for Why {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error)
    }
}

impl Service {
    /// Lets somebody hear the events that they want, from a place in the log on, or from now on where there is none yet.
    ///
    /// # Errors
    /// A place that the log has not reached is refused.
    pub async fn subscribe(&self, session: Session, from: Option<i64>, filter: LogFilter) -> Result<Subscriber> {
        let recent = self.feed.recent.subscribe();
        if let Some(from) = from
            && self.log_position().is_none_or(|position| from > position)
            && from > event_log::highest(&self.db).await?
        {
            let message = "is a place that the log of events has not reached; has the database been restored? \
                           Begin anew with `eventCursor`";
            return Err(Problem::at(Code::Invalid, "after", format!("after {message}")).into());
        }
        Ok(Subscriber {
            watched: self.watched(session),
            // Those who read the table wait for each other; they must not wait for one principal's requests.
            service: Self { db: self.db.unshared(), ..self.clone() },
            filter,
            recent,
            position: from,
            page: VecDeque::new(),
            read_at: Instant::now(),
            page_ends: 0,
            rights_at: None,
            handed_at: None,
            taking: Duration::ZERO,
        })
    }
}

impl Subscriber {
    /// Notes that it wants the next event: the time from here on is not its own.
    pub fn came_back(&mut self) {
        self.taking += self.handed_at.take().map_or(Duration::ZERO, |at| at.elapsed());
    }

    /// The next event that is wanted; waits for it.
    pub async fn next(&mut self) -> Result<Arc<Heard>, Lost> {
        self.came_back();
        match self.hand_out().await {
            Ok(heard) => Ok(heard),
            Err(why) => Err(Lost { position: self.position, why }),
        }
    }

    async fn hand_out(&mut self) -> Result<Arc<Heard>, Why> {
        loop {
            if let Some(heard) = self.page.front() {
                let heard = Arc::clone(heard);
                self.check_rights().await?;
                self.page.pop_front();
                self.position = Some(heard.id());
                self.handed_at = Some(Instant::now());
                return Ok(heard);
            }
            self.turn_page().await?;
        }
    }

    /// Rights count that held after the event was committed, and not long ago.
    async fn check_rights(&mut self) -> Result<(), Why> {
        let not_before = Instant::now().checked_sub(RIGHTS_HOLD).map_or(self.read_at, |at| at.max(self.read_at));
        if self.rights_at.is_none_or(|at| at < not_before) {
            let rights_at = self.service.in_force(&self.watched, not_before).await?;
            self.rights_at = Some(rights_at.ok_or(Why::RightsChanged)?);
        }
        Ok(())
    }

    /// Turns to the next events that are wanted, which may be none in a stretch of the log.
    async fn turn_page(&mut self) -> Result<(), Why> {
        let taken_in = std::mem::take(&mut self.taking);
        if let Some(position) = &mut self.position {
            *position = self.page_ends.max(*position);
        }
        let was_at = self.position;
        let is_further =
            |recent: &Option<Recent>| recent.as_ref().is_some_and(|recent| was_at.is_none_or(|at| recent.to > at));
        if taken_in > self.service.feed.take_within && is_further(&self.recent.borrow()) {
            return Err(Why::TooSlow);
        }
        let in_table = {
            // Never closed: the service that this has holds the other end.
            let recent = self.recent.wait_for(is_further).await.map_err(|_| Why::TooSlow)?;
            recent.as_ref().and_then(|recent| {
                let position = *self.position.get_or_insert(recent.to);
                let Some(events) = recent.after(position) else { return Some((position, recent.to)) };
                let wanted = events.filter(|heard| self.filter.wants(&heard.event.row, heard.ticket.company.id));
                self.page.extend(wanted.cloned());
                (self.read_at, self.page_ends) = (recent.read_at, recent.to);
                None
            })
        };
        match in_table {
            Some((position, to)) => Ok(self.read(position, to).await?),
            None => Ok(()),
        }
    }

    /// Reads a page from the table.
    async fn read(&mut self, position: i64, to: i64) -> Result<()> {
        // Never closed.
        let _permit = self.service.feed.readers.acquire().await;
        let to = if self.filter.ticket.is_some() { to } else { to.min(position.saturating_add(STRETCH)) };
        let events = event_log::between(&self.service.db, &self.filter, (position, to), PAGE).await?;
        self.read_at = Instant::now();
        let is_full = u64::try_from(events.len()).is_ok_and(|found| found == PAGE);
        self.page_ends = events.last().filter(|_| is_full).map_or(to, |last| last.id);
        self.page.extend(self.service.heard(events).await?);
        Ok(())
    }
}
