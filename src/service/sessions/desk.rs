//! Whether sessions still give the rights that they gave, asked of the database for everybody who wants to know at a moment.
//!
//! An event may go to hundreds of subscribers, each with a token of their own: they are looked up together, in as many
//! statements as one would be.

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

use super::{Credential, Session, actor_of_token, is_in_force};
use crate::{
    service::{Result, Service},
    store,
};

/// Nobody asks again for an answer that is older.
const KEPT: Duration = Duration::from_secs(10);

/// Where those who want to know get in line.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: Mutex<HashMap<u64, Arc<Session>>>,
    answers: tokio::sync::Mutex<HashMap<u64, Answer>>,
    next: AtomicU64,
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
}

impl Service {
    /// The session, to be asked about again and again.
    pub(in crate::service) fn watched(&self, session: Session) -> Watched {
        Watched { id: self.desk.next.fetch_add(1, Ordering::Relaxed), session: Arc::new(session) }
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
        let tokens = store::tokens::by_id(&self.db, &Vec::from_iter(tokens)).await?;
        let of_people: HashSet<PersonId> = tokens.values().filter_map(|token| token.person_id).collect();
        let of_contacts: HashSet<ContactId> = tokens.values().filter_map(|token| token.contact_id).collect();
        let people = store::directory::people_by_id(&self.db, &Vec::from_iter(of_people)).await?;
        let contacts = match of_contacts.is_empty() {
            true => HashMap::new(),
            false => store::directory::contacts_by_id(&self.db, None, &Vec::from_iter(of_contacts)).await?,
        };
        let linked = match subjects.is_empty() {
            true => HashMap::new(),
            false => store::directory::all_linked(&self.db, &Vec::from_iter(subjects)).await?,
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
