//! What happened to the clocks of a ticket, as its history keeps it, and what the clocks are after it.
//!
//! Pure. Every change of a clock is one [`ClockChange`]: a use case decides it, [`TicketClocks::apply`] carries it out, and the
//! event that tells of it keeps it. So the stored clocks are a fold over the history, and can be made again from it. Example:
//! moving from Validating to Replicating is `Left` and then `Entered`.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    id::{CalendarVersionId, ClockPauseId, PersonId, SlaPolicyVersionId, StageVisitId, TicketId},
    vocab::{AlertLevel, PauseReason},
};
use serde::{Deserialize, Serialize};

use crate::domain::{
    calendar::timeline::{CalendarVersion, Era, Timeline},
    policy::PolicyVersion,
    visit::{Rank, Visit},
};

/// One change of the clocks of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClockChange {
    /// A visit began.
    Entered {
        /// The new visit.
        visit_id: StageVisitId,
        /// The policy that it follows.
        policy: SlaPolicyVersionId,
        /// What decides its budget.
        rank: Rank,
        /// The day whose end is its deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_on: Option<NaiveDate>,
        /// The calendar versions that it is counted in.
        eras: Vec<EraRef>,
    },
    /// The running visit ended.
    Left {
        /// Who had the ticket then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<PersonId>,
    },
    /// A visit that was left goes on.
    CameBack {
        /// Which one.
        visit_id: StageVisitId,
        /// The pause that the time away is.
        pause_id: ClockPauseId,
        /// The day whose end is its deadline.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_on: Option<NaiveDate>,
    },
    /// The running visit was paused.
    Paused {
        /// The pause.
        pause_id: ClockPauseId,
        /// Why.
        reason: PauseReason,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume_at: Option<DateTime<Utc>>,
    },
    /// The pauses of the running visit for a reason are over.
    Resumed {
        /// Which ones.
        reason: PauseReason,
    },
    /// A pause never was: the question that began it did not reach the client.
    PauseVoided {
        /// The visit that it was a pause of; it may have been left since.
        visit_id: StageVisitId,
        /// The pause.
        pause_id: ClockPauseId,
    },
    /// Another day's end is the deadline.
    DeadlineMoved {
        /// Which day's.
        deadline_on: NaiveDate,
    },
    /// The running visit follows another policy, rank or calendar.
    Reckoned {
        /// The policy that it follows.
        policy: SlaPolicyVersionId,
        /// What decides its budget.
        rank: Rank,
        /// The calendar versions that hold from the first of them on; none where they stay.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        eras: Vec<EraRef>,
    },
    /// A manager set the due time by hand; none gives it back to the clock.
    DueOverridden {
        /// The due time.
        due_at: Option<DateTime<Utc>>,
    },
    /// Alert levels up to this one were reached.
    LevelReached {
        /// The highest of them.
        level: AlertLevel,
    },
    /// Somebody took charge of an alert; the levels after it still follow.
    Acknowledged,
    /// Further levels wait, except the record of a breach.
    Snoozed {
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// From when on which version of a calendar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraRef {
    /// The first instant of it.
    pub from: DateTime<Utc>,
    /// The version.
    pub version: CalendarVersionId,
}

impl From<&Era> for EraRef {
    fn from(era: &Era) -> Self {
        Self { from: era.from, version: era.version.id }
    }
}

/// The versions of policies and calendars that clocks refer to.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The policies' versions.
    pub policies: HashMap<SlaPolicyVersionId, Arc<PolicyVersion>>,
    /// The calendars' versions.
    pub calendars: HashMap<CalendarVersionId, Arc<CalendarVersion>>,
}

impl Library {
    /// The eras that these stand for.
    ///
    /// # Errors
    /// If a version is not here.
    pub fn eras(&self, eras: &[EraRef]) -> Result<Vec<Era>, ClockChangeError> {
        eras.iter()
            .map(|era| {
                let version = self.calendars.get(&era.version).map(Arc::clone);
                let version = version.ok_or(ClockChangeError::NoCalendar(era.version))?;
                Ok(Era { from: era.from, version })
            })
            .collect()
    }

    /// The timeline that these stand for.
    ///
    /// # Errors
    /// If there is none, or a version is not here.
    pub fn timeline(&self, eras: &[EraRef]) -> Result<Timeline, ClockChangeError> {
        Timeline::from_eras(self.eras(eras)?).ok_or(ClockChangeError::NoEra)
    }

    /// A policy's version.
    ///
    /// # Errors
    /// If it is not here.
    pub fn policy(&self, id: SlaPolicyVersionId) -> Result<Arc<PolicyVersion>, ClockChangeError> {
        self.policies.get(&id).map(Arc::clone).ok_or(ClockChangeError::NoPolicy(id))
    }
}

/// A change that cannot have happened to these clocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockChangeError {
    /// A running clock was to change, and none runs.
    #[error("no clock runs that it could change")]
    NoneRuns,
    /// A clock was to start while another one runs.
    #[error("a clock runs already")]
    OneRuns,
    /// A visit was to go on that is not there.
    #[error("there is no visit {0}")]
    NoVisit(StageVisitId),
    /// A version of a policy is missing.
    #[error("there is no policy version {0}")]
    NoPolicy(SlaPolicyVersionId),
    /// A version of a calendar is missing.
    #[error("there is no calendar version {0}")]
    NoCalendar(CalendarVersionId),
    /// A visit without any calendar.
    #[error("a visit needs a calendar")]
    NoEra,
}

/// The visits of one ticket, or those of them that matter, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketClocks {
    /// Whose they are.
    pub ticket_id: TicketId,
    /// The visits.
    pub visits: Vec<Visit>,
}

impl TicketClocks {
    /// The visit that has not been left.
    pub fn running(&self) -> Option<&Visit> {
        self.visits.iter().find(|visit| visit.left_at.is_none())
    }

    /// Carries out a change that happened at `now`.
    ///
    /// # Errors
    /// If it cannot have happened to these clocks. Nothing is changed then.
    pub fn apply(
        &mut self,
        change: &ClockChange,
        library: &Library,
        now: DateTime<Utc>,
    ) -> Result<(), ClockChangeError> {
        match change {
            ClockChange::Entered { visit_id, policy, rank, deadline_on, eras } => {
                if self.running().is_some() {
                    return Err(ClockChangeError::OneRuns);
                }
                let (policy, timeline) = (library.policy(*policy)?, library.timeline(eras)?);
                let id = (*visit_id, self.ticket_id);
                self.visits.push(Visit::enter(id, policy, *rank, timeline, *deadline_on, now));
            }
            ClockChange::CameBack { visit_id, pause_id, deadline_on } => {
                if self.running().is_some() {
                    return Err(ClockChangeError::OneRuns);
                }
                let visit = self.visits.iter_mut().find(|visit| visit.id == *visit_id);
                let visit = visit.ok_or(ClockChangeError::NoVisit(*visit_id))?;
                visit.come_back(*pause_id, *deadline_on, now);
            }
            ClockChange::Left { assignee } => {
                let visit = self.run()?;
                visit.leave(now);
                visit.assignee = *assignee;
            }
            ClockChange::Paused { pause_id, reason, resume_at } => {
                self.run()?.pause(*pause_id, *reason, *resume_at, now);
            }
            ClockChange::Resumed { reason } => {
                self.run()?.resume(|other| other == *reason, now);
            }
            ClockChange::PauseVoided { visit_id, pause_id } => {
                let visit = self.visits.iter_mut().find(|visit| visit.id == *visit_id);
                visit.ok_or(ClockChangeError::NoVisit(*visit_id))?.void_pause(*pause_id, now);
            }
            ClockChange::DeadlineMoved { deadline_on } => self.run()?.set_deadline(*deadline_on, now),
            ClockChange::Reckoned { policy, rank, eras } => {
                let (policy, eras) = (library.policy(*policy)?, library.eras(eras)?);
                self.run()?.reckon(policy, *rank, eras, now);
            }
            ClockChange::DueOverridden { due_at } => self.run()?.override_due(*due_at, now),
            ClockChange::LevelReached { level } => self.run()?.note_level(*level, now),
            ClockChange::Acknowledged => self.run()?.acknowledge(now),
            ClockChange::Snoozed { until } => self.run()?.snooze(*until, now),
        }
        Ok(())
    }

    fn run(&mut self) -> Result<&mut Visit, ClockChangeError> {
        self.visits.iter_mut().find(|visit| visit.left_at.is_none()).ok_or(ClockChangeError::NoneRuns)
    }
}

/// A history that does not make clocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {position} of the history cannot have happened")]
pub struct ReplayError {
    /// The position of the event in the log.
    pub position: i64,
    /// Why not.
    #[source]
    pub source: ClockChangeError,
}

/// One event of a history, as far as clocks are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockEvent {
    /// The position in the log.
    pub position: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it did.
    pub changes: Vec<ClockChange>,
}

/// Makes the clocks of a ticket again from its whole history.
///
/// # Errors
/// If an event cannot have happened after those before it.
pub fn replay(ticket_id: TicketId, history: &[ClockEvent], library: &Library) -> Result<TicketClocks, ReplayError> {
    let mut clocks = TicketClocks { ticket_id, visits: Vec::new() };
    for event in history {
        for change in &event.changes {
            clocks
                .apply(change, library, event.at)
                .map_err(|source| ReplayError { position: event.position, source })?;
        }
    }
    Ok(clocks)
}

/// What differs between stored visits and those that the history makes, one line each; nothing where all is as it must be.
pub fn differences(stored: &[Visit], replayed: &[Visit]) -> Vec<String> {
    let mut found = Vec::new();
    for visit in stored {
        match replayed.iter().find(|other| other.id == visit.id) {
            None => found.push(format!("the visit {} of {} is not in the history", visit.id, visit.stage)),
            Some(other) => found.extend(differing(visit, other)),
        }
    }
    let is_missing = |visit: &&Visit| stored.iter().all(|other| other.id != visit.id);
    let missing = replayed.iter().filter(is_missing);
    found.extend(missing.map(|visit| format!("the visit {} of {} is not stored", visit.id, visit.stage)));
    found
}

/// The members in which two readings of a visit differ.
fn differing(stored: &Visit, replayed: &Visit) -> Vec<String> {
    macro_rules! compare {
        ($($member:ident),+ $(,)?) => {
            [$((stringify!($member), format!("{:?}", stored.$member), format!("{:?}", replayed.$member))),+]
        };
    }
    let eras = |visit: &Visit| format!("{:?}", visit.timeline.eras().map(EraRef::from).collect::<Vec<_>>());
    let pauses = |visit: &Visit| {
        let mut pauses = visit.pauses.clone();
        pauses.sort_by_key(|pause| (pause.started_at, pause.id));
        format!("{pauses:?}")
    };
    let members = compare![
        ticket_id,
        stage,
        entered_at,
        left_at,
        rank,
        budget,
        deadline_on,
        override_due_at,
        due_at,
        original_due_at,
        warns_at,
        breached_at,
        elapsed,
        paused,
        assignee,
        late_at,
        next_alert_at,
        alerted_level,
        acknowledged_at,
        snoozed_until,
        moved_at,
    ];
    let others = [
        ("policy", stored.policy.id.to_string(), replayed.policy.id.to_string()),
        ("eras", eras(stored), eras(replayed)),
        ("pauses", pauses(stored), pauses(replayed)),
    ];
    members
        .into_iter()
        .chain(others)
        .filter(|(_, stored, replayed)| stored != replayed)
        .map(|(member, is, must_be)| format!("{} {member}: stored {is}, by its history {must_be}", stored.stage))
        .collect()
}
