//! What must hold afterwards, asked of the database.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use entity::{
    comment, notice, stage_visit, ticket, ticket_event,
    vocab::{EventKind, NoticeKind, NoticeState, Stage},
};
use sea_orm::{EntityTrait, QueryOrder};
use secondline::{domain::process, store};
use uuid::Uuid;

use super::ledger::{Acknowledged, Ledger};
use crate::support::{TestApp, commands, smtp::SmtpSink};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    pub acknowledged: usize,
    unanswered: usize,
    refused: usize,
    mails: usize,
    /// Mails that the mail server took again, under the same Message-ID: it had not said that it took them.
    repeated_mails: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    contradictions: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "acknowledged, lost, doubled = {}, {}, {}; {} requests unanswered, {} refused as unavailable; \
             {} mails, {} repeated; {} contradictions",
            self.acknowledged,
            self.lost.len(),
            self.doubled.len(),
            self.unanswered,
            self.refused,
            self.mails,
            self.repeated_mails,
            self.contradictions.len()
        )
    }
}

impl Findings {
    pub fn assert_none_broken(&self) {
        let none: [String; 0] = [];
        assert_eq!(self.lost, none, "acknowledged and not stored");
        assert_eq!(self.doubled, none, "stored twice");
        assert_eq!(self.contradictions, none);
    }
}

/// Reads everything and compares it with what was acknowledged.
pub async fn check(app: &TestApp, ledger: &Ledger, smtp: &SmtpSink) -> Findings {
    let acknowledged = ledger.acknowledged();
    let (unanswered, refused) = ledger.failures();
    let mut found = Findings { acknowledged: acknowledged.len(), unanswered, refused, ..Findings::default() };
    found.contradictions.extend(ledger.wrong_answers());
    let rows = Rows::read(app).await;
    rows.compare_with(&acknowledged, &mut found);
    rows.find_doubled(&mut found);
    rows.find_contradictions(&mut found);
    rows.compare_with_mails(smtp, &mut found);
    let (is_right, out, err) = commands::run_on(app, &["sla", "verify"]);
    if !is_right {
        found.contradictions.push(format!("sla verify: {out}{err}"));
    }
    found
}

struct Rows {
    tickets: Vec<ticket::Model>,
    visits: Vec<stage_visit::Model>,
    comments: Vec<comment::Model>,
    events: Vec<ticket_event::Model>,
    notices: Vec<notice::Model>,
    /// The stages that each ticket was moved to.
    moves: HashMap<Uuid, Vec<Stage>>,
}

impl Rows {
    async fn read(app: &TestApp) -> Self {
        let events = ticket_event::Entity::find().order_by_asc(ticket_event::Column::Id).all(&app.db).await.unwrap();
        let mut moves: HashMap<Uuid, Vec<Stage>> = HashMap::new();
        for event in events.iter().filter(|event| event.kind == EventKind::TicketMoved) {
            let to = store::events::data(event).unwrap().to_stage.unwrap();
            moves.entry(event.ticket_id.0).or_default().push(to);
        }
        Self {
            tickets: ticket::Entity::find().all(&app.db).await.unwrap(),
            visits: stage_visit::Entity::find().all(&app.db).await.unwrap(),
            comments: comment::Entity::find().all(&app.db).await.unwrap(),
            notices: notice::Entity::find().all(&app.db).await.unwrap(),
            events,
            moves,
        }
    }

    fn compare_with(&self, acknowledged: &[Acknowledged], found: &mut Findings) {
        let tickets: BTreeMap<Uuid, &ticket::Model> = self.tickets.iter().map(|row| (row.id.0, row)).collect();
        let comments: BTreeSet<Uuid> = self.comments.iter().map(|row| row.id.0).collect();
        for change in acknowledged {
            let is_there = match change {
                Acknowledged::Ticket(id) => tickets.contains_key(id),
                Acknowledged::Comment(id) => comments.contains(id),
                Acknowledged::Move { ticket, version, to } => {
                    // The first version is the filing's; the move to the second is the first.
                    let stage =
                        self.moves.get(ticket).and_then(|moves| moves.get(usize::try_from(version - 2).unwrap()));
                    stage.is_some_and(|stage| serde_json::to_value(stage).unwrap() == to.as_str())
                        && tickets.get(ticket).is_some_and(|row| i64::from(row.version) >= *version)
                }
            };
            if !is_there {
                found.lost.push(format!("{change:?}"));
            }
        }
    }

    fn find_doubled(&self, found: &mut Findings) {
        let numbers: BTreeSet<_> = self.tickets.iter().map(|ticket| ticket.number).collect();
        if numbers.len() != self.tickets.len() {
            found.doubled.push("a ticket number".into());
        }
        let count = |kind| self.events.iter().filter(|event| event.kind == kind).count();
        if count(EventKind::TicketCreated) != self.tickets.len() {
            found.doubled.push(format!(
                "{} filings of {} tickets",
                count(EventKind::TicketCreated),
                self.tickets.len()
            ));
        }
        if count(EventKind::CommentAdded) != self.comments.len() {
            let added = count(EventKind::CommentAdded);
            found.doubled.push(format!("{added} events of {} comments", self.comments.len()));
        }
        for ticket in &self.tickets {
            let moves = self.moves.get(&ticket.id.0).map_or(0, Vec::len);
            if usize::try_from(ticket.version).unwrap() != moves + 1 {
                found.doubled.push(format!("L2-{}: version {} after {moves} moves", ticket.number, ticket.version));
            }
        }
    }

    fn find_contradictions(&self, found: &mut Findings) {
        for ticket in &self.tickets {
            let key = format!("L2-{}", ticket.number);
            let moves = self.moves.get(&ticket.id.0).map_or(&[][..], Vec::as_slice);
            let visits = || self.visits.iter().filter(|visit| visit.ticket_id == ticket.id);
            let open: Vec<_> = visits().filter(|visit| visit.left_at.is_none()).map(|visit| visit.stage).collect();
            let expected: &[Stage] = if process::is_open(ticket.stage) { &[ticket.stage] } else { &[] };
            if open != expected {
                found.contradictions.push(format!("{key} in {:?} has open visits of {open:?}", ticket.stage));
            }
            if moves.last().copied().unwrap_or(Stage::Validating) != ticket.stage {
                found.contradictions.push(format!("{key} in {:?} was moved to {moves:?}", ticket.stage));
            }
            for (kind, stage) in
                [(NoticeKind::DeliveryDateSet, Stage::Fixing), (NoticeKind::Delivered, Stage::ClosedResolved)]
            {
                let notices =
                    self.notices.iter().filter(|notice| notice.ticket_id == Some(ticket.id) && notice.kind == kind);
                let (notices, due) = (notices.count(), usize::from(moves.contains(&stage)));
                if notices != due {
                    found.contradictions.push(format!("{key}: {notices} notices {kind:?} where {due} are due"));
                }
            }
            for visit in visits() {
                if visit.left_at.is_some_and(|left_at| left_at < visit.entered_at) {
                    found.contradictions.push(format!("{key} left {:?} before it entered it", visit.stage));
                }
            }
        }
    }

    /// Every notice that counts as sent was taken by the mail server.
    fn compare_with_mails(&self, smtp: &SmtpSink, found: &mut Findings) {
        let mut taken: HashMap<String, usize> = HashMap::new();
        for mail in smtp.log().received {
            let id = mail.parsed().header("Message-ID").unwrap_or_default().to_owned();
            *taken.entry(id.trim_matches(['<', '>']).split('@').next().unwrap_or_default().to_owned()).or_default() +=
                1;
        }
        found.mails = taken.len();
        found.repeated_mails = taken.values().map(|times| times - 1).sum();
        for notice in &self.notices {
            let times = taken.get(&notice.id.0.to_string()).copied().unwrap_or(0);
            match notice.state {
                NoticeState::Sent if times == 0 => found.lost.push(format!("mail {:?}", notice.id)),
                NoticeState::Failed => found.lost.push(format!("{:?} failed: {:?}", notice.id, notice.detail)),
                _ => {}
            }
        }
    }
}
