//! Lets so many of each go on at once; the others wait for their turn.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The lines in which is waited.
#[derive(Clone, Debug)]
pub(super) struct Turns<K: Eq + Hash> {
    at_once: usize,
    in_line: usize,
    lines: Arc<Mutex<HashMap<K, Line>>>,
}

#[derive(Debug)]
struct Line {
    turns: Arc<Semaphore>,
    /// Those who have their turn, and those who wait.
    length: usize,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<K: Copy + Eq + Hash> {
    _turn: OwnedSemaphorePermit,
    _place: Place<K>,
}

/// A place in a line.
#[derive(Debug)]
struct Place<K: Copy + Eq + Hash> {
    key: K,
    turns: Turns<K>,
}

impl<K: Copy + Eq + Hash> Turns<K> {
    /// So many of each key go on at once, and so many are in line at most, with those who go on.
    pub(super) fn new(at_once: usize, in_line: usize) -> Self {
        Self { at_once, in_line, lines: Arc::default() }
    }

    /// Waits for a turn; `None`, at once, where too many wait.
    pub(super) async fn wait(&self, key: K) -> Option<Turn<K>> {
        let (turns, place) = self.line_up(key)?;
        Some(Turn { _turn: turns.acquire_owned().await.ok()?, _place: place })
    }

    fn line_up(&self, key: K) -> Option<(Arc<Semaphore>, Place<K>)> {
        let mut lines = self.lines();
        let line =
            lines.entry(key).or_insert_with(|| Line { turns: Arc::new(Semaphore::new(self.at_once)), length: 0 });
        if line.length >= self.in_line {
            return None;
        }
        line.length += 1;
        Some((Arc::clone(&line.turns), Place { key, turns: self.clone() }))
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<K, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        if let Some(line) = lines.get_mut(&self.key) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_goes_on_and_some_wait_and_nobody_else() {
        let turns = Turns::new(1, 3);
        let first = turns.wait(1).await.unwrap();
        let (second, third) = (tokio::spawn(wait(&turns, 1)), tokio::spawn(wait(&turns, 1)));
        tokio::task::yield_now().await;
        assert!(turns.wait(1).now_or_never().unwrap().is_none(), "the line is full");
        assert!(turns.wait(2).now_or_never().unwrap().is_some(), "it is another's line");
        assert!(!second.is_finished());
        third.abort();
        assert!(third.await.is_err());
        assert!(turns.wait(1).now_or_never().is_none(), "who went away left a place in line");
        drop(first);
        drop(second.await.unwrap());
        assert!(turns.lines().is_empty());
    }

    fn wait(turns: &Turns<u8>, key: u8) -> impl Future<Output = Option<Turn<u8>>> + use<> {
        let turns = turns.clone();
        async move { turns.wait(key).await }
    }
}
