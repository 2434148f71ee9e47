//! Whether sessions still give the rights that they gave, asked of the database for everybody who wants to know at a moment.
//!
//! An event may go to hundreds of subscribers, each with a token of their own: they are looked up together, in as many
//! statements as one would be. And every few seconds all sessions of open sockets are, whether or not anything happens: however many
//! there are, that is a handful of statements.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use entity::id::{AccessTokenId, ContactId, PersonId};
use tokio::time::Instant;

use super::{Credential, LAST_USED_GRAIN, Session, actor_of_token, is_in_force};
use crate::{
    service::{Result, Service},
    store,
};

/// Nobody asks again for an answer that is older.
const KEPT: Duration = Duration::from_secs(10);

/// A token that was revoked, or whose owner's rights changed, ends its connections within this time.
pub(in crate::service) const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Where those who want to know get in line.
#[derive(Debug)]
pub struct Desk {
    /// The rounds begin at whole multiples of the time between them since then.
    opened_at: Instant,
    /// The sessions of open sockets, which are looked up together in each round.
    open: Mutex<HashMap<u64, Arc<Session>>>,
    round: tokio::sync::Mutex<Round>,
    waiting: Mutex<HashMap<u64, Arc<Session>>>,
    answers: tokio::sync::Mutex<HashMap<u64, Answer>>,
    next: AtomicU64,
}

/// What the last round found out.
#[derive(Debug, Default)]
struct Round {
    /// When it was; `None` before the first.
    at: Option<Instant>,
    /// Those that do not give the rights any more that they gave.
    revoked: HashSet<u64>,
}

/// A session among those of open sockets, until it is dropped.
struct Listed {
    watched: Watched,
    desk: Arc<Desk>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.desk.open().remove(&self.watched.id);
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            opened_at: Instant::now(),
            open: Mutex::default(),
            round: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
            answers: tokio::sync::Mutex::default(),
            next: AtomicU64::default(),
        }
    }
}

#[derive(Debug)]
struct Answer {
    /// When it was asked.
    at: Instant,
    in_force: bool,
}

/// A session that something works under for long.
#[derive(Debug)]
pub struct Watched {
    id: u64,
    session: Arc<Session>,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Arc<Session>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next round begins.
    fn next_round(&self, every: Duration) -> Instant {
        let passed = self.opened_at.elapsed().as_nanos() / every.as_nanos().max(1);
        self.opened_at + every.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1))
    }
}

impl Service {
    /// The session, to be asked about again and again.
    pub(in crate::service) fn watched(&self, session: Session) -> Watched {
        Watched { id: self.desk.next.fetch_add(1, Ordering::Relaxed), session: Arc::new(session) }
    }

    /// Ends once the session does not give the rights any more that it gives: it is looked up every few seconds, with all others.
    pub async fn revoked(&self, session: Session) {
        let watched = self.watched(session);
        self.desk.open().insert(watched.id, Arc::clone(&watched.session));
        let listed = Listed { watched, desk: Arc::clone(&self.desk) };
        loop {
            let begins_at = self.desk.next_round(self.sessions_checked_every);
            tokio::time::sleep_until(begins_at).await;
            if self.is_revoked(listed.watched.id, begins_at).await {
                return;
            }
        }
    }

    /// Whether a round that began at this instant or later found the session revoked; whoever asks first makes the round for all.
    async fn is_revoked(&self, id: u64, begins_at: Instant) -> bool {
        let mut round = self.desk.round.lock().await;
        if round.at.is_none_or(|at| at < begins_at) {
            let sessions = self.desk.open().clone();
            let at = Instant::now();
            let revoked = match self.valid_of(&sessions).await {
                Ok(valid) => {
                    self.note_use(&sessions, &valid).await;
                    sessions.into_keys().filter(|id| !valid.contains(id)).collect()
                }
                Err(error) => {
                    // A database that does not answer says nothing of tokens.
                    tracing::warn!(error = &error as &dyn std::error::Error, "tokens cannot be checked now");
                    HashSet::new()
                }
            };
            *round = Round { at: Some(at), revoked };
        }
        round.revoked.contains(&id)
    }

    /// Notes that the tokens of open sockets are used, unless that would wait for a writer.
    async fn note_use(&self, sessions: &HashMap<u64, Arc<Session>>, valid: &HashSet<u64>) {
        let token = |(id, session): (&u64, &Arc<Session>)| match session.credential {
            Credential::Token(token) if valid.contains(id) => Some(token),
            _ => None,
        };
        let tokens: HashSet<AccessTokenId> = sessions.iter().filter_map(token).collect();
        if tokens.is_empty() || !self.db.may_write_at_once() {
            return;
        }
        let now = self.clock.now();
        let tokens = Vec::from_iter(tokens);
        if let Err(error) = store::tokens::touch_all(&self.db.reserved(), &tokens, now, now - LAST_USED_GRAIN).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the use of tokens cannot be noted now");
        }
    }

    /// An instant, `since` or later, at which the session gave the rights that it gave at first; none once it does not.
    pub(in crate::service) async fn in_force(&self, watched: &Watched, since: Instant) -> Result<Option<Instant>> {
        self.desk.waiting().insert(watched.id, Arc::clone(&watched.session));
        // Whoever wants to know at this moment, too, gets in line.
        tokio::task::yield_now().await;
        let mut answers = self.desk.answers.lock().await;
        if let Some(answer) = answers.get(&watched.id).filter(|answer| answer.at >= since) {
            return Ok(answer.in_force.then_some(answer.at));
        }
        let mut asked = std::mem::take(&mut *self.desk.waiting());
        asked.insert(watched.id, Arc::clone(&watched.session));
        let at = Instant::now();
        let valid = self.valid_of(&asked).await?;
        answers.retain(|_, answer| answer.at.elapsed() < KEPT);
        answers.extend(asked.keys().map(|id| (*id, Answer { at, in_force: valid.contains(id) })));
        Ok(valid.contains(&watched.id).then_some(at))
    }

    /// Those of the sessions that give the rights that they gave.
    async fn valid_of(&self, sessions: &HashMap<u64, Arc<Session>>) -> Result<HashSet<u64>> {
        let (mut tokens, mut subjects) = (HashSet::<AccessTokenId>::new(), HashSet::<&str>::new());
        for session in sessions.values() {
            match &session.credential {
                Credential::Token(id) => drop(tokens.insert(*id)),
                Credential::Issued(identity) => drop(subjects.insert(&identity.subject)),
            }
        }
        let db = self.db.for_sign_in();
        let tokens = store::tokens::by_id(&db, &Vec::from_iter(tokens)).await?;
        let of_people: HashSet<PersonId> = tokens.values().filter_map(|token| token.person_id).collect();
        let of_contacts: HashSet<ContactId> = tokens.values().filter_map(|token| token.contact_id).collect();
        let people = store::directory::people_by_id(&db, &Vec::from_iter(of_people)).await?;
        let contacts = match of_contacts.is_empty() {
            true => HashMap::new(),
            false => store::directory::contacts_by_id(&db, None, &Vec::from_iter(of_contacts)).await?,
        };
        let linked = match subjects.is_empty() {
            true => HashMap::new(),
            false => store::directory::all_linked(&db, &Vec::from_iter(subjects)).await?,
        };
        let now = self.clock.now();
        let mut valid = HashSet::new();
        for (id, session) in sessions {
            let actor = match &session.credential {
                Credential::Token(token) => match tokens.get(token).filter(|token| is_in_force(token, now)) {
                    Some(token) => {
                        let person = token.person_id.and_then(|id| people.get(&id).cloned());
                        let contact = token.contact_id.and_then(|id| contacts.get(&id).cloned());
                        actor_of_token(token, person, contact)?
                    }
                    None => None,
                },
                Credential::Issued(identity) if identity.expires_at <= now => None,
                Credential::Issued(identity) => {
                    linked.get(&identity.subject).cloned().and_then(|linked| self.actor_of_linked(linked, identity))
                }
            };
            if actor.as_ref() == Some(&session.actor) {
                valid.insert(*id);
            }
        }
        Ok(valid)
    }
}
