use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::vocab::{AlertLevel, Category, EventKind, MoveKind, NoticeState, SlaStatus, Stage, Team, TicketSource};

use super::{Demo, PIPELINES, seed};
use crate::{
    clock::Clock,
    domain::{
        actor::{Action, Actor, may},
        moves::available_moves,
        ticket::{Ticket, parse_key},
        visit::Visit,
    },
    service::{Service, queries::TicketQuery},
    store::{
        connection,
        events::EventWindow,
        page::Window,
        ticket_order::{TicketOrder, TicketSort},
    },
};

struct Seeded {
    service: Service,
    now: DateTime<Utc>,
    demo: Demo,
    tickets: Vec<Ticket>,
    visits: Vec<Visit>,
    _folder: tempfile::TempDir,
}

async fn seeded(now: &str) -> Seeded {
    let now: DateTime<Utc> = now.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("demo.sqlite").display());
    connection::migrate(&url).await.unwrap();
    let db = connection::open(&url, 8).await.unwrap();
    let service = Service::new(db.clone(), Clock::manual(now), PIPELINES.map(str::to_owned).to_vec());
    service.ensure_reference_data(Tz::UTC).await.unwrap();
    let demo = seed(db, now).await.unwrap();
    let query = TicketQuery {
        criteria: Vec::new(),
        orders: vec![TicketOrder::ascending(TicketSort::Number)],
        window: Window::first(100),
        with_clocks: false,
    };
    let page = service.tickets(&Actor::System, query).await.unwrap();
    let tickets: Vec<_> = page.rows.into_iter().map(|placed| placed.view.ticket).collect();
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
    let visits = service.open_visits(&Actor::System, &ids).await.unwrap().into_values().collect();
    Seeded { service, now, demo, tickets, visits, _folder: folder }
}

fn page() -> Window {
    Window::first(200)
}

#[tokio::test]
async fn the_demo_shows_every_corner_of_the_process() {
    let Seeded { service, now, demo, tickets, visits, _folder } = seeded("2026-11-22T14:07:31.25Z").await;

    assert_eq!(service.companies(&Actor::System, Vec::new(), page()).await.unwrap().rows.len(), 3);
    assert!((38..=45).contains(&tickets.len()), "{} tickets", tickets.len());
    for stage in Stage::all() {
        assert!(tickets.iter().any(|ticket| ticket.stage == stage), "{stage}");
    }
    for category in Category::all() {
        assert!(tickets.iter().filter(|ticket| ticket.facts.category == category).count() >= 5, "{category}");
    }
    assert!(tickets.iter().any(|ticket| ticket.source == TicketSource::ClientForm));
    assert!(tickets.iter().all(|ticket| ticket.updated_at < now));

    let shows = |status| visits.iter().any(|visit| visit.reading(now).status == status);
    for status in [SlaStatus::OnTrack, SlaStatus::Warning, SlaStatus::Breached, SlaStatus::Paused] {
        assert!(shows(status), "{status}");
    }
    let coming = |within| {
        let due = |visit: &&Visit| visit.next_alert_at.is_some_and(|at| now <= at && at <= now + within);
        visits.iter().filter(due).count()
    };
    assert!(coming(TimeDelta::minutes(2)) >= 3, "the first two minutes show something");
    assert!(coming(TimeDelta::minutes(10)) >= 5, "so do the next ones");
    assert!(visits.iter().all(|visit| visit.next_alert_at.is_none_or(|at| at > now - TimeDelta::seconds(15))));

    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.id).collect();
    let window = EventWindow { after: None, before: None, size: 1_000, backward: false, for_client: false };
    let histories = service.events(&Actor::System, &ids, window).await.unwrap();
    let mut events: Vec<_> = histories.into_values().flat_map(|page| page.rows).collect();
    events.sort_by_key(|event| event.row.id);
    let kinds: HashSet<_> = events.iter().map(|event| event.row.kind).collect();
    let missing: Vec<_> = EventKind::all().filter(|kind| !kinds.contains(kind)).collect();
    let unplayed = [
        // No policy changes while tickets are open, and no clock is touched by hand.
        EventKind::ClockRecomputed,
        EventKind::PolicyFollowed,
        EventKind::ClockPaused,
        EventKind::ClockResumed,
        EventKind::DueTimeOverridden,
        EventKind::BreachExcused,
        EventKind::SlaAlertAcknowledged,
        EventKind::SlaAlertsSnoozed,
        EventKind::CommentEdited,
        EventKind::CommentDeleted,
        EventKind::TicketLinked,
        EventKind::TicketUnlinked,
        EventKind::AttachmentAdded,
        EventKind::AttachmentRemoved,
        EventKind::ClientNotTold,
    ];
    assert_eq!(missing, unplayed);
    let report = service.verify_clocks(&Actor::System, None).await.unwrap();
    assert_eq!((report.drifts, report.without_history), (Vec::new(), 0), "the history makes the same clocks again");
    assert!(
        events.windows(2).all(|pair| pair[0].row.happened_at <= pair[1].row.happened_at),
        "the history is in the order of time"
    );
    let text = events.iter().map(|event| event.row.data.to_string()).collect::<String>();
    assert!(MoveKind::all().all(|kind| text.contains(&format!("\"{}\"", kind.word()))));

    let alerts = service.alerts(&Actor::System, &[], page()).await.unwrap().rows;
    assert!(alerts.iter().all(|alert| alert.detected_at - alert.reached_at <= TimeDelta::seconds(15)));
    let levels: HashSet<_> = alerts.iter().map(|alert| alert.level).collect();
    assert!([AlertLevel::Warning, AlertLevel::Breach, AlertLevel::EscalationTwo].iter().all(|l| levels.contains(l)));
    let waiting = service.outbox(Some(NoticeState::Queued), 1_000).await.unwrap();
    assert!((40..150).contains(&waiting.len()), "{} notices", waiting.len());

    let mut actors = Vec::new();
    for token in &demo.tokens {
        actors.push(service.authenticate(&token.secret).await.unwrap().expect("the token is in force").actor);
    }
    for team in Team::all() {
        let is_plain = |actor: &&Actor| !may(actor, Action::RetryNotice);
        assert!(actors.iter().filter(is_plain).any(|actor| may(actor, Action::Move(Some(team)))), "{team}");
    }
    assert!(actors.iter().any(|actor| may(actor, Action::RetryNotice) && !may(actor, Action::Administer)));
    assert!(actors.iter().any(|actor| may(actor, Action::Administer)));
    assert_eq!(actors.iter().filter_map(Actor::company_scope).collect::<HashSet<_>>().len(), 3);

    let sample = service.ticket_by_number(&Actor::System, parse_key(&demo.sample_ticket_key).unwrap()).await.unwrap();
    let moves = available_moves(&sample.unwrap().ticket, &actors[0]);
    let onward = moves.iter().find(|available| available.to == Stage::Replicating).unwrap();
    assert!(onward.allowed && onward.missing_fields.is_empty() && demo.tokens[0].role == "Operations");
}

#[tokio::test]
async fn the_demo_can_be_seeded_at_any_hour() {
    for now in ["2026-11-23T00:00:00Z", "2028-02-29T23:59:59.999999Z"] {
        let Seeded { now, visits, .. } = seeded(now).await;
        assert!(visits.iter().any(|visit| visit.stage == Stage::Fixing && visit.reading(now).breached_at.is_some()));
    }
}
