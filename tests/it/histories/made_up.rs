//! Makes up a world of policies and calendars, and histories of clocks in it: the same ones at every run.

use std::{cell::Cell, sync::Arc};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::{
    calendar_version,
    id::{CalendarId, CalendarVersionId, ClockPauseId, SlaPolicyId, SlaPolicyVersionId, StageVisitId, TicketId},
    sla_policy, sla_policy_version,
    vocab::{CompanyTier, PauseReason, Priority, Stage},
};
use sea_orm::{EntityTrait, IntoActiveModel};
use secondline::{
    domain::{
        calendar::{
            CalendarDefinition, ClosedHours, Holiday, TimeOfDay, WeekWindow, WorkingCalendar,
            timeline::{CalendarVersion, CalendarVersions},
        },
        clock_change::{ClockChange, ClockEvent, EraRef, Library, TicketClocks},
        policy::{BudgetRule, PolicyTerms, PolicyVersion},
        process,
        visit::{Policy, Rank, Visit},
    },
    store,
};
use uuid::Uuid;

use crate::support::TestApp;

/// The steps of a history at most.
const STEPS: u64 = 14;
const STAGES: [Stage; 5] = [Stage::Validating, Stage::Replicating, Stage::Estimating, Stage::Fixing, Stage::Verifying];
const ZONES: [Tz; 4] = [Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Africa__Casablanca];

/// Numbers that look random and are the same at every run.
struct Dice(Cell<u64>);

impl Dice {
    fn roll(&self, below: u64) -> u64 {
        // SplitMix64.
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[usize::try_from(self.roll(among.len() as u64)).unwrap()]
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(self.roll(u64::MAX), self.roll(u64::MAX))
    }

    /// Up to three days, mostly hours, to the microsecond.
    fn while_(&self) -> TimeDelta {
        let hours = *self.pick(&[1_i64, 6, 30, 72]);
        TimeDelta::microseconds(i64::try_from(self.roll(3_600_000_000 * hours.unsigned_abs())).unwrap())
    }
}

/// A history and the clocks that it made.
#[derive(Debug)]
pub struct History {
    pub number: i64,
    pub clocks: TicketClocks,
    pub events: Vec<ClockEvent>,
}

/// Policies in versions over calendars in versions.
pub struct World {
    pub library: Library,
    policies: Vec<Policy>,
}

impl World {
    /// A world of its own.
    pub fn new() -> Self {
        Self::made(|stage| (SlaPolicyId(Uuid::from_u128(stage as u128 + 1)), 0))
    }

    /// The same, stored beside what the database has.
    pub async fn stored(app: &TestApp) -> Self {
        let known = sla_policy::Entity::find().all(&app.db).await.unwrap();
        let of = |stage| known.iter().find(|policy| policy.stage == stage).map(|policy| (policy.id, 100)).unwrap();
        let world = Self::made(of);
        let some_calendar = app.service.calendars(&secondline::domain::actor::Actor::System).await.unwrap().remove(0);
        let mut calendars: Vec<_> = world.library.calendars.values().collect();
        calendars.sort_by_key(|version| version.version);
        for version in calendars {
            if version.version == 1 {
                let row = entity::calendar::Model {
                    id: version.calendar_id,
                    name: version.calendar_id.to_string(),
                    ..some_calendar.clone()
                };
                store::policies::insert_calendar(&app.db, row).await.unwrap();
            }
            let row = calendar_version::Model {
                id: version.id,
                calendar_id: version.calendar_id,
                version: version.version,
                definition: serde_json::to_value(version.calendar.definition()).unwrap(),
                effective_at: version.effective_at,
                recorded_at: version.effective_at,
                recorded_by: None,
            };
            store::policies::insert_calendar_version(&app.db, row).await.unwrap();
        }
        for version in world.library.policies.values() {
            let row = sla_policy_version::Model {
                id: version.id,
                policy_id: version.policy_id,
                stage: version.stage,
                version: version.version,
                terms: serde_json::to_value(version.terms.as_ref()).unwrap(),
                // In effect for nobody but these histories.
                effective_at: "2999-01-01T00:00:00Z".parse().unwrap(),
                recorded_at: version.effective_at,
                recorded_by: None,
            };
            sla_policy_version::Entity::insert(row.into_active_model()).exec_without_returning(&app.db).await.unwrap();
        }
        world
    }

    fn made(policy_of: impl Fn(Stage) -> (SlaPolicyId, i32)) -> Self {
        let dice = Dice(Cell::new(4));
        let mut library = Library::default();
        let calendars: Vec<_> = ZONES.map(|zone| made_calendar(&dice, zone)).to_vec();
        for version in calendars.iter().flat_map(CalendarVersions::iter) {
            library.calendars.insert(version.id, Arc::clone(version));
        }
        let mut policies = Vec::new();
        for (stage, number) in STAGES.into_iter().flat_map(|stage| (1..=4).map(move |number| (stage, number))) {
            let (policy_id, offset) = policy_of(stage);
            let calendar = dice.pick(&calendars).clone();
            let terms = made_terms(&dice, stage, calendar.latest().calendar_id);
            assert_eq!(terms.check(stage), Ok(()));
            let version = Arc::new(PolicyVersion {
                id: SlaPolicyVersionId(dice.uuid()),
                policy_id,
                stage,
                version: offset + number,
                effective_at: DateTime::UNIX_EPOCH,
                terms: Arc::new(terms),
            });
            library.policies.insert(version.id, Arc::clone(&version));
            policies.push(Policy { version, calendar });
        }
        Self { library, policies }
    }

    /// So many histories; `look` sees each running clock after each change.
    pub fn histories(&self, count: usize, look: impl Fn(&Visit, DateTime<Utc>)) -> impl Iterator<Item = History> {
        (0..count).map(move |number| self.history(i64::try_from(number).unwrap(), &look))
    }

    fn history(&self, number: i64, look: &impl Fn(&Visit, DateTime<Utc>)) -> History {
        let dice = Dice(Cell::new(number.unsigned_abs().wrapping_mul(0x2545_F491_4F6C_DD1D) + 1));
        let mut now = DateTime::from_timestamp_micros(
            1_430_000_000_000_000 + i64::try_from(dice.roll(450_000_000_000_000)).unwrap(),
        )
        .unwrap();
        let ticket_id = TicketId(dice.uuid());
        let mut history =
            History { number, clocks: TicketClocks { ticket_id, visits: Vec::new() }, events: Vec::new() };
        self.happen(&mut history, vec![self.entry(&dice, Stage::Validating, now)], now);
        for _ in 0..dice.roll(STEPS) {
            now += dice.while_();
            let changes = self.next(&dice, &history.clocks, now);
            self.happen(&mut history, changes, now);
            if let Some(visit) = history.clocks.running() {
                look(visit, now);
            }
        }
        history
    }

    fn happen(&self, history: &mut History, changes: Vec<ClockChange>, now: DateTime<Utc>) {
        for change in &changes {
            history.clocks.apply(change, &self.library, now).unwrap();
        }
        if !changes.is_empty() {
            let position = i64::try_from(history.events.len()).unwrap();
            history.events.push(ClockEvent { position, at: now, changes });
        }
    }

    /// What happens next; nothing where the dice ask for what cannot happen.
    fn next(&self, dice: &Dice, clocks: &TicketClocks, now: DateTime<Utc>) -> Vec<ClockChange> {
        let Some(visit) = clocks.running() else {
            return vec![self.entry(dice, Stage::Validating, now)];
        };
        match dice.roll(14) {
            0..=2 => vec![ClockChange::Left { assignee: None }, self.entry(dice, *dice.pick(&STAGES), now)],
            3 => {
                let back = dice.pick(&clocks.visits).id;
                let deadline_on = Some(date_near(dice, now));
                let pause_id = ClockPauseId(dice.uuid());
                vec![
                    ClockChange::Left { assignee: None },
                    ClockChange::CameBack { visit_id: back, pause_id, deadline_on },
                ]
            }
            4 => vec![ClockChange::Left { assignee: None }],
            5 | 6 => {
                let reason =
                    *dice.pick(&[PauseReason::WaitingClient, PauseReason::OnHold, PauseReason::WaitingRelease]);
                if visit.is_paused_for(reason) {
                    return vec![ClockChange::Resumed { reason }];
                }
                let resume_at = (dice.roll(2) == 0).then(|| now + dice.while_());
                vec![ClockChange::Paused { pause_id: ClockPauseId(dice.uuid()), reason, resume_at }]
            }
            7 => vec![ClockChange::Resumed { reason: PauseReason::OnHold }],
            8 => vec![ClockChange::DeadlineMoved { deadline_on: date_near(dice, now) }],
            9 | 10 => {
                let of_stage: Vec<_> =
                    self.policies.iter().filter(|policy| policy.version.stage == visit.stage).collect();
                let policy = dice.pick(&of_stage);
                let eras = visit.eras_to_follow(policy, now).iter().map(EraRef::from).collect();
                vec![ClockChange::Reckoned { policy: policy.version.id, rank: rank(dice), eras }]
            }
            11 => vec![ClockChange::DueOverridden { due_at: (dice.roll(2) == 0).then(|| now + dice.while_()) }],
            12 => {
                let reached = visit.clock().crossed(visit.alerted_level, now);
                reached.last().map(|(level, _)| ClockChange::LevelReached { level: *level }).into_iter().collect()
            }
            _ if dice.roll(2) == 0 => vec![ClockChange::Acknowledged],
            _ => vec![ClockChange::Snoozed { until: now + dice.while_() }],
        }
    }

    fn entry(&self, dice: &Dice, stage: Stage, now: DateTime<Utc>) -> ClockChange {
        let of_stage: Vec<_> = self.policies.iter().filter(|policy| policy.version.stage == stage).collect();
        let policy = dice.pick(&of_stage);
        ClockChange::Entered {
            visit_id: StageVisitId(dice.uuid()),
            policy: policy.version.id,
            rank: rank(dice),
            deadline_on: Some(date_near(dice, now)),
            eras: policy.calendar.from(now).eras().map(EraRef::from).collect(),
        }
    }
}

fn rank(dice: &Dice) -> Rank {
    let priorities = [None, Some(Priority::Urgent), Some(Priority::Normal)];
    let tiers = [None, Some(CompanyTier::TierOne), Some(CompanyTier::TierThree)];
    Rank { priority: *dice.pick(&priorities), tier: *dice.pick(&tiers) }
}

fn date_near(dice: &Dice, now: DateTime<Utc>) -> NaiveDate {
    (now + TimeDelta::days(i64::try_from(dice.roll(12)).unwrap() - 2)).date_naive()
}

fn made_terms(dice: &Dice, stage: Stage, calendar_id: CalendarId) -> PolicyTerms {
    let mut terms = PolicyTerms::of_process(stage, calendar_id);
    if process::stage(stage).sla != process::StageSla::DeliveryDate {
        let budget = |dice: &Dice| {
            let lengths = [None, Some("P1D"), Some("P2D"), Some("PT4H"), Some("P1DT30M"), Some("PT90S")];
            dice.pick(&lengths).map(|text| text.parse().unwrap())
        };
        terms.budgets = vec![
            BudgetRule { priority: None, tier: None, budget: budget(dice) },
            BudgetRule { priority: Some(Priority::Urgent), tier: None, budget: budget(dice) },
            BudgetRule { priority: None, tier: Some(CompanyTier::TierOne), budget: budget(dice) },
            BudgetRule { priority: Some(Priority::Urgent), tier: Some(CompanyTier::TierOne), budget: budget(dice) },
        ];
    }
    terms
}

/// A calendar with lunch breaks and holidays, edited every year or two.
fn made_calendar(dice: &Dice, zone: Tz) -> CalendarVersions {
    let calendar_id = CalendarId(dice.uuid());
    let versions = (1..=6).map(|number| {
        let year = 2013 + 2 * number;
        let effective_at = if number == 1 {
            DateTime::UNIX_EPOCH
        } else {
            NaiveDate::from_ymd_opt(year, 3, 1).unwrap().and_hms_opt(12, 30, 0).unwrap().and_utc()
        };
        Arc::new(CalendarVersion {
            id: CalendarVersionId(dice.uuid()),
            calendar_id,
            version: number,
            effective_at,
            calendar: WorkingCalendar::restore(definition(dice, zone)).unwrap(),
        })
    });
    CalendarVersions::new(versions.collect::<Vec<_>>()).unwrap()
}

fn definition(dice: &Dice, zone: Tz) -> CalendarDefinition {
    use chrono::Weekday::{Fri, Mon, Sat, Thu, Tue, Wed};
    let time = |hour, minute| TimeOfDay::new(hour, minute).unwrap();
    let opening = u16::try_from(dice.roll(3)).unwrap() + 1;
    let mut week = Vec::new();
    for day in [Mon, Tue, Wed, Thu, Fri] {
        week.push(WeekWindow { day, from: time(opening, 0), to: time(12, 0) });
        week.push(WeekWindow { day, from: time(12, 30), to: time(17, 15) });
    }
    if dice.roll(2) == 0 {
        week.push(WeekWindow { day: Sat, from: time(20, 0), to: TimeOfDay::END_OF_DAY });
    }
    let first = NaiveDate::from_ymd_opt(2015, 1, 1).unwrap();
    let holidays = (0..200).map(|number| Holiday {
        on: first + TimeDelta::days(i64::try_from(dice.roll(15 * 365)).unwrap()),
        name: format!("Holiday {number}"),
        closed: (dice.roll(3) == 0).then(|| ClosedHours { from: time(10, 0), to: time(14, 0) }),
    });
    CalendarDefinition { zone, minutes_per_day: 8 * 60, week, holidays: holidays.collect(), extra: Vec::new() }
}
