//! OpenID Connect: whose bearer JWT it is, as a configured issuer says.
//!
//! May import: `entity::vocab`, jsonwebtoken, reqwest. Knows no people: it checks a token and answers its [`Identity`]; the
//! service finds who that is. Example: `provider.verify(token, now, passed)` finds the key by `kid`, asks the issuer once where it does
//! not know it, and checks signature, issuer, audience and times.

mod claims;
mod keys;
mod roles;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};

use self::{claims::Claims, keys::Keys, roles::Mapping};
pub use self::{claims::Identity, roles::Roles};

/// Real tokens have one or two KiB.
const TOKEN_LIMIT: usize = 16 * 1024;
/// Clocks of servers differ by seconds.
pub const LEEWAY_S: u32 = 60;
/// What issuers sign with by default.
pub const ALGORITHMS: &str = "RS256,ES256";
/// An issuer that needs longer is not there.
pub const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// Where most issuers put groups.
pub const GROUPS_CLAIM: &str = "groups";

/// Which issuer is believed, and what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// What tokens must be meant for.
    pub audience: String,
    /// Which claim names groups.
    pub groups_claim: String,
    /// What groups mean, such as `qa-leads=QA:manager,admins=administrator`; none where stored roles count.
    pub groups: Option<String>,
    /// By how much the issuer's clock may differ.
    pub leeway_s: u32,
    /// The algorithms that a token may be signed with.
    pub algorithms: String,
    /// How long it has to answer.
    pub fetch_within: Duration,
}

/// Why there is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token is not one that counts here.
    #[error("the token is not valid: {0}")]
    Token(&'static str),
    /// The issuer's keys are not known yet, and it does not answer.
    #[error("the issuer of tokens does not answer: {0}")]
    Issuer(String),
}

/// An issuer that is believed.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    audience: String,
    groups_claim: String,
    mapping: Option<Mapping>,
    leeway: TimeDelta,
    algorithms: Vec<Algorithm>,
    keys: Keys,
}

impl Provider {
    /// Reads the settings; asks nobody anything yet.
    pub fn new(settings: &Settings) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut note = |problem: String| problems.push(problem);
        let keys = Keys::new(&settings.issuer, settings.fetch_within)
            .map_err(|why| note(format!("--oidc-issuer: {why}")))
            .ok();
        let mapping = settings.groups.as_deref().map(Mapping::parse).transpose();
        let mapping = mapping.map_err(|why| note(format!("--oidc-groups: {why}"))).ok();
        let algorithms = algorithms(&settings.algorithms).map_err(|why| note(format!("--oidc-algorithms: {why}"))).ok();
        if settings.audience.trim().is_empty() {
            note(
                "--oidc-audience: tokens of the issuer may be meant for others; say what ours are meant for".to_owned(),
            );
        }
        match (keys, mapping, algorithms) {
            (Some(keys), Some(mapping), Some(algorithms)) if problems.is_empty() => Ok(Self {
                issuer: settings.issuer.clone(),
                audience: settings.audience.trim().to_owned(),
                groups_claim: settings.groups_claim.clone(),
                mapping,
                leeway: TimeDelta::seconds(i64::from(settings.leeway_s)),
                algorithms,
                keys,
            }),
            _ => Err(problems),
        }
    }

    /// Whose token it is.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>, passed: Duration) -> Result<Identity, Refused> {
        let header = self.checked_header(token)?;
        let key = self.keys.find(&header, passed).await?;
        let mut validation = Validation::new(header.alg);
        // Times and names are checked below: by the clock that everything here goes by, and exactly.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|_| Refused::Token("its signature is wrong"))?
            .claims;
        claims.check(&self.issuer, &self.audience, self.leeway, now)?;
        claims.identity(&self.issuer, &self.groups_claim, self.leeway)
    }

    /// The roles that the groups of a token come to; none where the stored ones count.
    pub fn roles(&self, identity: &Identity) -> Option<Roles> {
        self.mapping.as_ref().map(|mapping| mapping.roles(&identity.groups))
    }

    fn checked_header(&self, token: &str) -> Result<Header, Refused> {
        if token.len() > TOKEN_LIMIT {
            return Err(Refused::Token("it is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Token("it is no signed JWT"))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Refused::Token("its algorithm is not allowed"));
        }
        if header.crit.is_some() {
            return Err(Refused::Token("it has critical extensions, which are not known here"));
        }
        let kind = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        if !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()) {
            return Err(Refused::Token("it is of another type than JWT or at+jwt"));
        }
        Ok(header)
    }
}

/// Whether a text looks like a signed JWT: three parts.
pub fn is_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.split('.').count() == 3
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, String> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    // Never HMAC, with which the public key would be the secret, and never `none`.
    let known = [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA];
    let names = || text.split(',').map(str::trim).filter(|name| !name.is_empty());
    if names().next().is_none() {
        return Err(format!("name at least one, such as {ALGORITHMS}"));
    }
    names()
        .map(|name| {
            let found = known.into_iter().find(|algorithm| format!("{algorithm:?}").eq_ignore_ascii_case(name));
            found.ok_or_else(|| format!("“{name}” is none of {known:?}"))
        })
        .collect()
}
