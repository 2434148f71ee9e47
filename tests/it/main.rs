//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod architecture;
mod delivery;
mod readme;
mod schema;
mod statements;
mod support;
mod walk;
