//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]

mod architecture;
mod delivery;
mod outbox;
mod process_death;
mod readme;
mod replicas;
mod schema;
mod sla;
mod sla_clock;
mod statements;
mod subscriptions;
mod support;
mod two_servers;
mod walk;
