//! How large a request may be, before anything is carried out.

/// Bytes of a document without its texts: what the parser reads sign by sign.
pub const LENGTH: usize = 64 * 1024;
/// Letters of a name.
pub const NAME: usize = 200;
/// Words and signs of a document: ten times the introspection query of front-end tools.
pub const TOKENS: usize = 8_000;
/// Brackets within brackets: the parser recurses as deep.
pub const NESTING: usize = 60;
/// Operations and fragments of a document.
pub const DEFINITIONS: usize = 200;
/// Selection sets within selection sets, with fragments at their place: what walks them recurses as deep.
pub const SELECTION_NESTING: usize = 100;
/// Fields within fields: deeper than any sensible query, and than the introspection query.
pub const DEPTH: usize = 24;
/// Fields of all operations, with every fragment at each of its places.
pub const FIELDS: usize = 2_000;
/// Fields at the root of one operation.
pub const ROOT_FIELDS: usize = 30;
/// Aliases, with every fragment at each of its places.
pub const ALIASES: usize = 200;
/// Directives, with every fragment at each of its places.
pub const DIRECTIVES: usize = 100;
/// Lists of the schema's parts within each other: each multiplies what is told.
pub const SCHEMA_LISTS: usize = 2;
/// Variables of one operation.
pub const VARIABLES: usize = 200;

/// A limit that a request exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    limit: usize,
    of: &'static str,
}

impl Excess {
    /// What there is too much of.
    #[cfg(test)]
    pub const fn of_what(self) -> &'static str {
        self.of
    }

    /// What to tell the caller.
    pub fn message(self) -> String {
        let Self { limit, of } = self;
        format!("the request is too large: it may have at most {limit} {of}; ask for less at a time")
    }
}

/// Refuses what is over a limit.
pub(super) const fn within(found: usize, limit: usize, of: &'static str) -> Result<(), Excess> {
    if found <= limit { Ok(()) } else { Err(Excess { limit, of }) }
}
