//! Relay connections over keyset pages.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, Object, ObjectType, OutputType, TypeName,
    connection::{CursorType, Edge, EmptyFields, PageInfo},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    graphql::{
        context::{actor, service},
        error::ApiError,
    },
    service::queries::Counted,
    store::page::{Page, Position, SortKey, Window},
};

/// Rows of a page when the caller does not say.
pub const DEFAULT_PAGE: u64 = 50;
/// Rows of a page at most.
pub const LARGEST_PAGE: u64 = 100;
/// The first part of a cursor: what it is made of may change, and old cursors must then be refused.
const CURSOR_VERSION: &str = "2";

/// A page of a list, which may say more than its rows.
pub struct Connection<Node: OutputType, Fields: ObjectType> {
    edges: Vec<Edge<Cursor, Node, EmptyFields>>,
    has_previous: bool,
    has_next: bool,
    fields: Fields,
}

/// A connection with the total number of its rows.
pub type Listing<Node> = Connection<Node, Total>;

/// A connection whose rows are not counted.
pub type Uncounted<Node> = Connection<Node, EmptyFields>;

/// What kind of value a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Number,
    Instant,
    Day,
    Text,
}

/// The order of a list, as its cursors name it.
#[derive(Clone, Debug)]
pub struct ListOrder {
    name: Arc<str>,
    /// What it is sorted by, and whether that may not be known.
    keys: Vec<(KeyKind, bool)>,
}

impl ListOrder {
    /// An order by one value that is always known.
    pub fn by(name: &str, kind: KeyKind) -> Self {
        Self::of(name, vec![(kind, false)])
    }

    /// An order by several values, each with whether it may not be known.
    pub fn of(name: &str, keys: Vec<(KeyKind, bool)>) -> Self {
        Self { name: name.into(), keys }
    }

    /// Whether a position is one of this order: a cursor may have been made up.
    fn fits(&self, position: &Position) -> bool {
        let fits = |((kind, nullable), key): (&(KeyKind, bool), &Option<SortKey>)| match key {
            None => *nullable,
            Some(key) => {
                let is_of_kind = match key {
                    SortKey::Number(_) => *kind == KeyKind::Number,
                    SortKey::Instant(_) => *kind == KeyKind::Instant,
                    SortKey::Day(_) => *kind == KeyKind::Day,
                    SortKey::Text(_) => *kind == KeyKind::Text,
                };
                is_of_kind && key.is_sound()
            }
        };
        self.keys.len() == position.keys.len() && self.keys.iter().zip(&position.keys).all(fits)
    }

    fn read(&self, argument: &str, cursor: &str) -> Result<Position, ApiError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
        let parts: Option<(String, String, Position)> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match parts {
            Some((version, of, position)) if version == CURSOR_VERSION && *of == *self.name && self.fits(&position) => {
                Ok(position)
            }
            _ => Err(ApiError::bad_input(format!(
                "{argument} is not a cursor of this list in this order; start from the first page"
            ))),
        }
    }
}

/// A place in an order, opaque to callers.
#[derive(Clone, Debug)]
pub struct Cursor {
    order: Arc<str>,
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

    /// Cursors are read by [`Paging::window`], which knows the order that they must be of.
    fn decode_cursor(_: &str) -> Result<Self, Self::Error> {
        Ok(Self { order: "".into(), position: Position::default() })
    }

    fn encode_cursor(&self) -> String {
        let parts = (CURSOR_VERSION, &*self.order, &self.position);
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
    }
}

fn page_size(argument: &str, size: i32) -> Result<u64, ApiError> {
    let size = u64::try_from(size).ok().filter(|size| (1..=LARGEST_PAGE).contains(size));
    size.ok_or_else(|| ApiError::bad_input(format!("{argument} must be from 1 to {LARGEST_PAGE}")))
}

/// The arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl Paging {
    /// The part of a list of this order that is asked for.
    ///
    /// `first` reads forward from the start or from `after`, `last` backward from the end or from `before`; the other cursor
    /// may bound either. `before` alone reads backward.
    pub fn window(&self, context: &Context<'_>, order: &ListOrder) -> Result<Window, ApiError> {
        let size = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::bad_input("give either first or last, not both")),
            (None, None) => DEFAULT_PAGE,
            (Some(size), None) => page_size("first", size)?,
            (None, Some(size)) => page_size("last", size)?,
        };
        let before_alone = self.first.is_none() && self.after.is_none() && self.before.is_some();
        let pages = context.look_ahead().field("pageInfo");
        Ok(Window {
            after: self.after.as_deref().map(|cursor| order.read("after", cursor)).transpose()?,
            before: self.before.as_deref().map(|cursor| order.read("before", cursor)).transpose()?,
            size,
            backward: self.last.is_some() || before_alone,
            looks_back: pages.field("hasPreviousPage").exists(),
            looks_on: pages.field("hasNextPage").exists(),
        })
    }
}

/// The connection of a page.
pub fn listing<Row, Node: OutputType>(
    page: Page<Row>,
    order: &ListOrder,
    counted: Counted,
    place: impl FnMut(Row) -> (Position, Node),
) -> Listing<Node> {
    connection(page, order, Total(counted), place)
}

/// The connection of a page whose rows are not counted.
pub fn uncounted<Row, Node: OutputType>(
    page: Page<Row>,
    order: &ListOrder,
    place: impl FnMut(Row) -> (Position, Node),
) -> Uncounted<Node> {
    connection(page, order, EmptyFields, place)
}

/// The connection of a page, with more to say.
pub fn connection<Row, Node: OutputType, Fields: ObjectType>(
    page: Page<Row>,
    order: &ListOrder,
    fields: Fields,
    mut place: impl FnMut(Row) -> (Position, Node),
) -> Connection<Node, Fields> {
    let edge = |row| {
        let (position, node) = place(row);
        Edge::new(Cursor { order: Arc::clone(&order.name), position }, node)
    };
    Connection {
        edges: page.rows.into_iter().map(edge).collect(),
        has_previous: page.has_previous,
        has_next: page.has_next,
        fields,
    }
}

impl<Node: OutputType, Fields: ObjectType> TypeName for Connection<Node, Fields> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", Node::type_name()).into()
    }
}

/// A page of a list, and how to go on from it.
#[Object(name_type)]
impl<Node: OutputType, Fields: ObjectType> Connection<Node, Fields> {
    /// The rows of the page, each with its cursor.
    async fn edges(&self) -> &[Edge<Cursor, Node, EmptyFields>] {
        &self.edges
    }

    /// The rows of the page.
    async fn nodes(&self) -> Vec<&Node> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where the page stands in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.has_previous,
            has_next_page: self.has_next,
            start_cursor: self.edges.first().map(|edge| edge.cursor.encode_cursor()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.encode_cursor()),
        }
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &Fields {
        &self.fields
    }
}
