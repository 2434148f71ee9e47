//! The gate, rule by rule. Who, what and when come from `samples`; the process page is the specification.

mod changes;
mod endings;
mod gates;
mod model;
mod promises;
mod rights;
