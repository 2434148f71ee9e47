//! Filling a database: one ticket is filed through the service, and copied.
//!
//! Each copy was filed a [`STEP`] after the one before, has its event and a notice that was sent, and reaches its levels a step
//! later. The clock of one in twenty is paused. Documents for the search are not made: no job reads them.

use std::ops::Range;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    clock_pause, company, contact,
    id::{ClockPauseId, NoticeId, StageVisitId, TicketId},
    notice, person, stage_visit, ticket, ticket_event, ticket_subtype,
    vocab::{Category, CompanyTier, NoticeState, PauseReason, Severity, Team},
};
use futures_util::future::try_join_all;
use sea_orm::{
    ActiveValue::NotSet, ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    IntoActiveModel, QueryFilter, TransactionTrait,
};
use secondline::{
    domain::{
        actor::Actor,
        facts::{FactsPatch, Patch},
    },
    service::{
        directory::{Particulars, PersonInput},
        tickets::{FactsInput, NewTicket},
    },
    store::connection,
};

use crate::world::{Engine, STEP, World};

/// Tickets in one statement: their parameters are within what SQLite takes.
const ROWS: usize = 500;
/// Tickets in one transaction.
const BATCH: usize = 10_000;
/// Clients whose tickets they are.
const COMPANIES: usize = 50;
/// Members of every team; of Operations all are told of a warning.
const MEMBERS: usize = 3;
/// As long as what people write.
const DESCRIPTION: &str = "The CSV export of the orders page ends after 1000 rows, whatever the filter says. The page itself shows \
    all of them, and the count below the table is right. It began on Monday after the update; the nightly export to the \
    warehouse, which goes through the same address, stops at the same row and reports success, so that nobody noticed for \
    two days. Exports of other pages are complete.";
const STEPS: &str = "Sign in as a manager. Open the orders page, choose last month, press Export and then CSV. Open the file: it has \
    1000 rows and a header. Compare with the count below the table.";

/// What is copied.
struct Template {
    ticket: ticket::Model,
    visit: stage_visit::Model,
    events: Vec<ticket_event::Model>,
    notice: notice::Model,
    clients: Vec<contact::Model>,
    assignee: person::Model,
}

impl World {
    /// Fills the database and lets it take stock of itself.
    pub async fn fill(&mut self) -> anyhow::Result<()> {
        connection::migrate(&self.url).await?;
        self.service.ensure_reference_data(chrono_tz::UTC).await?;
        let template = self.template().await?;
        self.first_level_at = template.visit.next_alert_at.context("the clock counts")? + STEP;
        // Without the limits on statements that the service's connections have.
        let mut options = ConnectOptions::new(&self.url);
        options.sqlx_logging(false);
        let db = Database::connect(options).await?;
        let writers = match self.engine {
            Engine::Sqlite => 1,
            Engine::Postgres => 2,
        };
        let share = self.open.div_ceil(writers);
        let shares = (0..writers).map(|writer| {
            let of_writer = (writer * share).max(1)..((writer + 1) * share).min(self.open);
            self.copy(&db, &template, of_writer)
        });
        try_join_all(shares).await?;
        let take_stock: &[&str] = match self.engine {
            Engine::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Engine::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
        };
        for sql in take_stock {
            db.execute_unprepared(sql).await?;
        }
        Ok(db.close().await?)
    }

    /// Takes all mail that waits for sent.
    pub async fn empty_outbox(&self) -> anyhow::Result<()> {
        self.db
            .execute_unprepared(
                "UPDATE notice SET state = 'SENT', sent_at = created_at WHERE state IN ('HELD', 'QUEUED')",
            )
            .await?;
        Ok(())
    }

    /// Files a ticket and lets it reach its first level, as all others will.
    async fn template(&self) -> anyhow::Result<Template> {
        let clients = self.clients().await?;
        let assignee = self.staff().await?;
        let client = clients.first().context("there are clients")?;
        let subtypes = ticket_subtype::Entity::find().filter(ticket_subtype::COLUMN.category.eq(Category::BugsDefects));
        let subtype = subtypes.one(&self.db).await?.context("there are subtypes")?;
        let facts = FactsPatch {
            subject: Patch::Set("Export of orders stops at row 1000".to_owned()),
            description: Patch::Set(DESCRIPTION.to_owned()),
            category: Patch::Set(Category::BugsDefects),
            severity: Patch::Set(Severity::Major),
            steps_to_reproduce: Patch::Set(STEPS.to_owned()),
            acceptance_criteria: Patch::Set("All rows are exported, however many there are.".to_owned()),
            target_url: Patch::Set("https://shop.example.com/orders?range=last-month".to_owned()),
            ..FactsPatch::default()
        };
        let new = NewTicket {
            id: None,
            company_id: Some(client.company_id),
            contact_id: Some(client.id),
            level_one_reference: Some("CS-20417".to_owned()),
            facts: FactsInput { facts, subtype_id: Patch::Set(subtype.id) },
        };
        let id = self.service.create_ticket(&Actor::System, new).await?.id;
        let ticket = ticket::Entity::find_by_id(id).one(&self.db).await?.context("it was filed")?;
        let visits = stage_visit::Entity::find().filter(stage_visit::COLUMN.ticket_id.eq(id));
        let visit = visits.one(&self.db).await?.context("it entered a stage")?;
        let events = ticket_event::Entity::find().filter(ticket_event::COLUMN.ticket_id.eq(id)).all(&self.db).await?;
        self.clock.set(visit.next_alert_at.context("its clock counts")?);
        self.service.sla_scan().await?;
        let notices = notice::Entity::find().filter(notice::COLUMN.ticket_id.eq(id));
        let notice = notices.one(&self.db).await?.context("people were told")?;
        Ok(Template { ticket, visit, events, notice, clients, assignee })
    }

    async fn clients(&self) -> anyhow::Result<Vec<contact::Model>> {
        let mut clients = Vec::new();
        for number in 1..=COMPANIES {
            let name = format!("Company {number}");
            let company: company::Model =
                self.service.create_company(&Actor::System, &name, Some(CompanyTier::TierTwo)).await?;
            let particulars = particulars(&format!("Client {number}"));
            clients.push(self.service.create_contact(&Actor::System, company.id, particulars).await?);
        }
        Ok(clients)
    }

    /// Hires all teams; answers a member of Operations.
    async fn staff(&self) -> anyhow::Result<person::Model> {
        let mut assignee = None;
        for team in Team::all() {
            for number in 0..=MEMBERS {
                let (teams, manages) = if number == 0 { (vec![], vec![team]) } else { (vec![team], vec![]) };
                let input = PersonInput {
                    particulars: particulars(&format!("{team} {number}")),
                    teams: Some(teams),
                    manages: Some(manages),
                    ..PersonInput::default()
                };
                let hired = self.service.create_person(&Actor::System, input).await?;
                if hired.teams.contains(&Team::Operations) {
                    assignee = Some(hired.person);
                }
            }
        }
        assignee.context("Operations has members")
    }

    async fn copy(&self, db: &DatabaseConnection, template: &Template, numbers: Range<usize>) -> anyhow::Result<()> {
        let mut first = numbers.start;
        while first < numbers.end {
            let end = (first + BATCH).min(numbers.end);
            let tx = db.begin().await?;
            while first < end {
                let some = first..(first + ROWS).min(end);
                first = some.end;
                self.copy_some(&tx, template, some).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn copy_some(
        &self,
        db: &impl ConnectionTrait,
        template: &Template,
        numbers: Range<usize>,
    ) -> anyhow::Result<()> {
        let mut tickets = Vec::new();
        let (mut visits, mut pauses) = (Vec::new(), Vec::new());
        let (mut events, mut notices) = (Vec::new(), Vec::new());
        for number in numbers {
            let later = STEP * i32::try_from(number)?;
            let (ticket, visit) = self.another(template, number, later)?;
            events.extend(template.events.iter().map(|event| {
                ticket_event::ActiveModel {
                    id: NotSet,
                    ..ticket_event::Model { ticket_id: ticket.id, happened_at: ticket.created_at, ..event.clone() }
                        .into_active_model()
                }
            }));
            notices.push(self.sent(template, &ticket, &visit));
            if number >= self.counting() {
                pauses.push(self.pause(&visit, number % 2 == 0).into_active_model());
            }
            tickets.push(ticket.into_active_model());
            visits.push(visit.into_active_model());
        }
        ticket::Entity::insert_many(tickets).exec_without_returning(db).await?;
        stage_visit::Entity::insert_many(visits).exec_without_returning(db).await?;
        ticket_event::Entity::insert_many(events).exec_without_returning(db).await?;
        notice::Entity::insert_many(notices).exec_without_returning(db).await?;
        if !pauses.is_empty() {
            clock_pause::Entity::insert_many(pauses).exec_without_returning(db).await?;
        }
        Ok(())
    }

    /// Another ticket like the first one, so much later.
    fn another(
        &self,
        template: &Template,
        number: usize,
        later: TimeDelta,
    ) -> anyhow::Result<(ticket::Model, stage_visit::Model)> {
        let client = template.clients.get(number % template.clients.len()).context("there are clients")?;
        let ticket = ticket::Model {
            id: self.clock.new_id(TicketId),
            number: i64::try_from(number)? + template.ticket.number,
            company_id: client.company_id,
            contact_id: client.id,
            assignee_id: Some(template.assignee.id),
            created_at: template.ticket.created_at + later,
            updated_at: template.ticket.updated_at + later,
            ..template.ticket.clone()
        };
        let counts = number < self.counting();
        let at = |time: Option<DateTime<Utc>>| time.map(|time| time + later);
        let visit = &template.visit;
        let visit = stage_visit::Model {
            id: self.clock.new_id(StageVisitId),
            ticket_id: ticket.id,
            entered_at: visit.entered_at + later,
            original_due_at: at(visit.original_due_at),
            due_at: at(visit.due_at).filter(|_| counts),
            warns_at: at(visit.warns_at).filter(|_| counts),
            next_alert_at: at(visit.next_alert_at).filter(|_| counts),
            ..visit.clone()
        };
        Ok((ticket, visit))
    }

    fn sent(&self, template: &Template, ticket: &ticket::Model, visit: &stage_visit::Model) -> notice::ActiveModel {
        let id = self.clock.new_id(NoticeId);
        let at = ticket.created_at;
        notice::Model {
            id,
            ticket_id: Some(ticket.id),
            visit_id: Some(visit.id),
            dedupe_key: format!("{}:{id}", template.notice.dedupe_key),
            state: NoticeState::Sent,
            attempts: 1,
            next_attempt_at: at,
            created_at: at,
            sent_at: Some(at),
            ..template.notice.clone()
        }
        .into_active_model()
    }

    fn pause(&self, visit: &stage_visit::Model, ends_by_itself: bool) -> clock_pause::Model {
        let started_at = visit.entered_at + TimeDelta::hours(1);
        clock_pause::Model {
            id: self.clock.new_id(ClockPauseId),
            visit_id: visit.id,
            reason: PauseReason::OnHold,
            started_at,
            ended_at: None,
            resume_at: ends_by_itself.then(|| started_at + TimeDelta::days(7)),
        }
    }
}

fn particulars(name: &str) -> Particulars {
    Particulars {
        name: Some(name.to_owned()),
        email: Some(format!("{}@example.com", name.to_lowercase().replace(' ', "."))),
        locale: None,
        time_zone: Some("Europe/Berlin".to_owned()),
    }
}
