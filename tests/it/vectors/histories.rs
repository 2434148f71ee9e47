//! Whole stays: a policy, what happened, and what the clock then shows and explains.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use entity::{
    id::{CalendarId, CalendarVersionId, ClockPauseId, SlaPolicyId, SlaPolicyVersionId, StageVisitId, TicketId},
    vocab::{AlertLevel, CompanyTier, PauseReason, Priority, SegmentKind, SlaStatus, Stage},
};
use secondline::domain::{
    calendar::{
        CalendarDefinition, WorkingCalendar,
        timeline::{CalendarVersion, CalendarVersions},
    },
    explain::{Segment, explain},
    policy::{BudgetRule, PolicyTerms, PolicyVersion, Recipients},
    sla::{AlertPoint, AlertRule, BudgetLength},
    visit::{Policy, Rank, Visit},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{Instant, shown, utc, whole_seconds};

/// As many as there are; fewer would mean that some are no longer read.
const FEWEST_VECTORS: usize = 42;
/// The stage of every stay; the vectors say nothing that depends on it.
const STAGE: Stage = Stage::Validating;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    calendars: BTreeMap<String, CalendarDefinition>,
    policies: BTreeMap<String, Terms>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    calendar: String,
    budgets: Vec<BudgetRule>,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    level: AlertLevel,
    percent_used: Option<u8>,
    overdue_by: Option<BudgetLength>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    why: String,
    events: Vec<Event>,
    now: Instant,
    expect: Expected,
}

#[derive(Deserialize)]
struct Event {
    at: Instant,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
enum What {
    Enter { policy: String, priority: Option<Priority>, tier: Option<CompanyTier> },
    Pause { reason: PauseReason, resume_at: Option<Instant> },
    Resume { reason: PauseReason },
    Priority { priority: Priority },
    Policy { policy: String },
    Calendar { version: String, effective_at: Instant },
    Override { due_at: Option<Instant> },
    Leave,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    budget: Option<BudgetLength>,
    elapsed_seconds: i64,
    status: SlaStatus,
    due_at: Option<Instant>,
    original_due_at: Option<Instant>,
    due_if_resumed_at: Option<Instant>,
    breached_at: Option<Instant>,
    alerts: BTreeMap<String, Option<Instant>>,
    explain: Vec<Explained>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    from: Instant,
    to: Instant,
    counted_seconds: i64,
    why: String,
}

/// What a stay is told by: the policies, and the versions of each calendar that were stated so far.
struct Teller<'a> {
    file: &'a File,
    versions: BTreeMap<String, Vec<Arc<CalendarVersion>>>,
    policy: String,
    visit: Option<Visit>,
}

impl<'a> Teller<'a> {
    fn new(file: &'a File) -> Self {
        let mut teller = Self { file, versions: BTreeMap::new(), policy: String::new(), visit: None };
        for name in file.policies.values().map(|terms| &terms.calendar) {
            teller.versions.entry(name.clone()).or_default().clear();
            teller.state(name, name, DateTime::UNIX_EPOCH);
        }
        teller
    }

    /// States another version of a calendar.
    fn state(&mut self, calendar: &str, definition: &str, effective_at: DateTime<Utc>) {
        let id = self.calendar_id(calendar);
        let versions = self.versions.entry(calendar.to_owned()).or_default();
        let number = versions.len() as i32 + 1;
        versions.push(Arc::new(CalendarVersion {
            id: CalendarVersionId(Uuid::from_u128(id.0.as_u128() * 100 + number as u128)),
            calendar_id: id,
            version: number,
            effective_at,
            calendar: WorkingCalendar::restore(self.file.calendars[definition].clone()).unwrap(),
        }));
    }

    fn calendar_id(&self, name: &str) -> CalendarId {
        CalendarId(Uuid::from_u128(1 + self.file.calendars.keys().position(|other| other == name).unwrap() as u128))
    }

    fn policy(&self) -> Policy {
        let terms = &self.file.policies[&self.policy];
        let number = self.file.policies.keys().position(|other| *other == self.policy).unwrap() as u128;
        let version = PolicyVersion {
            id: SlaPolicyVersionId(Uuid::from_u128(number)),
            policy_id: SlaPolicyId(Uuid::nil()),
            stage: STAGE,
            version: number as i32,
            effective_at: DateTime::UNIX_EPOCH,
            terms: Arc::new(PolicyTerms {
                budgets: terms.budgets.clone(),
                alerts: terms.alerts.iter().map(Alert::rule).collect(),
                ..PolicyTerms::of_process(STAGE, self.calendar_id(&terms.calendar))
            }),
        };
        version.terms.check(STAGE).unwrap();
        let calendar = CalendarVersions::new(self.versions[&terms.calendar].iter().cloned()).unwrap();
        Policy { version: Arc::new(version), calendar }
    }

    fn tell(&mut self, event: &Event) {
        let now = utc(event.at);
        if let What::Enter { policy, priority, tier } = &event.what {
            self.policy.clone_from(policy);
            let policy = self.policy();
            let id = (StageVisitId(Uuid::nil()), TicketId(Uuid::nil()));
            let rank = Rank { priority: *priority, tier: *tier };
            self.visit = Some(Visit::enter(id, policy.version, rank, policy.calendar.from(now), None, now));
            return;
        }
        match &event.what {
            What::Policy { policy } => self.policy.clone_from(policy),
            What::Calendar { version, effective_at } => {
                let calendar = self.file.policies[&self.policy].calendar.clone();
                self.state(&calendar, version, utc(*effective_at));
            }
            _ => {}
        }
        let policy = self.policy();
        let visit = self.visit.as_mut().unwrap();
        match &event.what {
            What::Enter { .. } => {}
            What::Pause { reason, resume_at } => {
                visit.pause(ClockPauseId(Uuid::nil()), *reason, resume_at.map(utc), now);
            }
            What::Resume { reason } => assert!(visit.resume(|other| other == *reason, now), "it was not paused"),
            What::Priority { priority } => {
                let rank = Rank { priority: Some(*priority), ..visit.rank };
                visit.reckon(policy.version, rank, Vec::new(), now);
            }
            What::Policy { .. } | What::Calendar { .. } => {
                let eras = visit.eras_to_follow(&policy, now);
                visit.reckon(policy.version, visit.rank, eras, now);
            }
            What::Override { due_at } => visit.override_due(due_at.map(utc), now),
            What::Leave => visit.leave(now),
        }
    }
}

impl Alert {
    fn rule(&self) -> AlertRule {
        let point = match (self.percent_used, self.overdue_by) {
            (Some(percent), None) => AlertPoint::BudgetUsed { percent },
            (None, Some(after)) => AlertPoint::Overdue { after },
            (None, None) => AlertPoint::DuePassed,
            (Some(_), Some(_)) => panic!("{:?} is reached at one point", self.level),
        };
        AlertRule { level: self.level, point, to: Recipients::default() }
    }
}

fn explained(segment: &Segment) -> Explained {
    let why = match (segment.kind, &segment.holiday, segment.pause_reason) {
        (SegmentKind::Holiday, Some(name), None) => format!("HOLIDAY {name}"),
        (SegmentKind::Paused, None, Some(reason)) => format!("PAUSED {}", reason.word()),
        (kind @ (SegmentKind::Working | SegmentKind::OutsideHours), None, None) => kind.word(),
        other => panic!("{other:?} explains nothing"),
    };
    let (from, to) = (shown(segment.from), shown(segment.to));
    Explained { from, to, counted_seconds: whole_seconds(segment.counted()), why }
}

fn answer(file: &File, vector: &Vector) -> Expected {
    let mut teller = Teller::new(file);
    vector.events.iter().for_each(|event| teller.tell(event));
    let (visit, now) = (teller.visit.unwrap(), utc(vector.now));
    let (reading, explanation) = (visit.reading(now), explain(&visit, now));
    assert!(explanation.segments.is_sorted_by(|one, next| one.to == next.from), "{}: a gap", vector.name);
    let clock = visit.clock();
    let alerts = visit.policy.terms.alerts.iter();
    Expected {
        budget: visit.budget,
        elapsed_seconds: whole_seconds(reading.elapsed),
        status: reading.status,
        due_at: reading.due_at.map(shown),
        original_due_at: visit.original_due_at.map(shown),
        due_if_resumed_at: reading.due_if_resumed_at.map(shown),
        breached_at: reading.breached_at.map(shown),
        alerts: alerts.map(|rule| (rule.level.word(), clock.alert_at(rule.level, now).map(shown))).collect(),
        explain: explanation.segments.iter().map(explained).collect(),
    }
}

#[test]
fn every_published_history_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/histories");
    let (mut count, mut wrong) = (0, Vec::new());
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for vector in &file.vectors {
            count += 1;
            let given = answer(&file, vector);
            if given != vector.expect {
                wrong.push(format!("{name}, “{}” ({}):\n{:#?}\n{given:#?}", vector.name, vector.why, vector.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}, expected and given:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= FEWEST_VECTORS, "only {count} vectors were found");
}
