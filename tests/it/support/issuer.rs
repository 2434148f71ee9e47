//! An OpenID Connect issuer on loopback, whose keys and troubles the test decides.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Made for these tests, and used nowhere else.
const ONE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgllHKvvtWgR8tAKzNlhDfx/EfW3gwP9eIXV/6pL0QxIehRANCAASrh7vN2pB2G6\
    1zAw+Ld/3luKgFxmNTbLP/JM9Hcp4GO2FNlKayoQB+mQw+y5AEItgrEVODiALdtIoCfFCP+erD";
const TWO: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaVoHSMHqwXrkHQDVhBWIl139PhK4W0P5KJsf9XDAJEehRANCAASkv0BilKWtm0\
    8VsTKaz97ssEBmSdQkEWJJk3GqikQKJvNZIeHjpU8X9f6PddmsE8KlPZHKhcKC8ymDssA8N8Wr";
const RSA: &str = "MIIEoQIBAAKCAQEAkq3L9PG+TqvE+Mg2ob6YLhFXs5ygW+RERZGJR8rofhGgrLLWojp66ATl8PoXmi4TQTeBorZq8GJWfMsrsQGjfv5O64u6f7\
    aFQucLn2aAyE/FPaI58Aq5+Andy6iH+x2zsgETn0bI34W/91cHWbE21vK3akfbgkUSJN+a5W+rcAD4U2PYkCCGF1dD5Ss5+FMtTG1ZCsiv798P\
    F8rt+iIdD6YLGV/VVEqMRVrne665Z5yZO6KR4WxN/k1jI/2iagVUs4TM+WlDWU7zDa+DsvfBgvdLn0w2C96K67TpF1a8PDvIxsH6EeyJ48A/iG\
    DkdP1mMDEPHIWQhCGN17ay4LrP3wIDAQABAoIBACfHbYhU5V01lVo5BiPwahoYRvYllJHHQsKxOQ9Y1puWEUK0z6O4g2uYJHopgSwlscAemxAz\
    M6ZUrQr0GLnM7Xe75VBZGS+YouRlf4/vvx5UD/RqohbY+d1sY5PfdV1jjT/JrfYkvsZr4gdkuVAYUPyTX625pizaqZSJddsiYVai64/qo8Rsum\
    bIw/d2TMLff/0p8+S6LlNGL7TpesR0BQRHcUjz47xT2Q9TAgmuaV69zFkHQx/JUjBhPjogn7pp5qvZpi5cyZD81NGUO5gUV+YLYWKMJ7D6RSKC\
    /pmLyAvuz2ycjC2e/YNALkG2qTX9h9CegUGe5MuEck4XyDkeyIECgYEAx1Y7WjQVO7+tgFIv1wIFTOnFzOpeeNtg0+1697w4N30t75B3Qf8KD6\
    xRUdxKYgLiOV+/ppHhrpBhe0IvhxBh7Dk4D2B0fd0T43gWMLyzC4UNGiPOJxNb/6sl0E/DjfYa23/ddKFi0Unok3Vk5HF6LsBunAg1lf/kIQty\
    LABill8CgYEAvF+jk2UW7He5DLRYAT1ELYGhRhoBGRBaF9UIsOIHohZtVw0qcnJf35yor+f+TJ4SsCHHEzjV0QDSzIvPtSviQ3xrbxdarU4a5p\
    YQ+J5zjSF+m4zxDzw8T5/+ldDEG6WtExvXUtDx9QFvxczeltoSADut4hedqF4f+PNFYRrLNoECgYBJlpn+qO+VySNCFhU3KLXQORUemv8ZWtOa\
    KTeWMVQHmBzXLdv47zBFrPWwZMTI/guJ5sEXuw83pHF4UWy+Tdv4mv8JHjCjLnRjKzf18hOfExVNKx616j2yWvpwtqGYzNwJYGDe551VahWEKn\
    h+pS3YCI5M5/LwVzFeyZzyhYnfvQKBgQCPvQq8de7AEbsKjrJ4f59+eePt8fnUfj3A4bX4AwGAFUzpmApDujKeFpRBZe0N2bC45Y1ahYviJ5ay\
    rhyYShwlEtOHuXJfu7GbMfdRPtc9YcmSOEHZNkVvHM7O0rZRwmIGqr/rWbTHF4mKjYFr6orB0sgkNZD/4JLVDAxsxF08AQJ/G1Ku9Q5VOoQLu9\
    X+KprWta100H4/5+8Atwm/8QJ0Oh+d2lPIu6AK1KshmJtZYdnmX7xK1wPOKJ6xnP75MnOlIMZZMuCCo0tl+x9DXQwirTavEHp15oJbPHEhr9sU\
    XTVaR1x41M2DjQSjfAf02hFxUfqeaUx37obrIiSsoe8h1Q==";

/// A key of the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerKey {
    One,
    Two,
    Rsa,
}

/// What goes wrong at the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    Broken,
    Huge,
    Silent,
    Redirecting,
    AnotherIssuer,
    InsecureKeys,
    OnlySecrets,
}

/// The issuer. Stops listening when it is dropped.
pub struct Issuer {
    pub url: String,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

struct Shared {
    url: String,
    keys: Mutex<Vec<(String, IssuerKey)>>,
    trouble: Mutex<Trouble>,
    fetches: AtomicUsize,
}

impl IssuerKey {
    pub fn algorithm(self) -> Algorithm {
        if self == Self::Rsa { Algorithm::RS256 } else { Algorithm::ES256 }
    }

    fn encoding(self) -> EncodingKey {
        let der = |text: &str| BASE64_STANDARD.decode(text).unwrap();
        match self {
            Self::One => EncodingKey::from_ec_der(&der(ONE)),
            Self::Two => EncodingKey::from_ec_der(&der(TWO)),
            Self::Rsa => EncodingKey::from_rsa_der(&der(RSA)),
        }
    }

    /// As an issuer publishes it.
    pub fn published(self, id: &str) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.encoding(), self.algorithm()).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }
}

impl Issuer {
    /// An issuer with the key `one`.
    pub async fn start() -> Self {
        // As `main` does, before anything speaks TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            url: url.clone(),
            keys: Mutex::new(vec![("one".to_owned(), IssuerKey::One)]),
            trouble: Mutex::new(Trouble::None),
            fetches: AtomicUsize::new(0),
        });
        let [of_discovery, of_keys] = [Arc::clone(&shared), Arc::clone(&shared)];
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(move || discovery(of_discovery)))
            .route("/keys", get(move || keys(of_keys)));
        let listening = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, listening }
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[(&str, IssuerKey)]) {
        *self.shared.keys.lock().unwrap() = keys.iter().map(|(id, key)| ((*id).to_owned(), *key)).collect();
    }

    pub fn be(&self, trouble: Trouble) {
        *self.shared.trouble.lock().unwrap() = trouble;
    }

    /// How often the keys were asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// A token, signed with a key under an id.
    pub fn sign(&self, key: IssuerKey, id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(key.algorithm()) };
        jsonwebtoken::encode(&header, claims, &key.encoding()).unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn discovery(shared: Arc<Shared>) -> Response {
    let trouble = *shared.trouble.lock().unwrap();
    let url = &shared.url;
    match trouble {
        Trouble::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Trouble::Silent => std::future::pending().await,
        Trouble::Redirecting => Redirect::temporary("/keys").into_response(),
        Trouble::AnotherIssuer => {
            Json(json!({ "issuer": "http://127.0.0.1:1", "jwks_uri": format!("{url}/keys") })).into_response()
        }
        Trouble::InsecureKeys => Json(json!({ "issuer": url, "jwks_uri": "http://192.0.2.1/keys" })).into_response(),
        _ => Json(json!({ "issuer": url, "jwks_uri": format!("{url}/keys") })).into_response(),
    }
}

async fn keys(shared: Arc<Shared>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let trouble = *shared.trouble.lock().unwrap();
    match trouble {
        Trouble::Huge => Json(json!({ "keys": [], "padding": "x".repeat(1024 * 1024) })).into_response(),
        Trouble::OnlySecrets => {
            Json(json!({ "keys": [{ "kty": "oct", "kid": "one", "k": "c2VjcmV0" }] })).into_response()
        }
        _ => {
            let keys: Vec<_> = shared.keys.lock().unwrap().iter().map(|(id, key)| key.published(id)).collect();
            Json(json!({ "keys": keys })).into_response()
        }
    }
}
