//! What clients asked for and what was acknowledged to them.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use uuid::Uuid;

/// A change that the server acknowledged.
#[derive(Clone, Debug)]
pub enum Acknowledged {
    /// A ticket with this id.
    Ticket(Uuid),
    /// A comment with this id.
    Comment(Uuid),
    /// A move that gave the ticket this version.
    Move { ticket: Uuid, version: i64, to: String },
}

/// Shared by all clients.
#[derive(Default)]
pub struct Ledger {
    acknowledged: Mutex<Vec<Acknowledged>>,
    /// Answers that no fault excuses.
    wrong_answers: Mutex<Vec<String>>,
    unanswered: AtomicUsize,
    refused: AtomicUsize,
}

impl Ledger {
    pub fn acknowledge(&self, change: Acknowledged) {
        self.acknowledged.lock().unwrap().push(change);
    }

    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub fn wrong_answer(&self, answer: String) {
        self.wrong_answers.lock().unwrap().push(answer);
    }

    pub fn wrong_answers(&self) -> Vec<String> {
        self.wrong_answers.lock().unwrap().clone()
    }

    pub fn count_unanswered(&self) {
        self.unanswered.fetch_add(1, Ordering::SeqCst);
    }

    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }

    /// How many requests got no answer, and how many were refused because something was unavailable.
    pub fn failures(&self) -> (usize, usize) {
        (self.unanswered.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}
