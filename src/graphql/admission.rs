//! Decides whether a request is carried out at all, before anything walks its document: every transport asks here.
//!
//! In this order: find the document, look at its text (`scan`), parse it, measure it (`measure`), choose the operation,
//! count what it costs (`cost`) and charge whoever sends it (`budget`). What passes is small enough for anything that
//! follows. Example: twenty fragments that each spread the one before twice are refused in microseconds, and would keep the
//! library's validation busy for seconds.

mod budget;
mod cost;
mod documents;
mod introspection;
mod limits;
mod measure;
mod scan;
mod toll;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use async_graphql::{
    Name, Request, ServerError, Value, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, OperationDefinition, OperationType, Selection, VariableDefinition},
    },
};

use self::{
    budget::{Budget, Overdrawn},
    documents::{Documents, Missing},
    measure::Oversize,
    scan::Flaw,
};
pub use self::{
    budget::{Charge, Principal, network},
    cost::{FAILED_TOKEN, REPORT, of_reading},
    documents::{Source, TrustError, trusted_documents},
    toll::Toll,
};
use crate::{clock::Clock, graphql::shape::Shape};

/// A page of a hundred tickets with everything in them is about half of it.
pub const COST_LIMIT: u64 = 50_000;
/// Ten of the largest requests a minute, or thousands of usual ones.
pub const COST_PER_MINUTE: NonZeroU32 = NonZeroU32::new(500_000).expect("it is not zero");

/// What a deployment decides about requests.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What one request may cost, in points.
    pub cost_limit: u64,
    /// What one principal may spend in a minute, in points; at least what one request may cost.
    pub cost_per_minute: NonZeroU32,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// Documents that can be sent by their id.
    pub trusted: HashMap<[u8; 32], Arc<str>>,
    /// Whether no other documents are taken.
    pub only_trusted: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cost_limit: COST_LIMIT,
            cost_per_minute: COST_PER_MINUTE,
            introspection: true,
            trusted: HashMap::new(),
            only_trusted: false,
        }
    }
}

/// A request as a transport received it.
#[derive(Clone, Debug)]
pub struct Params {
    /// The document.
    pub source: Source,
    /// Which of its operations; needed where there are several.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Variables,
}

/// A request that is carried out.
#[derive(Debug)]
pub struct Admitted {
    text: Arc<str>,
    document: Arc<ExecutableDocument>,
    operation_name: Option<String>,
    variables: Variables,
    kind: OperationType,
    charge: Charge,
}

/// What is known of a request before it is charged.
struct Examined {
    text: Arc<str>,
    document: ExecutableDocument,
    kind: OperationType,
    cost: u64,
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The document is not GraphQL, or not of this schema.
    Invalid,
    /// The document is not here, or not one that is taken.
    NoDocument,
    /// It is over a limit that does not depend on who asks.
    TooLarge,
    /// Whoever asks has asked for too much.
    TooMuch {
        /// After how long the same request would be carried out.
        retry_after: Duration,
        /// What it would have cost.
        charge: Charge,
    },
}

/// A request that is not carried out.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What to tell the caller.
    pub error: Box<ServerError>,
}

/// The gate that every request passes.
pub struct Gate {
    documents: Documents,
    budget: Budget,
    /// What replays of what has happened may cost, beside requests.
    replays: Budget,
    cost_limit: u64,
    introspection: bool,
}

impl Gate {
    /// A gate with empty buckets.
    pub fn new(policy: Policy, clock: Clock) -> Self {
        Self {
            documents: Documents::new(policy.trusted, policy.only_trusted),
            budget: Budget::new(policy.cost_per_minute, clock.clone()),
            replays: Budget::new(policy.cost_per_minute, clock),
            cost_limit: policy.cost_limit,
            introspection: policy.introspection,
        }
    }

    /// Admits a request or says why not. What is refused was read all the same, and is paid for by its length.
    pub fn admit(&self, shape: &Shape, params: Params, principal: Principal) -> Result<Admitted, Refused> {
        let first = self.budget.charge(principal, cost::ENTRY).map_err(overdrawn)?;
        let length = params.source.length();
        let examined = self.examine(shape, &params).inspect_err(|_| {
            // It is refused whether or not enough is left to pay with.
            let _ = self.budget.take(principal, cost::of_reading(length));
        });
        let Examined { text, document, kind, cost } = examined?;
        let charge = match cost.saturating_sub(cost::ENTRY) {
            0 => first,
            rest => self
                .budget
                .charge(principal, rest)
                .map_err(|refused| overdrawn(Overdrawn { charge: Charge { cost, ..refused.charge }, ..refused }))?,
        };
        self.documents.keep(&params.source, &text);
        let Params { operation_name, variables, .. } = params;
        let charge = Charge { cost, ..charge };
        Ok(Admitted { text, document: Arc::new(document), operation_name, variables, kind, charge })
    }

    /// Charges what does not pass the gate; what is more than the principal has left is refused.
    pub fn charge(&self, principal: Principal, cost: u64) -> Result<(), Refused> {
        self.budget.charge(principal, cost).map(drop).map_err(overdrawn)
    }

    /// Charges what was refused, or as much of it as is left; then says when to go on.
    pub fn charge_refused(&self, principal: Principal, cost: u64) -> Result<(), Refused> {
        self.budget.take(principal, cost).map_err(overdrawn)
    }

    fn examine(&self, shape: &Shape, params: &Params) -> Result<Examined, Refused> {
        let Params { source, operation_name, variables } = params;
        let text = self.documents.find(source).map_err(missing)?;
        scan::scan(&text).map_err(flawed)?;
        let document = parse_query(&*text)
            .map_err(|error| refused(Reason::Invalid, with_code(ServerError::from(error), "GRAPHQL_PARSE_FAILED")))?;
        measure::measure(&document).map_err(oversize)?;
        let operation = chosen(&document, operation_name.as_deref())?;
        given(operation, variables)?;
        if operation.ty == OperationType::Subscription && root_fields(&document, operation).len() > 1 {
            return Err(invalid("a subscription has one field at its root", "GRAPHQL_VALIDATION_FAILED"));
        }
        if !self.introspection && asks_for_schema(&document) {
            let message = "the schema is not told here; ask whoever runs this server for schema.graphql";
            return Err(invalid(message, "INTROSPECTION_DISABLED"));
        }
        let cost = cost::cost(shape, &document, operation, variables);
        if cost > self.cost_limit {
            let limit = self.cost_limit;
            return Err(too_large(format!(
                "the request costs {cost} points, of at most {limit}: one for each field that its answer may have, and more for \
                 searches, totals and reports; ask for fewer rows or fields at a time"
            )));
        }
        let kind = operation.ty;
        Ok(Examined { text, document, kind, cost })
    }
}

impl Admitted {
    /// Whether it is a query, a mutation or a subscription.
    pub const fn kind(&self) -> OperationType {
        self.kind
    }

    /// What it costs.
    pub const fn charge(&self) -> Charge {
        self.charge
    }

    /// How many bytes its document has.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// The document.
    pub fn document(&self) -> Arc<ExecutableDocument> {
        Arc::clone(&self.document)
    }

    /// The operation that is carried out.
    pub fn operation<'a>(&self, document: &'a ExecutableDocument) -> Option<&'a OperationDefinition> {
        chosen(document, self.operation_name.as_deref()).ok()
    }

    /// The request for the library, without data.
    pub fn request(&self) -> Request {
        let mut request = Request::new(&*self.text).variables(self.variables.clone()).data(self.charge);
        request.operation_name.clone_from(&self.operation_name);
        request.set_parsed_query(ExecutableDocument::clone(&self.document));
        request
    }
}

/// The operation that a request asks for.
fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Result<&'a OperationDefinition, Refused> {
    let code = "OPERATION_RESOLUTION_FAILURE";
    let mut operations = document.operations.iter();
    match name.filter(|name| !name.is_empty()) {
        Some(name) => operations
            .find(|(found, _)| found.is_some_and(|found| found.as_str() == name))
            .map(|(_, operation)| &operation.node)
            .ok_or_else(|| invalid("the document has no operation of the name `operationName`", code)),
        None => match (operations.next(), operations.next()) {
            (Some((_, operation)), None) => Ok(&operation.node),
            _ => Err(invalid("the document has several operations; say which with `operationName`", code)),
        },
    }
}

/// Refuses a request that leaves out a variable without which it cannot be carried out. The library would find that out only
/// where the variable is used, in the midst of it.
fn given(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refused> {
    for definition in &operation.variable_definitions {
        let VariableDefinition { name, var_type, default_value, .. } = &definition.node;
        let is_given = variables.get(&name.node).is_some_and(|value| *value != Value::Null);
        if !var_type.node.nullable && default_value.is_none() && !is_given {
            let message = format!("the variable `${}` of the type `{}` must be given", name.node, var_type.node);
            return Err(invalid(message, "GRAPHQL_VALIDATION_FAILED"));
        }
    }
    Ok(())
}

/// The names under which the fields at the root of an operation are answered. Expects a measured document.
fn root_fields<'a>(document: &'a ExecutableDocument, operation: &'a OperationDefinition) -> HashSet<&'a Name> {
    let mut found = HashSet::new();
    let mut waiting = vec![&operation.selection_set.node];
    while let Some(selection_set) = waiting.pop() {
        for selection in &selection_set.items {
            match &selection.node {
                Selection::Field(field) => {
                    found.insert(&field.node.response_key().node);
                }
                Selection::InlineFragment(fragment) => waiting.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let fragment = document.fragments.get(&spread.node.fragment_name.node);
                    waiting.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    found
}

/// Whether the schema itself is asked for, in any operation: `__schema` and `__type` are fields of the root only.
fn asks_for_schema(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let mut waiting: Vec<_> = operations.chain(fragments).collect();
    while let Some(selection_set) = waiting.pop() {
        for selection in &selection_set.items {
            match &selection.node {
                Selection::Field(field) if matches!(field.node.name.node.as_str(), "__schema" | "__type") => {
                    return true;
                }
                Selection::InlineFragment(fragment) => waiting.push(&fragment.node.selection_set.node),
                Selection::Field(_) | Selection::FragmentSpread(_) => {}
            }
        }
    }
    false
}

fn missing(missing: Missing) -> Refused {
    let (message, code) = match missing {
        Missing::UnknownId => ("no trusted document has this `documentId`", "DOCUMENT_NOT_FOUND"),
        // The message is part of the protocol: clients send the text once they read it.
        Missing::NotPersisted => ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND"),
        Missing::OtherHash => ("`sha256Hash` is not the SHA-256 of `query`", "BAD_REQUEST"),
        Missing::NotTrusted => {
            ("only trusted documents are carried out here; send the `documentId` of one", "DOCUMENT_NOT_TRUSTED")
        }
    };
    refused(Reason::NoDocument, with_code(ServerError::new(message, None), code))
}

fn flawed(flaw: Flaw) -> Refused {
    match flaw {
        Flaw::Excess(excess) => too_large(excess.message()),
        Flaw::OpenText => invalid("a text in the document does not end: a quote is missing", "GRAPHQL_PARSE_FAILED"),
    }
}

fn oversize(oversize: Oversize) -> Refused {
    match oversize {
        Oversize::Excess(excess) => too_large(excess.message()),
        Oversize::Cycle(name) => invalid(format!("the fragment `{name}` contains itself"), "GRAPHQL_VALIDATION_FAILED"),
    }
}

fn overdrawn(Overdrawn { charge, retry_after }: Overdrawn) -> Refused {
    let message = format!(
        "you have asked for more than {} points in a minute; this request, of {}, can be sent in {} s",
        charge.limit,
        charge.cost,
        retry_after.as_secs() + 1
    );
    let error = with_code(ServerError::new(message, None), "RATE_LIMITED");
    refused(Reason::TooMuch { retry_after, charge }, error)
}

fn too_large(message: String) -> Refused {
    refused(Reason::TooLarge, with_code(ServerError::new(message, None), "LIMIT_EXCEEDED"))
}

fn invalid(message: impl Into<String>, code: &'static str) -> Refused {
    refused(Reason::Invalid, with_code(ServerError::new(message, None), code))
}

fn refused(reason: Reason, error: ServerError) -> Refused {
    Refused { reason, error: Box::new(error) }
}

/// The error with a code, unless it has one.
pub fn with_code(mut error: ServerError, code: &'static str) -> ServerError {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", Value::from(code));
    }
    error
}
