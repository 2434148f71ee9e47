//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]

mod architecture;
mod audit;
mod bad_input;
mod clarifications;
mod delivery;
mod directory;
mod lists;
mod moves;
mod oidc;
mod outbox;
mod policies;
mod process_death;
mod readme;
mod replicas;
mod requests;
mod schema;
mod scopes;
mod sessions;
mod sla;
mod sla_clock;
mod sockets;
mod statements;
mod subscriptions;
mod support;
mod tickets;
mod transport;
mod two_servers;
mod visibility;
mod walk;
