//! The messages of `graphql-transport-ws`, both ways.

use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::http::{
    answer::Body,
    params::{Fields, check_values},
};

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    /// Who it is; the first message.
    ConnectionInit {
        /// The token, under `Authorization` or `token`.
        payload: Option<Map<String, Json>>,
    },
    /// It wants a pong.
    Ping {
        /// Comes back with the pong.
        payload: Option<Map<String, Json>>,
    },
    /// It is there.
    Pong {
        /// Means nothing.
        #[serde(rename = "payload")]
        _payload: Option<Map<String, Json>>,
    },
    /// It asks for an operation.
    Subscribe {
        /// What the client calls it.
        id: String,
        /// The request.
        payload: Fields,
    },
    /// It wants no more of an operation.
    Complete {
        /// Which.
        id: String,
    },
}

impl ClientMessage {
    /// Reads a message.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        check_values(text.as_bytes()).map_err(|problem| format!("Invalid message: {problem}"))?;
        let message: Self = serde_json::from_str(text).map_err(|error| format!("Invalid message: {error}"))?;
        match &message {
            Self::Subscribe { id, .. } | Self::Complete { id } if id.is_empty() => {
                Err("Invalid message: the id is empty".to_owned())
            }
            _ => Ok(message),
        }
    }
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    /// The client is known, or may stay unknown.
    ConnectionAck,
    /// The answer to a ping.
    Pong {
        /// What came with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Json>>,
    },
    /// An answer of an operation.
    Next {
        /// Of which.
        id: &'a str,
        /// The answer.
        payload: Body<'a>,
    },
    /// An operation that is not carried out.
    Error {
        /// Which.
        id: &'a str,
        /// Why.
        payload: &'a [ServerError],
    },
    /// An operation has no more to say.
    Complete {
        /// Which.
        id: &'a str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_protocol_are_read() {
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":{"token":"x"}}"#,
            r#"{"type":"ping","payload":null}"#,
            r#"{"type":"pong"}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}"}}"#,
            r#"{"type":"complete","id":"1"}"#,
        ] {
            assert!(ClientMessage::read(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "x",
            "[]",
            "{}",
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"complete"}"#,
            &format!(r#"{{"type":"ping","payload":{{"a":[{}1]}}}}"#, "1,".repeat(8_000)),
        ] {
            assert!(ClientMessage::read(text).is_err(), "{text}");
        }
    }
}
