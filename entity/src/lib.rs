//! What Secondline stores: columns, relations and scoped finders. No rules, no clock.
//!
//! May import: sea-orm, async-graphql's derives for enums, serde. Start reading at [`vocab`], then [`ticket`].

#![forbid(unsafe_code)]

pub mod id;
pub mod vocab;

pub mod access_token;
pub mod attachment;
pub mod audit_entry;
pub mod backup_record;
pub mod calendar;
pub mod calendar_version;
pub mod clarification;
pub mod clock_pause;
pub mod comment;
pub mod company;
pub mod contact;
pub mod counter;
pub mod notice;
pub mod person;
pub mod person_team;
pub mod signing_key;
pub mod sla_alert;
pub mod sla_policy;
pub mod sla_policy_version;
pub mod stage_visit;
pub mod ticket;
pub mod ticket_event;
pub mod ticket_link;
pub mod ticket_subtype;
pub mod ticket_watcher;
