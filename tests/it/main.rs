//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]

mod architecture;
mod attachments;
mod bad_input;
mod clarifications;
mod comments;
mod delivery;
mod directory;
mod links;
mod lists;
mod moves;
mod outbox;
mod policies;
mod process_death;
mod readme;
mod replicas;
mod requests;
mod schema;
mod sla;
mod sla_clock;
mod statements;
mod subscriptions;
mod support;
mod tickets;
mod two_servers;
mod visibility;
mod walk;
mod watchers;
