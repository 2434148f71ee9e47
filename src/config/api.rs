//! What a deployment decides about the API: who may call it from where, and how much they may ask for.

use std::{num::NonZeroU32, path::PathBuf};

use axum::http::HeaderValue;
use url::Url;

use crate::{
    graphql::admission::{self, Policy},
    http::Settings,
};

/// How the API is offered.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "API")]
pub struct ApiConfig {
    /// The origin of pages on another host that may use the API, such as `https://support.example.org`; may be repeated
    #[arg(long = "allowed-origin", env = "SECONDLINE_ALLOWED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,

    /// Believe the X-Forwarded-For of the proxy that stands before the server, and do not count its connections by address
    #[arg(long, env = "SECONDLINE_BEHIND_PROXY", value_parser = clap::builder::BoolishValueParser::new())]
    pub behind_proxy: bool,

    /// Do not serve the page to try the API by hand
    #[arg(long, env = "SECONDLINE_NO_GRAPHIQL", value_parser = clap::builder::BoolishValueParser::new())]
    pub no_graphiql: bool,

    /// Do not tell the schema
    #[arg(long, env = "SECONDLINE_NO_INTROSPECTION", value_parser = clap::builder::BoolishValueParser::new())]
    pub no_introspection: bool,

    /// What one request may cost: one point for each field that its answer may have
    #[arg(long, env = "SECONDLINE_COST_LIMIT", value_name = "POINTS", default_value_t = admission::COST_LIMIT)]
    pub cost_limit: u64,

    /// What one person, contact, integration or unknown address may spend in a minute, on each server
    #[arg(long, env = "SECONDLINE_COST_PER_MINUTE", value_name = "POINTS",
          default_value_t = admission::COST_PER_MINUTE)]
    pub cost_per_minute: NonZeroU32,

    /// A folder of documents that clients can send by their id: *.graphql files and *.json maps
    #[arg(long, env = "SECONDLINE_TRUSTED_DOCUMENTS", value_name = "FOLDER")]
    pub trusted_documents: Option<PathBuf>,

    /// Carry out trusted documents only
    #[arg(long, env = "SECONDLINE_ONLY_TRUSTED_DOCUMENTS", value_parser = clap::builder::BoolishValueParser::new())]
    pub only_trusted_documents: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            behind_proxy: false,
            no_graphiql: false,
            no_introspection: false,
            cost_limit: admission::COST_LIMIT,
            cost_per_minute: admission::COST_PER_MINUTE,
            trusted_documents: None,
            only_trusted_documents: false,
        }
    }
}

impl ApiConfig {
    /// What the API and its transport are told, or all that is wrong.
    pub fn check(&self) -> Result<(Policy, Settings), Vec<String>> {
        let mut problems = Vec::new();
        let mut allowed_origins = Vec::new();
        for text in &self.allowed_origins {
            match origin(text) {
                Some(origin) => allowed_origins.push(origin),
                None => problems.push(format!(
                    "--allowed-origin: “{text}” is no origin; give scheme, host and port only, such as \
                     https://support.example.org"
                )),
            }
        }
        if self.cost_limit == 0 || self.cost_limit > u64::from(self.cost_per_minute.get()) {
            problems.push("--cost-limit: must be at least 1 and at most --cost-per-minute".to_owned());
        }
        if self.only_trusted_documents && self.trusted_documents.is_none() {
            problems.push("--only-trusted-documents: name their folder with --trusted-documents".to_owned());
        }
        let read = self.trusted_documents.as_deref().map(admission::trusted_documents).transpose();
        let trusted = read.unwrap_or_else(|error| {
            problems.push(format!("--trusted-documents: {}", crate::logging::chain(&error)));
            None
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let policy = Policy {
            cost_limit: self.cost_limit,
            cost_per_minute: self.cost_per_minute,
            introspection: !self.no_introspection,
            trusted: trusted.unwrap_or_default(),
            only_trusted: self.only_trusted_documents,
        };
        let (behind_proxy, no_graphiql) = (self.behind_proxy, self.no_graphiql);
        Ok((policy, Settings { allowed_origins, behind_proxy, no_graphiql, ..Settings::default() }))
    }
}

/// An origin as browsers send it.
fn origin(text: &str) -> Option<HeaderValue> {
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let origin = url.origin().ascii_serialization();
    let is_only_origin = url.as_str().trim_end_matches('/') == origin;
    is_only_origin.then(|| HeaderValue::from_str(&origin).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for (text, sent) in [
            ("https://support.example.org", Some("https://support.example.org")),
            ("https://Support.example.org:443/", Some("https://support.example.org")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("https://support.example.org/app", None),
            ("support.example.org", None),
            ("*", None),
            ("null", None),
        ] {
            assert_eq!(origin(text), sent.map(HeaderValue::from_static), "{text}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let config = ApiConfig {
            allowed_origins: vec!["*".to_owned()],
            cost_limit: 0,
            only_trusted_documents: true,
            ..ApiConfig::default()
        };
        assert_eq!(config.check().unwrap_err().len(), 3);
        let missing = ApiConfig { trusted_documents: Some("/nowhere".into()), ..ApiConfig::default() };
        assert!(missing.check().unwrap_err().concat().contains("/nowhere cannot be read"));
        assert!(ApiConfig::default().check().is_ok());
    }
}
