//! Whose tokens are believed besides our own.

use crate::oidc::{ALGORITHMS, FETCH_WITHIN, GROUPS_CLAIM, LEEWAY_S, Provider, Settings};

/// An OpenID Connect issuer.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "OpenID Connect")]
pub struct OidcConfig {
    /// The issuer whose JWTs are accepted, exactly as they name it, such as `https://id.example.org/realms/support`
    #[arg(long, env = "SECONDLINE_OIDC_ISSUER", value_name = "URL", hide_env_values = true)]
    pub oidc_issuer: Option<String>,

    /// What its tokens must be meant for
    #[arg(long, env = "SECONDLINE_OIDC_AUDIENCE", value_name = "AUDIENCE", requires = "oidc_issuer")]
    pub oidc_audience: Option<String>,

    /// The claim that names groups
    #[arg(long, env = "SECONDLINE_OIDC_GROUPS_CLAIM", value_name = "CLAIM", default_value = GROUPS_CLAIM)]
    pub oidc_groups_claim: String,

    /// What groups mean, in place of stored roles: support-ops=OPERATIONS,qa-leads=QA:manager,admins=administrator
    #[arg(long, env = "SECONDLINE_OIDC_GROUPS", value_name = "MAPPING", requires = "oidc_issuer")]
    pub oidc_groups: Option<String>,

    /// By how many seconds its clock may differ from ours
    #[arg(long, env = "SECONDLINE_OIDC_LEEWAY", value_name = "SECONDS", default_value_t = LEEWAY_S,
          value_parser = clap::value_parser!(u32).range(0..=600))]
    pub oidc_leeway: u32,

    /// What its tokens may be signed with
    #[arg(long, env = "SECONDLINE_OIDC_ALGORITHMS", value_name = "LIST", default_value = ALGORITHMS)]
    pub oidc_algorithms: String,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            oidc_issuer: None,
            oidc_audience: None,
            oidc_groups_claim: GROUPS_CLAIM.to_owned(),
            oidc_groups: None,
            oidc_leeway: LEEWAY_S,
            oidc_algorithms: ALGORITHMS.to_owned(),
        }
    }
}

impl OidcConfig {
    /// The issuer, where one is named.
    pub fn provider(&self) -> Result<Option<Provider>, Vec<String>> {
        let Some(issuer) = &self.oidc_issuer else { return Ok(None) };
        let settings = Settings {
            issuer: issuer.trim().to_owned(),
            audience: self.oidc_audience.clone().unwrap_or_default(),
            groups_claim: self.oidc_groups_claim.clone(),
            groups: self.oidc_groups.clone(),
            leeway_s: self.oidc_leeway,
            algorithms: self.oidc_algorithms.clone(),
            fetch_within: FETCH_WITHIN,
        };
        Provider::new(&settings).map(Some)
    }
}
