//! The rules of the Level 2 process, pure: plain data in, plain data out, `now` is an argument.
//!
//! May import: `entity::{vocab, id}`, chrono, serde, thiserror, url, infer, unicode-normalization. Start reading at [`process`], which is the process page as
//! data, then [`moves::decide`], which every path that moves a ticket goes through.

pub mod actor;
pub mod address;
pub mod attachment;
pub mod calendar;
pub mod clock_change;
pub mod event;
pub mod explain;
pub mod facts;
pub mod instant;
pub mod link;
pub mod moves;
pub mod notice;
pub mod outbox;
pub mod policy;
pub mod priority;
pub mod process;
pub mod promise;
pub mod refusal;
pub mod report;
#[cfg(test)]
pub(crate) mod samples;
pub mod search;
pub mod sla;
pub mod ticket;
pub mod unicode;
pub mod visit;
