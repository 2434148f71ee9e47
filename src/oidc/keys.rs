//! The issuer's public keys: fetched when first needed, kept, and fetched again when a token names a key that is not known.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::oidc::Refused;

/// A document with more keys than anybody rotates.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// Whoever sends made-up key ids cannot make us ask more often than this.
const REFETCH_AFTER: Duration = Duration::from_secs(30);
/// How soon an issuer is asked again that did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A key that the issuer took back counts for no longer than this.
const KEEP_FOR: Duration = Duration::from_secs(60 * 60);
/// Below this, RSA is no protection.
const SMALLEST_MODULUS: usize = 2048 / 8;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    discovery: Url,
    client: Client,
    known: RwLock<Option<Known>>,
    /// Held while the issuer is asked, so that many requests ask once; when it was asked last.
    asked: Mutex<Option<Asked>>,
}

#[derive(Clone, Debug)]
struct Known {
    keys: Arc<[Key]>,
    /// By the monotonic clock, which nobody sets.
    at: Duration,
}

#[derive(Clone, Debug)]
struct Asked {
    /// By the monotonic clock, which nobody sets.
    at: Duration,
    failure: Option<String>,
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    family: AlgorithmFamily,
    curve: Option<EllipticCurve>,
    key: DecodingKey,
}

/// What is read of the issuer's discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    pub(super) fn new(issuer: &str, fetch_within: Duration) -> Result<Self, String> {
        // What is told apart by a blank below must not hold one; and a URL's parser drops line breaks and tabs.
        if issuer.contains(char::is_whitespace) {
            return Err("an issuer has no blanks".to_owned());
        }
        let url = safe_url(issuer)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("an issuer has neither query nor fragment".to_owned());
        }
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = safe_url(&discovery)?;
        let client = Client::builder()
            .timeout(fetch_within)
            .redirect(Policy::none())
            .user_agent("secondline")
            .build()
            .map_err(|error| format!("there is no way to ask it: {error}"))?;
        let issuer = issuer.to_owned();
        Ok(Self { issuer, discovery, client, known: RwLock::default(), asked: Mutex::default() })
    }

    /// The key that a token says it was signed with. `now` is of the monotonic clock.
    pub(super) async fn find(&self, header: &Header, now: Duration) -> Result<DecodingKey, Refused> {
        if let Some(key) = self.known(now).and_then(|keys| pick(&keys, header)) {
            return Ok(key);
        }
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(key) = self.known(now).and_then(|keys| pick(&keys, header)) {
            return Ok(key);
        }
        let failure = match &*asked {
            Some(last) if now < last.at + wait(last) => last.failure.clone(),
            _ => {
                let failure = self.refresh(now).await.err();
                if let Some(failure) = &failure {
                    tracing::warn!(
                        oidc.host = self.discovery.host_str(),
                        failure,
                        "the issuer's keys cannot be fetched"
                    );
                }
                *asked = Some(Asked { at: now, failure: failure.clone() });
                failure
            }
        };
        // Old keys count until they are replaced, so that an issuer that is away for a while locks nobody out.
        let keys = self.read().map(|known| known.keys);
        match (keys.as_deref().and_then(|keys| pick(keys, header)), failure) {
            (Some(key), _) => Ok(key),
            (None, Some(failure)) => Err(Refused::Issuer(failure)),
            (None, None) => Err(Refused::Token("the issuer has no such key")),
        }
    }

    /// The keys, while they are fresh.
    fn known(&self, now: Duration) -> Option<Arc<[Key]>> {
        self.read().filter(|known| now < known.at + KEEP_FOR).map(|known| known.keys)
    }

    fn read(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn refresh(&self, now: Duration) -> Result<(), String> {
        let document: Discovery = self.fetch(self.discovery.clone()).await?;
        if document.issuer != self.issuer {
            return Err("its discovery document is of another issuer".to_owned());
        }
        let set: KeySet = self.fetch(safe_url(&document.jwks_uri)?).await?;
        let keys: Arc<[Key]> = set.keys.into_iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err("it publishes no key that can be used".to_owned());
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Known { keys, at: now });
        Ok(())
    }

    async fn fetch<T: for<'de> Deserialize<'de>>(&self, url: Url) -> Result<T, String> {
        let failed = |error: reqwest::Error| format!("{}: {}", url.path(), error.without_url());
        let mut response = self.client.get(url.clone()).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{} answers {}", url.path(), response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > DOCUMENT_LIMIT {
                return Err(format!("{} answers more than {} KiB", url.path(), DOCUMENT_LIMIT / 1024));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{} is not what it must be: {error}", url.path()))
    }
}

/// How long an issuer is left alone after it was asked.
const fn wait(last: &Asked) -> Duration {
    if last.failure.is_some() { RETRY_AFTER } else { REFETCH_AFTER }
}

/// The key with the token's key id; without one, the only key of its kind.
fn pick(keys: &[Key], header: &Header) -> Option<DecodingKey> {
    let mut fitting = keys
        .iter()
        .filter(|key| key.fits(header.alg) && header.kid.as_ref().is_none_or(|wanted| key.id.as_ref() == Some(wanted)));
    let first = fitting.next()?;
    if header.kid.is_none() && fitting.next().is_some() {
        return None;
    }
    Some(first.key.clone())
}

impl Key {
    /// Whether it is a key for this algorithm: of its family and curve, and not published for another one.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let curve = match algorithm {
            Algorithm::ES256 => Some(EllipticCurve::P256),
            Algorithm::ES384 => Some(EllipticCurve::P384),
            Algorithm::EdDSA => Some(EllipticCurve::Ed25519),
            _ => None,
        };
        self.family == algorithm.family()
            && self.curve == curve
            && self.algorithm.is_none_or(|published| published == algorithm)
    }
}

/// A published key, unless it is no public key to check signatures with.
fn key(published: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(published).ok()?;
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let curve = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => Some(key.curve.clone()),
        AlgorithmParameters::OctetKeyPair(key) => Some(key.curve.clone()),
        AlgorithmParameters::RSA(key) if modulus_len(&key.n) >= SMALLEST_MODULUS => None,
        // A symmetric key in public is no key, and a short one hardly.
        _ => return None,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let algorithm = match &jwk.common.key_algorithm {
        Some(algorithm) => Some(algorithm.to_string().parse().ok()?),
        None => None,
    };
    Some(Key { id: jwk.common.key_id, algorithm, family: key.family(), curve, key })
}

/// The bytes of a modulus, from its base64 without padding.
const fn modulus_len(encoded: &str) -> usize {
    encoded.len() * 3 / 4
}

/// An address that may be asked: over TLS, unless it is this machine.
fn safe_url(text: &str) -> Result<Url, String> {
    // Not told again: it may hold a password.
    let url = Url::parse(text).map_err(|_| "it is no address such as https://id.example.org".to_owned())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err("it must be an https address".to_owned()),
    }
}
