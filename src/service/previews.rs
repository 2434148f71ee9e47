//! What would be: a due time that was asked about, and what an edit of a policy or calendar would do. Nothing is written.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    id::{CalendarId, CalendarVersionId, SlaPolicyVersionId, StageVisitId, TicketId},
    vocab::Stage,
};
use uuid::Uuid;

use crate::{
    domain::{
        actor::{Action, Actor},
        calendar::timeline::{CalendarVersion, CalendarVersions},
        explain::{Explanation, explain},
        policy::PolicyVersion,
        process,
        refusal::{Code, Problem},
        sla::Pause,
        visit::{Policy, Rank, Visit, VisitPause},
    },
    service::{
        Result, Service, ServiceError, check_version,
        policies::{CalendarChange, PolicyChange, checked_calendar, effective_policy},
        require,
    },
    store::{self, visits::OpenVisits},
};

const STAFF: &str = "only staff see SLA clocks";
const ADMINISTRATORS: &str = "only an administrator edits SLA policies and calendars";
/// Visits that are looked at together.
const BATCH: u64 = 1_000;
/// Visits that a preview looks at: some seconds of work.
const MOST_VISITS: usize = 100_000;
/// Moved clocks that a preview lists; of more, only the number.
const MOST_LISTED: usize = 200;
/// Pauses of a question.
const MOST_PAUSES: usize = 100;

/// A stay in a stage that is asked about.
#[derive(Clone, Debug)]
pub struct DueQuestion {
    /// The stage.
    pub stage: Stage,
    /// When it would begin.
    pub entered_at: DateTime<Utc>,
    /// The priority and tier that its ticket would have.
    pub rank: Rank,
    /// In Fixing, the Estimated Delivery Date.
    pub delivery_date: Option<NaiveDate>,
    /// When its clock would stand still.
    pub pauses: Vec<Pause>,
}

/// The answer to a [`DueQuestion`].
#[derive(Clone, Debug)]
pub struct DueAnswer {
    /// The visit as it would be.
    pub visit: Visit,
    /// Why it would be due then.
    pub explanation: Explanation,
}

/// What an edit would do to running clocks.
#[derive(Clone, Debug, Default)]
pub struct ChangePreview {
    /// Running clocks that would follow.
    pub affected: usize,
    /// Those whose due time would be another one.
    pub moved: usize,
    /// Those that would be late at once, and are not.
    pub newly_late: usize,
    /// Those that are late, and would not be by their new due time; their breach stays recorded.
    pub no_longer_late: usize,
    /// Whether all running clocks were looked at.
    pub is_complete: bool,
    /// The first of those that would move.
    pub clocks: Vec<MovedClock>,
}

/// A running clock that an edit would move.
#[derive(Clone, Debug)]
pub struct MovedClock {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its stage.
    pub stage: Stage,
    /// When it is due.
    pub due_before: Option<DateTime<Utc>>,
    /// When it would be due.
    pub due_after: Option<DateTime<Utc>>,
    /// Whether it would be late at once, and is not.
    pub becomes_late: bool,
    /// Whether it is late, and would not be.
    pub is_no_longer_late: bool,
}

impl Service {
    /// When a stay in a stage would be due under the policy that holds when it begins, and why.
    pub async fn preview_due(&self, actor: &Actor, question: DueQuestion) -> Result<DueAnswer> {
        require(actor, Action::SeeInternals, STAFF)?;
        let DueQuestion { stage, entered_at, rank, delivery_date, pauses } = question;
        if !process::is_open(stage) {
            return Err(Problem::at(Code::Invalid, "stage", format!("{stage} has no clock")).into());
        }
        if pauses.len() > MOST_PAUSES {
            return Err(Problem::at(Code::TooLong, "pauses", format!("give at most {MOST_PAUSES} pauses")).into());
        }
        let policies = self.policies(&self.db, entered_at.max(self.clock.now())).await?;
        let policy = policies.of(stage)?;
        let id = (StageVisitId(Uuid::nil()), TicketId(Uuid::nil()));
        let timeline = policy.calendar.from(entered_at);
        let mut visit = Visit::enter(id, Arc::clone(&policy.version), rank, timeline, delivery_date, entered_at);
        visit.pauses = pauses.into_iter().filter_map(as_asked).collect();
        // As it will be seen once every pause that was asked about is over.
        let seen_at =
            visit.pauses.iter().filter_map(|pause| pause.ended_at).max().map_or(entered_at, |at| at.max(entered_at));
        visit.refresh(seen_at);
        let explanation = explain(&visit, seen_at);
        Ok(DueAnswer { visit, explanation })
    }

    /// What a change of a policy would do to its stage's running clocks.
    pub async fn preview_policy_change(&self, actor: &Actor, change: PolicyChange) -> Result<ChangePreview> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let now = self.clock.now();
        effective_policy(change.effective_at, now)?;
        let stage = change.stage;
        let (row, terms) = self.policy_to_change(&self.db, stage, change.expected_version).await?;
        let terms = change.applied_to(terms)?;
        let unknown = || Problem::at(Code::Unknown, "calendarId", "there is no such calendar");
        let mut calendars = store::policies::calendar_versions(&self.db, vec![terms.calendar_id]).await?;
        let calendar = calendars.remove(&terms.calendar_id).ok_or_else(unknown)?;
        let version = PolicyVersion {
            id: SlaPolicyVersionId(Uuid::nil()),
            policy_id: row.id,
            stage,
            version: row.version + 1,
            effective_at: now,
            terms: Arc::new(terms),
        };
        let policy = Policy { version: Arc::new(version), calendar };
        self.preview(OpenVisits::InStage(stage), now, |_| Ok(Some(policy.clone()))).await
    }

    /// What a change of a calendar would do to the running clocks that are counted in it.
    pub async fn preview_calendar_change(
        &self,
        actor: &Actor,
        id: CalendarId,
        change: CalendarChange,
    ) -> Result<ChangePreview> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let now = self.clock.now();
        let row = store::policies::calendar(&self.db, id).await?.ok_or(ServiceError::NotFound("calendar"))?;
        check_version(row.version, change.expected_version)?;
        let Some(definition) = change.definition else {
            return Ok(ChangePreview { is_complete: true, ..ChangePreview::default() });
        };
        let next = CalendarVersion {
            id: CalendarVersionId(Uuid::nil()),
            calendar_id: id,
            version: row.version + 1,
            effective_at: change.effective_at.unwrap_or(now),
            calendar: checked_calendar(definition, now)?,
        };
        let mut known = store::policies::calendar_versions(&self.db, vec![id]).await?;
        let known = known.remove(&id).ok_or(ServiceError::NotFound("calendar"))?;
        let versions = known.iter().map(Arc::clone).chain([Arc::new(next)]);
        let calendar = CalendarVersions::new(versions).ok_or(ServiceError::NotFound("calendar"))?;
        let policies = self.policies(&self.db, now).await?;
        self.preview(OpenVisits::CountedIn(id), now, |stage| {
            let policy = policies.of(stage)?;
            let follows = policy.version.terms.calendar_id == id;
            Ok(follows.then(|| Policy { version: Arc::clone(&policy.version), calendar: calendar.clone() }))
        })
        .await
    }

    async fn preview(
        &self,
        which: OpenVisits,
        now: DateTime<Utc>,
        policy_of: impl Fn(Stage) -> Result<Option<Policy>>,
    ) -> Result<ChangePreview> {
        let mut preview = ChangePreview::default();
        let mut after = None;
        while preview.affected < MOST_VISITS {
            let visits = store::visits::open_after(&self.db, which, after, BATCH).await?;
            let Some(last) = visits.last() else {
                preview.is_complete = true;
                break;
            };
            after = Some(last.id);
            for visit in visits {
                if let Some(policy) = policy_of(visit.stage)? {
                    preview.add(visit, &policy, now);
                }
            }
        }
        Ok(preview)
    }
}

impl ChangePreview {
    fn add(&mut self, visit: Visit, policy: &Policy, now: DateTime<Utc>) {
        self.affected += 1;
        let mut after = visit.clone();
        let eras = visit.eras_to_follow(policy, now);
        after.reckon(Arc::clone(&policy.version), visit.rank, eras, now);
        if after.due_at == visit.due_at {
            return;
        }
        self.moved += 1;
        let is_late = visit.reading(now).breached_at.is_some();
        let would_be_late = after.due_at.is_some_and(|due_at| due_at < now);
        let (becomes_late, is_no_longer_late) = (!is_late && would_be_late, is_late && !would_be_late);
        self.newly_late += usize::from(becomes_late);
        self.no_longer_late += usize::from(is_no_longer_late);
        if self.clocks.len() < MOST_LISTED {
            self.clocks.push(MovedClock {
                ticket_id: visit.ticket_id,
                stage: visit.stage,
                due_before: visit.due_at,
                due_after: after.due_at,
                becomes_late,
                is_no_longer_late,
            });
        }
    }
}

/// A pause as somebody asks about it; one that ends before it begins is none.
fn as_asked(pause: Pause) -> Option<VisitPause> {
    pause.until.is_none_or(|until| until > pause.from).then(|| VisitPause {
        id: entity::id::ClockPauseId(Uuid::nil()),
        reason: entity::vocab::PauseReason::OnHold,
        started_at: pause.from,
        ended_at: pause.until,
        resume_at: None,
    })
}
