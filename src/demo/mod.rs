//! The world of `secondline demo`: three clients, a team per role and some forty tickets in the middle of their lives.
//!
//! May import: `service` and what its functions take (`domain`, `clock`, `entity`); nothing is written past the
//! service. The world is a play: `cast` says who there is, `stories` what happens to each ticket and how long ago,
//! `player` acts it out on a clock that moves from the first story up to `now`. Example: a ticket filed 23 hours and
//! 59 minutes ago has its warning in the history and is about to breach.

mod cast;
mod player;
mod script;
mod stories;
#[cfg(test)]
mod tests;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    clock::Clock,
    demo::{
        cast::{Cast, TOKEN_HOLDERS},
        player::Player,
    },
    domain::{actor::Actor, process::OPEN},
    service::{Database, Service, policies::PolicyChange, setup::ROUND_THE_CLOCK_CALENDAR},
};

/// The pipelines that the process page names.
const PIPELINES: [&str; 3] = ["Client Support", "Custom Requests", "Custom Deliveries"];
/// The teams were set up so long before the first ticket.
const SET_UP_BEFORE: TimeDelta = TimeDelta::days(1);

/// What a visitor of the demo is given. It holds secrets, hence no `Debug`.
pub struct Demo {
    /// A token per role.
    pub tokens: Vec<DemoToken>,
    /// A ticket in Validating that lacks nothing: Operations can move it to Replicating at once.
    pub sample_ticket_key: String,
}

/// A token of somebody in the demo.
pub struct DemoToken {
    /// The person's name.
    pub who: String,
    /// What they are, such as “QA” or “Contact of Nordwind Logistik GmbH”.
    pub role: String,
    /// What they send as `Authorization: Bearer …`.
    pub secret: String,
}

/// Fills an empty, migrated database with the demo, as it stands at `now`.
///
/// Everything that was due before `now` has happened, alerts included; what is due from `now` on is left to the server.
///
/// # Errors
/// If the database does not answer, or the demo's companies or people are in it already.
pub async fn seed(db: Database, now: DateTime<Utc>) -> anyhow::Result<Demo> {
    let opening = now - stories::longest_ago() - SET_UP_BEFORE;
    let service = Service::new(db, Clock::manual(opening), PIPELINES.map(str::to_owned).to_vec());
    service.ensure_reference_data(Tz::UTC).await.context("storing the reference data")?;
    count_round_the_clock(&service).await.context("changing the SLA policies")?;
    let cast = Cast::hire(&service).await.context("making the people of the demo")?;

    let tickets = Player::new(&service, &cast, now).play(stories::all()).await?;
    let sample = tickets.get(stories::SAMPLE.subject).context("the sample ticket is not in the play")?;

    let mut tokens = Vec::new();
    for holder in TOKEN_HOLDERS {
        let member = cast.member(holder)?;
        let token = service.create_token(member.token_owner, "demo", None).await?;
        tokens.push(DemoToken { who: member.name.to_owned(), role: member.role.clone(), secret: token.secret });
    }
    Ok(Demo { tokens, sample_ticket_key: sample.key() })
}

/// Puts every policy on the `24x7` calendar, so that what is near is near at night and on a Sunday too.
async fn count_round_the_clock(service: &Service) -> anyhow::Result<()> {
    let calendars = service.calendars(&Actor::System).await?;
    let calendar = calendars.iter().find(|calendar| calendar.name == ROUND_THE_CLOCK_CALENDAR);
    let calendar_id = Some(calendar.context("there is no 24x7 calendar")?.id);
    for stage in OPEN {
        let change = PolicyChange { calendar_id, ..PolicyChange::of(stage) };
        service.update_sla_policy(&Actor::System, change).await?;
    }
    Ok(())
}
