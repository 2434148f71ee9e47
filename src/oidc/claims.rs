//! What a token says, and whether it counts.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::oidc::Refused;

/// OpenID Connect allows 255 characters.
const SUBJECT_LIMIT: usize = 255;
/// More groups than anybody is in.
const GROUPS_LIMIT: usize = 1_000;

/// Who a checked token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer and its name for them, which never change.
    pub subject: String,
    /// The mail address, as the issuer writes it, where the issuer has verified it.
    pub email: Option<String>,
    /// The groups that they are in.
    pub groups: Vec<String>,
    /// Until when the token counts.
    pub expires_at: DateTime<Utc>,
}

/// The claims of a token.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    email: Option<Value>,
    email_verified: Option<Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Claims {
    /// Refuses a token of another issuer, for somebody else, or of another time.
    pub(super) fn check(
        &self,
        issuer: &str,
        audience: &str,
        leeway: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        if self.iss.as_deref() != Some(issuer) {
            return Err(Refused::Token("it is of another issuer"));
        }
        let is_meant = match &self.aud {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if !is_meant {
            return Err(Refused::Token("it is meant for another audience"));
        }
        if self.expires_at(leeway)? <= now {
            return Err(Refused::Token("it has expired"));
        }
        if self.nbf.is_some_and(|nbf| instant(nbf).is_none_or(|nbf| nbf - leeway > now)) {
            return Err(Refused::Token("it is not valid yet"));
        }
        if self.iat.is_some_and(|iat| instant(iat).is_none_or(|iat| iat - leeway > now)) {
            return Err(Refused::Token("it was issued in the future"));
        }
        Ok(())
    }

    /// Who it is about.
    pub(super) fn identity(self, issuer: &str, groups_claim: &str, leeway: TimeDelta) -> Result<Identity, Refused> {
        let expires_at = self.expires_at(leeway)?;
        let subject = self.sub.filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_LIMIT && !sub.contains('\0'));
        let subject = subject.ok_or(Refused::Token("it names no subject"))?;
        let is_verified = self.email_verified == Some(Value::Bool(true));
        let email = self.email.as_ref().and_then(Value::as_str).filter(|_| is_verified);
        let email = email.filter(|email| !email.trim().is_empty() && !email.contains('\0')).map(str::to_owned);
        let groups = match self.others.get(groups_claim) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => {
                many.iter().take(GROUPS_LIMIT).filter_map(|group| group.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        Ok(Identity { subject: format!("{issuer} {subject}"), email, groups, expires_at })
    }

    fn expires_at(&self, leeway: TimeDelta) -> Result<DateTime<Utc>, Refused> {
        let exp = self.exp.and_then(instant).and_then(|exp| exp.checked_add_signed(leeway));
        exp.ok_or(Refused::Token("it does not say when it expires"))
    }
}

/// Seconds since 1970, as RFC 7519 counts; far enough from the end of time to be calculated with.
fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    const YEAR_9999: f64 = 253_402_300_799.0;
    if !(0.0..=YEAR_9999).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are meant, and the range was checked")]
    DateTime::from_timestamp(seconds.floor() as i64, 0)
}
