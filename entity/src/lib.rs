//! What Secondline stores: columns, relations and scoped finders. No rules, no clock.
//!
//! May import: sea-orm, async-graphql's derives for enums, serde. Start reading at [`vocab`], then [`ticket`].

pub mod id;
pub mod vocab;
