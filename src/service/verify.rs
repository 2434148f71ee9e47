//! Makes clocks again from their history and compares them with what is stored.
//!
//! Nothing is mended: a clock that drifted is a fault of ours, or of whoever touched the database, and people decide.

use std::collections::{BTreeSet, HashMap};

use entity::{id::TicketId, vocab::EventKind};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        actor::{Action, Actor},
        clock_change::{ClockChange, ClockEvent, EraRef, differences, replay},
        notice::{DriftedTicket, NoticeFacts},
        ticket::KEY_PREFIX,
        visit::Visit,
    },
    service::{Result, Service, require},
    store,
};

/// Tickets whose histories are held in memory at once.
const BATCH: u64 = 200;
/// Clocks that drifted and are told one by one; of more, only the number.
const MOST_DRIFTS: usize = 1_000;

/// What became of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Tickets whose clocks were made again.
    pub verified: usize,
    /// Tickets that were filed before the history kept clocks.
    pub without_history: usize,
    /// Tickets whose stored clocks are not what their history says.
    pub drifts: Vec<Drift>,
}

/// A ticket whose stored clocks are not what its history says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its number, as in `L2-123`.
    pub number: i64,
    /// What differs.
    pub differences: Vec<String>,
}

impl Service {
    /// Verifies the clocks of one ticket, or of all.
    pub async fn verify_clocks(&self, actor: &Actor, ticket: Option<TicketId>) -> Result<VerifyReport> {
        require(actor, Action::Administer, "only an administrator verifies clocks")?;
        match ticket {
            Some(ticket) => {
                let mut report = VerifyReport::default();
                let number = store::tickets::find(&self.db, None, ticket).await?.map_or(0, |view| view.ticket.number);
                self.verify_batch(&[(ticket, number)], &mut report).await?;
                Ok(report)
            }
            None => self.verify_all(false).await,
        }
    }

    /// Verifies the clocks of open tickets, and logs what drifted for whoever runs the server.
    pub async fn verify_open_clocks(&self) -> Result<VerifyReport> {
        let report = self.verify_all(true).await?;
        for drift in &report.drifts {
            let what = drift.differences.join("; ");
            tracing::error!(ticket.id = %drift.ticket_id, ticket.number = drift.number, what, "a stored clock has drifted");
        }
        self.tell_drift(&report.drifts).await?;
        Ok(report)
    }

    /// Tells the administrators which clocks drifted.
    async fn tell_drift(&self, drifts: &[Drift]) -> Result<()> {
        if drifts.is_empty() {
            return Ok(());
        }
        let tickets = drifts.iter().map(|drift| DriftedTicket {
            ticket_key: format!("{KEY_PREFIX}{}", drift.number),
            differences: drift.differences.clone(),
        });
        let facts = NoticeFacts::drift(tickets.collect());
        let now = self.clock.now();
        let tx = self.begin().await?;
        let people = store::directory::active_people(&tx).await?;
        let administrators = people.iter().filter(|row| row.person.administrator);
        // Every replica verifies; one mail a night is enough.
        let occasion = now.date_naive().to_string();
        let rows = administrators.map(|row| self.to_person_of_many(&row.person, facts.clone(), &occasion, now));
        store::notices::enqueue(&tx, rows.collect::<Result<_>>()?).await?;
        self.commit(tx).await
    }

    async fn verify_all(&self, only_open: bool) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut after = 0;
        loop {
            let tickets = store::tickets::numbers_after(&self.db, after, only_open, BATCH).await?;
            let Some((_, last)) = tickets.last() else { return Ok(report) };
            after = *last;
            self.verify_batch(&tickets, &mut report).await?;
            if report.drifts.len() >= MOST_DRIFTS {
                return Ok(report);
            }
        }
    }

    /// Reads one state of the database: between two statements a ticket could move.
    async fn verify_batch(&self, tickets: &[(TicketId, i64)], report: &mut VerifyReport) -> Result<()> {
        let ids: Vec<_> = tickets.iter().map(|(id, _)| *id).collect();
        let snapshot = self.db.begin_snapshot().await?;
        let mut stored: HashMap<TicketId, Vec<Visit>> = HashMap::new();
        for visit in store::visits::all_of_many(&snapshot, &ids).await? {
            stored.entry(visit.ticket_id).or_default().push(visit);
        }
        let mut histories = self.clock_histories(&snapshot, &ids).await?;
        let changes = histories.values().flatten().flat_map(|event| &event.changes);
        let (policies, eras) = referred(changes);
        let library = store::visits::library(&snapshot, policies, &eras).await?;
        snapshot.commit().await?;
        for (id, number) in tickets {
            let history = histories.remove(id).unwrap_or_default();
            if history.first().is_none_or(|event| event.changes.is_empty()) {
                report.without_history += 1;
                continue;
            }
            report.verified += 1;
            let found = match replay(*id, &history, &library) {
                Ok(clocks) => differences(stored.get(id).map_or(&[], Vec::as_slice), &clocks.visits),
                Err(error) => vec![format!("{error}: {}", error.source)],
            };
            if !found.is_empty() {
                report.drifts.push(Drift { ticket_id: *id, number: *number, differences: found });
            }
        }
        Ok(())
    }

    /// What happened to the clocks of tickets; the first event of each is its filing, with or without clocks.
    async fn clock_histories(
        &self,
        db: &impl ConnectionTrait,
        tickets: &[TicketId],
    ) -> Result<HashMap<TicketId, Vec<ClockEvent>>> {
        let mut histories: HashMap<TicketId, Vec<ClockEvent>> = HashMap::new();
        for row in store::events::all_of_many(db, tickets).await? {
            let changes = store::events::data(&row)?.clock;
            if row.kind == EventKind::TicketCreated || !changes.is_empty() {
                let event = ClockEvent { position: row.id, at: row.happened_at, changes };
                histories.entry(row.ticket_id).or_default().push(event);
            }
        }
        Ok(histories)
    }
}

/// The versions of policies and calendars that changes refer to.
fn referred<'a>(
    changes: impl Iterator<Item = &'a ClockChange>,
) -> (BTreeSet<entity::id::SlaPolicyVersionId>, Vec<EraRef>) {
    let (mut policies, mut versions) = (BTreeSet::new(), Vec::new());
    for change in changes {
        if let ClockChange::Entered { policy, eras, .. } | ClockChange::Reckoned { policy, eras, .. } = change {
            policies.insert(*policy);
            versions.extend(eras);
        }
    }
    (policies, versions)
}
