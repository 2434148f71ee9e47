//! Settings that nobody may read over a shoulder.

use std::{convert::Infallible, fmt, path::Path, str::FromStr};

use url::Url;

/// What stands for a secret.
const HIDDEN: &str = "***";

/// A setting that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Reads a secret from a file, without the line break at its end.
    pub fn from_file(option: &str, file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{option}: {} cannot be read: {error}", file.display()))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("{option}: {} is empty", file.display()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

/// A URL for people to read: without whoever signs in with it, and without parameters and a fragment, each of which may be or
/// hold a secret.
pub fn hide_passwords(url: &str) -> String {
    if let Some(path) = url.trim().strip_prefix("sqlite:") {
        let (path, has_parameters) = path.split_once('?').map_or((path, false), |(path, _)| (path, true));
        return format!("sqlite:{path}{}", if has_parameters { format!("?{HIDDEN}") } else { String::new() });
    }
    let Ok(mut parsed) = Url::parse(url.trim()) else { return HIDDEN.to_owned() };
    let has_user = !parsed.username().is_empty() || parsed.password().is_some();
    if has_user && (parsed.set_username(HIDDEN).is_err() || parsed.set_password(None).is_err()) {
        return HIDDEN.to_owned();
    }
    if parsed.query().is_some() {
        parsed.set_query(Some(HIDDEN));
    }
    if parsed.fragment().is_some() {
        parsed.set_fragment(Some(HIDDEN));
    }
    if parsed.cannot_be_a_base() {
        return format!("{}:{HIDDEN}", parsed.scheme());
    }
    parsed.to_string()
}
