//! Secondline: second-line (“Level 2”) support as a server.
//!
//! `main → app → {graphql, http, jobs} → service → {store, notice, delivery, oidc} → domain → entity::{vocab, id}`; imports point
//! one way, and `tests/it/architecture.rs` proves it. Start reading at [`domain::process`], the process as data.

#![forbid(unsafe_code)]

pub mod app;
pub mod backup;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod demo;
pub mod domain;
pub mod graphql;
pub mod health;
pub mod http;
pub mod jobs;
pub mod logging;
pub mod notice;
pub mod oidc;
pub mod private_files;
pub mod service;
pub mod store;
