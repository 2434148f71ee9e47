//! Relay connections over keyset pages.

use async_graphql::{
    Context, Object, OutputType,
    connection::{
        Connection, ConnectionNameType, CursorType, DefaultConnectionName, DefaultEdgeName, Edge, EmptyFields,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    graphql::{
        context::{actor, service},
        error::ApiError,
    },
    service::queries::{Counted, PageRequest},
    store::page::{Page, Position, SortKey, is_comparable, is_storable},
};

/// Rows of a page when the caller does not say.
pub const DEFAULT_PAGE: u64 = 50;
/// Rows of a page at most.
pub const LARGEST_PAGE: u64 = 100;
/// The first part of a cursor: what it is sorted by may change, and old cursors must then be refused.
const CURSOR_VERSION: &str = "1";

/// A connection with the total number of its rows.
pub type Listing<Node> = Connection<Cursor, Node, Total, EmptyFields, DefaultConnectionName, DefaultEdgeName>;

/// A place in an order, opaque to callers.
#[derive(Clone, Debug)]
pub struct Cursor {
    order: &'static str,
    position: Position,
}

/// The total number of rows, counted only when asked for.
#[derive(Debug)]
pub struct Total(Counted);

/// The total number of rows, counted only when asked for.
#[Object]
impl Total {
    /// How many there are on all pages.
    async fn total_count(&self, context: &Context<'_>) -> Result<u64, ApiError> {
        Ok(service(context)?.count(actor(context)?, &self.0).await?)
    }
}

impl CursorType for Cursor {
    type Error = std::convert::Infallible;

    /// Cursors are read by [`page_request`], which knows the order that they must be of.
    fn decode_cursor(_: &str) -> Result<Self, Self::Error> {
        Ok(Self { order: "", position: Position::default() })
    }

    fn encode_cursor(&self) -> String {
        let parts = (CURSOR_VERSION, self.order, &self.position);
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
    }
}

/// The page that `first` and `after` ask for, in a list of this order.
pub fn page_request(order: &str, first: Option<i32>, after: Option<&str>) -> Result<PageRequest, ApiError> {
    let first = first.map_or(Some(DEFAULT_PAGE), |first| u64::try_from(first).ok());
    let Some(first) = first.filter(|first| (1..=LARGEST_PAGE).contains(first)) else {
        return Err(ApiError::bad_input(format!("first must be from 1 to {LARGEST_PAGE}")));
    };
    let after = after.map(|cursor| read(order, cursor)).transpose()?;
    Ok(PageRequest { after, first })
}

/// The connection of a page.
pub fn listing<Row, Node: OutputType>(
    page: Page<Row>,
    order: &'static str,
    counted: Counted,
    has_previous: bool,
    mut place: impl FnMut(Row) -> (Position, Node),
) -> Listing<Node>
where
    DefaultConnectionName: ConnectionNameType,
{
    let mut connection = Connection::with_additional_fields(has_previous, page.has_next, Total(counted));
    connection.edges.extend(page.rows.into_iter().map(|row| {
        let (position, node) = place(row);
        Edge::new(Cursor { order, position }, node)
    }));
    connection
}

/// Whether the key is what the order sorts by: a cursor may have been made up.
fn fits(order: &str, key: &SortKey) -> bool {
    match key {
        SortKey::Number(_) => order.ends_with("number"),
        SortKey::Text(name) => order.ends_with("name") && is_storable(name),
        SortKey::Instant(at) => !order.ends_with("number") && !order.ends_with("name") && is_comparable(*at),
    }
}

fn read(order: &str, cursor: &str) -> Result<Position, ApiError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let parts: Option<(String, String, Position)> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match parts {
        Some((version, of, position)) if version == CURSOR_VERSION && of == order && fits(order, &position.key) => {
            Ok(position)
        }
        _ => Err(ApiError::bad_input("after is not a cursor of this list in this order; start from the first page")),
    }
}
