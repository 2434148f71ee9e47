//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]

mod architecture;
mod attachments;
mod audit;
mod bad_input;
mod clarifications;
mod clocks;
mod comments;
mod delivery;
mod directory;
mod fire;
mod histories;
mod links;
mod listening;
mod lists;
mod moves;
mod nodes;
mod oidc;
mod outbox;
mod paging;
mod policies;
mod process_death;
mod readme;
mod replicas;
mod requests;
mod resuming;
mod rights;
mod schema;
mod scopes;
mod search;
mod sessions;
mod sla;
mod sla_clock;
mod slow_clients;
mod sockets;
mod statements;
mod subscriptions;
mod support;
mod tickets;
mod transport;
mod two_servers;
mod vectors;
mod visibility;
mod walk;
mod watchers;
