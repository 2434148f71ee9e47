//! Every behaviour through the real router, on a fresh database of each kind.

#![cfg(test)]

mod alerts;
mod architecture;
mod attachments;
mod audit;
mod backup;
mod bad_input;
mod clarifications;
mod clocks;
mod commands;
mod comments;
mod connections;
mod delivery;
mod directory;
mod faults;
mod fire;
mod histories;
mod holidays;
mod instants;
mod links;
mod listening;
mod lists;
mod logging;
mod moves;
mod nodes;
mod oidc;
mod outbox;
mod outbox_trust;
mod paging;
mod plans;
mod policies;
mod prices;
mod private;
mod process_death;
mod process_life;
mod readme;
mod replicas;
mod reports;
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
mod transactions;
mod transport;
mod two_servers;
mod undelivered;

mod upgrades;
mod vectors;
mod visibility;
mod walk;
mod watchers;
