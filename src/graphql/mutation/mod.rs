//! Changes. Each takes one `input` and answers the object, or `userErrors` and nothing changed.

mod clocks;
mod directory;
pub mod policies;
mod tickets;
mod together;

use async_graphql::MergedObject;

/// The mutations.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    tickets::TicketMutations,
    directory::DirectoryMutations,
    policies::PolicyMutations,
    clocks::ClockMutations,
    together::TogetherMutations,
);

/// Declares what mutations answer.
macro_rules! payloads {
    ($($(#[$about:meta])* $name:ident { $(#[$object_about:meta])* $object:ident: $type:ty })+) => {$(
        $(#[$about])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$object_about])*
            $object: Option<$type>,
            /// What to mend; empty when it was done.
            user_errors: Vec<$crate::graphql::error::UserError>,
        }

        impl From<(Option<$type>, Vec<$crate::graphql::error::UserError>)> for $name {
            fn from(($object, user_errors): (Option<$type>, Vec<$crate::graphql::error::UserError>)) -> Self {
                Self { $object, user_errors }
            }
        }
    )+};
}
use payloads;
