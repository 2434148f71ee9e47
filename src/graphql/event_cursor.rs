//! Places in the log of events, opaque to callers: where a subscription goes on.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::graphql::error::ApiError;

/// What a cursor of events begins with: what it is made of may change, and old cursors must then be refused.
const VERSION: (&str, &str) = ("1", "events");

/// A place in the log: that of an event, or the one behind which nothing has happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor(pub i64);

impl EventCursor {
    /// Reads the cursor of an argument.
    pub fn read(argument: &str, text: &str) -> Result<Self, ApiError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let parts: Option<(String, String, i64)> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match parts {
            Some((version, of, place)) if (version.as_str(), of.as_str()) == VERSION && place >= 0 => Ok(Self(place)),
            _ => Err(ApiError::bad_input(format!(
                "{argument} is not a cursor of events; take the `cursor` of an event that you heard, or `eventCursor`"
            ))),
        }
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = (VERSION.0, VERSION.1, self.0);
        out.write_str(&BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for place in [0, 1, i64::MAX] {
            assert_eq!(EventCursor::read("after", &EventCursor(place).to_string()), Ok(EventCursor(place)));
        }
        let made_up = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for text in [
            String::new(),
            "ticket_event_7".to_owned(),
            made_up(r#"["1","events",-1]"#),
            made_up(r#"["2","events",1]"#),
            made_up(r#"["1","tickets",1]"#),
            made_up(r#"["1","events","1"]"#),
            made_up(r#"["1","events",1,1]"#),
        ] {
            assert!(EventCursor::read("after", &text).is_err(), "{text}");
        }
    }
}
