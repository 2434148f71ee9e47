//! Editing SLA policies and calendars, in versions that never change.
//!
//! An edit records a version and from when on it is in effect. Running clocks follow in batches ([`Service::follow_changes`]), each in
//! a transaction of its own with the event that tells of it; finished visits and recorded alerts never change.

use chrono::{DateTime, Utc};
use entity::{
    calendar, calendar_version,
    id::{CalendarId, CalendarVersionId, SlaPolicyVersionId},
    sla_policy, sla_policy_version,
    vocab::{AuditAction, PauseReason, Reentry, Stage},
};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        actor::{Action, Actor},
        calendar::{CalendarDefinition, WorkingCalendar},
        facts::clean_text,
        policy::{BudgetRule, PolicyTerms},
        refusal::{Code, Problem},
        sla::{AlertRule, BudgetLength},
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_calendar, of_policy},
        check_version, require,
    },
    store::{self, StoreError},
};

/// A calendar's name is one line in a list.
const NAME_LIMIT: usize = 100;
/// Running clocks that follow an edit before it is answered; the rest follow within seconds, by a job.
const FOLLOW_AT_ONCE: usize = 1_000;
pub(super) const ADMINISTRATORS: &str = "only an administrator edits SLA policies and calendars";

/// A change of a stage's policy; what is absent stays.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    /// Which stage's.
    pub stage: Stage,
    /// The budget of tickets that no other one is for, in ISO 8601; `Some(None)` is an explicit none.
    pub budget: Option<Option<String>>,
    /// All budgets.
    pub budgets: Option<Vec<BudgetRule>>,
    /// The calendar it is counted in.
    pub calendar_id: Option<CalendarId>,
    /// When people are told.
    pub alerts: Option<Vec<AlertRule>>,
    /// Why staff may pause the clock.
    pub pause_reasons: Option<Vec<PauseReason>>,
    /// What a return to the stage does.
    pub reentry: Option<Reentry>,
    /// From when on clocks follow it; now where absent.
    pub effective_at: Option<DateTime<Utc>>,
    /// The version that the caller read.
    pub expected_version: Option<i32>,
}

/// A change of a calendar; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct CalendarChange {
    /// Its name.
    pub name: Option<String>,
    /// When people work; the whole definition.
    pub definition: Option<CalendarDefinition>,
    /// From when on it holds, which may be over; now where absent.
    pub effective_at: Option<DateTime<Utc>>,
    /// The version that the caller read.
    pub expected_version: Option<i32>,
}

impl Service {
    /// Changes the SLA policy of a stage; its running clocks follow from the effective time on.
    pub async fn update_sla_policy(
        &self,
        actor: &Actor,
        change: PolicyChange,
    ) -> Result<(sla_policy::Model, calendar::Model)> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        store::policies::hold_to_change(&tx).await?;
        let now = self.clock.now();
        let (mut row, before) = self.policy_to_change(&tx, change.stage, change.expected_version).await?;
        let effective_at = effective_policy(change.effective_at, now)?;
        let is_told_anew = change.alerts.is_some();
        let terms = change.applied_to(before.clone())?;
        if is_told_anew {
            check_people(&tx, &terms).await?;
        }
        let calendar = store::policies::calendar(&tx, terms.calendar_id).await?;
        let calendar = calendar.ok_or_else(|| Problem::at(Code::Unknown, "calendarId", "there is no such calendar"))?;
        row.budget = terms.default_budget().map(|length| length.to_string());
        row.calendar_id = terms.calendar_id;
        row.updated_at = now;
        store::policies::save(&tx, &mut row).await?;
        self.record_policy(&tx, actor, &row, &terms, effective_at).await?;
        let entry = Change::changed(
            AuditAction::PolicyUpdate,
            row.id,
            of_policy(row.stage, &before)?,
            of_policy(row.stage, &terms)?,
        );
        self.audit(&tx, actor, now, entry).await?;
        self.commit(tx).await?;
        self.follow_changes(actor, Some(FOLLOW_AT_ONCE)).await?;
        Ok((row, calendar))
    }

    /// Makes a calendar.
    pub async fn create_calendar(
        &self,
        actor: &Actor,
        name: &str,
        definition: CalendarDefinition,
    ) -> Result<calendar::Model> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let now = self.clock.now();
        let name = checked_name(name)?;
        let calendar = checked_calendar(definition, now)?;
        let tx = self.begin().await?;
        let row = calendar::Model {
            id: self.clock.new_id(CalendarId),
            name,
            definition: stored(&calendar)?,
            version: 1,
            updated_at: now,
        };
        store::policies::insert_calendar(&tx, row.clone()).await.map_err(name_taken)?;
        self.record_calendar(&tx, actor, &row, now).await?;
        let change = Change::made(AuditAction::CalendarCreate, row.id, of_calendar(&row));
        self.audit(&tx, actor, now, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Changes a calendar; the running clocks that are counted in it follow from the effective time on.
    pub async fn update_calendar(
        &self,
        actor: &Actor,
        id: CalendarId,
        change: CalendarChange,
    ) -> Result<calendar::Model> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        store::policies::hold_to_change(&tx).await?;
        let now = self.clock.now();
        let mut row = store::policies::calendar(&tx, id).await?.ok_or(ServiceError::NotFound("calendar"))?;
        let before = of_calendar(&row);
        check_version(row.version, change.expected_version)?;
        if let Some(name) = change.name {
            row.name = checked_name(&name)?;
        }
        let is_redefined = change.definition.is_some();
        if let Some(definition) = change.definition {
            row.definition = stored(&checked_calendar(definition, now)?)?;
        }
        row.updated_at = now;
        store::policies::save_calendar(&tx, &mut row).await.map_err(name_taken)?;
        if is_redefined {
            self.record_calendar(&tx, actor, &row, change.effective_at.unwrap_or(now)).await?;
        }
        let entry = Change::changed(AuditAction::CalendarUpdate, id, before, of_calendar(&row));
        self.audit(&tx, actor, now, entry).await?;
        self.commit(tx).await?;
        self.follow_changes(actor, Some(FOLLOW_AT_ONCE)).await?;
        Ok(row)
    }

    /// A policy that is to be changed, with what its latest version says.
    pub(super) async fn policy_to_change(
        &self,
        db: &impl ConnectionTrait,
        stage: Stage,
        expected_version: Option<i32>,
    ) -> Result<(sla_policy::Model, PolicyTerms)> {
        let unknown = || Problem::at(Code::Unknown, "stage", format!("{stage} has no SLA policy"));
        let row = store::policies::find(db, stage).await?.ok_or_else(unknown)?;
        check_version(row.version, expected_version)?;
        let latest = store::policies::latest_version(db, stage).await?.ok_or_else(unknown)?;
        Ok((row, latest.terms.as_ref().clone()))
    }

    /// Records a version of a policy.
    pub(super) async fn record_policy(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        row: &sla_policy::Model,
        terms: &PolicyTerms,
        effective_at: DateTime<Utc>,
    ) -> Result<()> {
        let terms = serde_json::to_value(terms).map_err(|error| StoreError::corrupt("policy", error))?;
        let version = sla_policy_version::Model {
            id: self.clock.new_id(SlaPolicyVersionId),
            policy_id: row.id,
            stage: row.stage,
            version: row.version,
            terms,
            effective_at,
            recorded_at: row.updated_at,
            recorded_by: actor.person_id(),
        };
        Ok(store::policies::insert_version(db, version).await?)
    }

    /// Records a version of a calendar.
    pub(super) async fn record_calendar(
        &self,
        db: &impl ConnectionTrait,
        actor: &Actor,
        row: &calendar::Model,
        effective_at: DateTime<Utc>,
    ) -> Result<()> {
        let version = calendar_version::Model {
            id: self.clock.new_id(CalendarVersionId),
            calendar_id: row.id,
            version: row.version,
            definition: row.definition.clone(),
            effective_at,
            recorded_at: row.updated_at,
            recorded_by: actor.person_id(),
        };
        Ok(store::policies::insert_calendar_version(db, version).await?)
    }
}

impl PolicyChange {
    /// A change of nothing yet.
    pub const fn of(stage: Stage) -> Self {
        Self {
            stage,
            budget: None,
            budgets: None,
            calendar_id: None,
            alerts: None,
            pause_reasons: None,
            reentry: None,
            effective_at: None,
            expected_version: None,
        }
    }

    /// The terms after the change.
    pub(super) fn applied_to(self, mut terms: PolicyTerms) -> Result<PolicyTerms> {
        if let Some(budgets) = self.budgets {
            terms.budgets = budgets;
        }
        if let Some(budget) = self.budget {
            let budget = budget.as_deref().map(checked_budget).transpose()?;
            terms.budgets.retain(|rule| rule.priority.is_some() || rule.tier.is_some());
            terms.budgets.insert(0, BudgetRule { priority: None, tier: None, budget });
        }
        terms.calendar_id = self.calendar_id.unwrap_or(terms.calendar_id);
        let is_told_anew = self.alerts.is_some();
        terms.alerts = self.alerts.unwrap_or(terms.alerts);
        terms.pause_reasons = self.pause_reasons.unwrap_or(terms.pause_reasons);
        terms.reentry = self.reentry.unwrap_or(terms.reentry);
        let checked =
            terms.check(self.stage).and_then(|()| if is_told_anew { terms.check_recipients() } else { Ok(()) });
        checked.map_err(|error| Problem::at(Code::Invalid, error.field(), error.to_string()))?;
        Ok(terms)
    }
}

/// Refuses alert rules that name people who are not there any more.
pub(super) async fn check_people(db: &impl ConnectionTrait, terms: &PolicyTerms) -> Result<()> {
    let named: Vec<_> = terms.alerts.iter().flat_map(|rule| rule.to.people.iter().copied()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let rows = store::directory::person_rows(db, &named).await?;
    match named.iter().find(|id| rows.get(id).is_none_or(|person| !person.active)) {
        Some(id) => {
            let name = rows.get(id).map_or_else(|| id.to_string(), |person| person.name.clone());
            let message = format!("{name} is no active member of staff, and would not hear of it: name somebody else");
            Err(Problem::at(Code::Invalid, "alerts", message).into())
        }
        None => Ok(()),
    }
}

/// A policy takes effect now or later: what a budget was is settled.
pub(super) fn effective_policy(effective_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    match effective_at {
        Some(at) if at < now => {
            let message = "a policy takes effect now or later; leave effectiveAt out for now";
            Err(Problem::at(Code::Invalid, "effectiveAt", message).into())
        }
        at => Ok(at.unwrap_or(now)),
    }
}

/// A budget as a caller writes it.
pub fn checked_budget(text: &str) -> Result<BudgetLength> {
    let length: std::result::Result<BudgetLength, _> = text.parse();
    Ok(length.map_err(|error| Problem::at(Code::Invalid, "budget", error.to_string()))?)
}

fn checked_name(name: &str) -> Result<String> {
    Ok(clean_text(name, NAME_LIMIT, false)
        .map_err(|(code, why)| Problem::at(code, "name", format!("the name {why}")))?)
}

pub(super) fn checked_calendar(definition: CalendarDefinition, now: DateTime<Utc>) -> Result<WorkingCalendar> {
    let today = now.with_timezone(&definition.zone).date_naive();
    Ok(WorkingCalendar::new(definition, today)
        .map_err(|error| Problem::at(Code::Invalid, "definition", error.to_string()))?)
}

fn stored(calendar: &WorkingCalendar) -> Result<serde_json::Value> {
    Ok(serde_json::to_value(calendar.definition()).map_err(|error| StoreError::corrupt("calendar", error))?)
}

fn name_taken(error: StoreError) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => {
            Problem::at(Code::AlreadyExists, "name", "a calendar with this name exists already").into()
        }
        error => error.into(),
    }
}
