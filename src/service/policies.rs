//! Editing SLA policies and calendars. Running clocks follow at once; finished visits and recorded alerts never change.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::{
    calendar,
    id::CalendarId,
    sla_policy,
    vocab::{AuditAction, EventKind, Stage},
};
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{
        actor::{Action, Actor},
        calendar::{CalendarDefinition, WorkingCalendar},
        event::{Event, EventData},
        facts::clean_text,
        process::{self, StageSla},
        refusal::{Code, Problem},
        sla::BudgetLength,
        visit::{Policy, Visit},
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
const ADMINISTRATORS: &str = "only an administrator edits SLA policies and calendars";

/// A change of a stage's policy; what is absent stays.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    /// Which stage's.
    pub stage: Stage,
    /// The budget, in ISO 8601; `Some(None)` is an explicit none.
    pub budget: Option<Option<String>>,
    /// The calendar it is counted in.
    pub calendar_id: Option<CalendarId>,
    /// The version that the caller read.
    pub expected_version: Option<i32>,
}

impl Service {
    /// Changes the SLA policy of a stage; its running clocks follow from now on.
    pub async fn update_sla_policy(
        &self,
        actor: &Actor,
        change: PolicyChange,
    ) -> Result<(sla_policy::Model, calendar::Model)> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        let unknown = || Problem::at(Code::Unknown, "stage", format!("{} has no SLA policy", change.stage));
        store::policies::hold_to_change(&tx).await?;
        let now = self.clock.now();
        let mut row = store::policies::find(&tx, change.stage).await?.ok_or_else(unknown)?;
        let before = of_policy(&row);
        check_version(row.version, change.expected_version)?;
        if let Some(budget) = change.budget {
            row.budget = checked_budget(change.stage, budget.as_deref())?.map(|length| length.to_string());
        }
        row.calendar_id = change.calendar_id.unwrap_or(row.calendar_id);
        let calendar = store::policies::calendar(&tx, row.calendar_id).await?;
        let calendar = calendar.ok_or_else(|| Problem::at(Code::Unknown, "calendarId", "there is no such calendar"))?;
        row.updated_at = now;
        store::policies::save(&tx, &mut row).await?;
        let policy = store::policies::policy_from_rows(&row, calendar.clone())?;
        let visits = store::visits::open_in(&tx, Some(change.stage), None).await?;
        self.follow(&tx, actor, visits, now, |visit| visit.follow(&policy, now)).await?;
        let change = Change::changed(AuditAction::PolicyUpdate, row.id, before, of_policy(&row));
        self.audit(&tx, actor, now, change).await?;
        self.commit(tx).await?;
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
        let change = Change::made(AuditAction::CalendarCreate, row.id, of_calendar(&row));
        self.audit(&tx, actor, now, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Changes a calendar; the running clocks that are counted in it follow from now on.
    pub async fn update_calendar(
        &self,
        actor: &Actor,
        id: CalendarId,
        name: Option<&str>,
        definition: Option<CalendarDefinition>,
        expected_version: Option<i32>,
    ) -> Result<calendar::Model> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        store::policies::hold_to_change(&tx).await?;
        let now = self.clock.now();
        let mut row = store::policies::calendar(&tx, id).await?.ok_or(ServiceError::NotFound("calendar"))?;
        let before = of_calendar(&row);
        check_version(row.version, expected_version)?;
        if let Some(name) = name {
            row.name = checked_name(name)?;
        }
        let calendar = match definition {
            Some(definition) => checked_calendar(definition, now)?,
            None => store::policies::working_calendar(row.clone())?,
        };
        row.definition = stored(&calendar)?;
        row.updated_at = now;
        store::policies::save_calendar(&tx, &mut row).await.map_err(name_taken)?;
        let calendar = Arc::new(calendar);
        let visits = store::visits::open_in(&tx, None, Some(id)).await?;
        self.follow(&tx, actor, visits, now, |visit| {
            let policy =
                Policy { stage: visit.stage, budget: visit.budget, calendar_id: id, calendar: Arc::clone(&calendar) };
            visit.follow(&policy, now)
        })
        .await?;
        let change = Change::changed(AuditAction::CalendarUpdate, id, before, of_calendar(&row));
        self.audit(&tx, actor, now, change).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Lets running clocks follow a change, and writes it into the history of the tickets whose due time moved.
    async fn follow(
        &self,
        tx: &DatabaseTransaction,
        actor: &Actor,
        visits: Vec<Visit>,
        now: DateTime<Utc>,
        mut change: impl FnMut(&mut Visit) -> bool,
    ) -> Result<()> {
        let mut moved = Vec::new();
        for mut visit in visits {
            if change(&mut visit) {
                moved.push((visit.ticket_id, visit.stage));
            }
            store::visits::save(tx, &visit).await?;
        }
        let events: Vec<_> = moved
            .into_iter()
            .map(|(ticket, stage)| {
                let data = EventData { to_stage: Some(stage), ..EventData::default() };
                (ticket, Event { kind: EventKind::ClockRecomputed, data })
            })
            .collect();
        let events = events.iter().map(|(ticket, event)| (*ticket, event));
        Ok(store::events::append_many(tx, actor, now, events).await?)
    }
}

fn checked_budget(stage: Stage, budget: Option<&str>) -> Result<Option<BudgetLength>> {
    let Some(text) = budget else { return Ok(None) };
    if process::stage(stage).sla == StageSla::DeliveryDate {
        let message = format!("the deadline of {stage} is the Estimated Delivery Date; it takes no budget");
        return Err(Problem::at(Code::Invalid, "budget", message).into());
    }
    let length: Result<BudgetLength, _> = text.parse();
    Ok(Some(length.map_err(|error| Problem::at(Code::Invalid, "budget", error.to_string()))?))
}

fn checked_name(name: &str) -> Result<String> {
    Ok(clean_text(name, NAME_LIMIT, false)
        .map_err(|(code, why)| Problem::at(code, "name", format!("the name {why}")))?)
}

fn checked_calendar(definition: CalendarDefinition, now: DateTime<Utc>) -> Result<WorkingCalendar> {
    let today = now.with_timezone(&definition.zone).date_naive();
    Ok(WorkingCalendar::new(definition, today)
        .map_err(|error| Problem::at(Code::Invalid, "definition", error.to_string()))?)
}

fn stored(calendar: &WorkingCalendar) -> Result<serde_json::Value> {
    Ok(serde_json::to_value(calendar.definition())
        .map_err(|error| StoreError::Corrupt { what: "calendar", source: error.into() })?)
}

fn name_taken(error: StoreError) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => {
            Problem::at(Code::AlreadyExists, "name", "a calendar with this name exists already").into()
        }
        error => error.into(),
    }
}
