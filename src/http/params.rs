//! Reads `{"query" or "documentId", "operationName", "variables", "extensions"}`, the same on every transport.

use async_graphql::Variables;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::graphql::admission::{Params, Source};

/// Values of a request's JSON, within each other too: as many as the words and signs of a document. Each is copied a few times
/// on its way to a resolver.
const VALUES_LIMIT: usize = 8_000;

/// What is wrong with a request, for the caller.
pub(super) type Malformed = String;

/// The fields of a request, of whatever type they were sent; others mean nothing and are let pass.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fields {
    query: Json,
    document_id: Json,
    operation_name: Json,
    variables: Json,
    extensions: Json,
}

/// Reads the JSON body of a request.
pub(super) fn from_body(body: &[u8]) -> Result<Params, Malformed> {
    match body.trim_ascii_start().first() {
        Some(b'{') | None => {}
        Some(b'[') => return Err("the body holds several requests; send one at a time".to_owned()),
        Some(_) => return Err("the body must be a JSON object with a `query`".to_owned()),
    }
    check_values(body)?;
    let fields: Fields = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    fields.read()
}

/// Reads the query part of an address, whose `variables` and `extensions` are JSON.
pub(super) fn from_url(query: &str) -> Result<Params, Malformed> {
    let mut fields = Fields::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let text = || Json::String(value.clone().into_owned());
        let json = || {
            check_values(value.as_bytes())?;
            serde_json::from_str(&value).map_err(|error| format!("`{name}` is not JSON: {error}"))
        };
        match &*name {
            "query" => fields.query = text(),
            "documentId" => fields.document_id = text(),
            "operationName" => fields.operation_name = text(),
            "variables" => fields.variables = json()?,
            "extensions" => fields.extensions = json()?,
            _ => {}
        }
    }
    fields.read()
}

/// Refuses JSON of too many values before it is read: outside of strings, each begins with a bracket or follows a comma.
pub(super) fn check_values(json: &[u8]) -> Result<(), Malformed> {
    let (mut values, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    if values <= VALUES_LIMIT {
        return Ok(());
    }
    Err(format!("the request is too large: its JSON may have at most {VALUES_LIMIT} values; ask for less at a time"))
}

impl Fields {
    /// The request that they make.
    pub(super) fn read(self) -> Result<Params, Malformed> {
        let text = text("query", self.query)?;
        let document = self::text("documentId", self.document_id)?;
        let operation_name = self::text("operationName", self.operation_name)?;
        let variables = match self.variables {
            Json::Null => Variables::default(),
            variables @ Json::Object(_) => Variables::from_json(variables),
            _ => return Err("`variables` must be an object".to_owned()),
        };
        let hash = match self.extensions {
            Json::Null => None,
            Json::Object(mut extensions) => persisted_hash(extensions.remove("persistedQuery"))?,
            _ => return Err("`extensions` must be an object".to_owned()),
        };
        let source = match (text, document, hash) {
            (Some(_), Some(_), _) => return Err("send `query` or `documentId`, not both".to_owned()),
            (None, Some(id), _) => Source::Id(id),
            (text, None, Some(hash)) => Source::Persisted { hash, text },
            (Some(text), None, None) => Source::Text(text),
            (None, None, None) => return Err("`query` is missing".to_owned()),
        };
        Ok(Params { source, operation_name, variables })
    }
}

fn text(name: &str, sent: Json) -> Result<Option<String>, Malformed> {
    match sent {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        _ => Err(format!("`{name}` must be a string")),
    }
}

/// The hash of `{"version": 1, "sha256Hash": "…"}`.
fn persisted_hash(sent: Option<Json>) -> Result<Option<String>, Malformed> {
    let Some(sent) = sent.filter(|sent| !sent.is_null()) else { return Ok(None) };
    match (sent.get("version").and_then(Json::as_u64), sent.get("sha256Hash")) {
        (Some(1), Some(Json::String(hash))) => Ok(Some(hash.to_ascii_lowercase())),
        _ => Err("`persistedQuery` must be of version 1 and have a `sha256Hash`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_object_with_a_document() {
        let body = br#"{"query":"{a}","operationName":null,"variables":{"x":1},"extensions":{"y":2},"id":7}"#;
        let params = from_body(body).unwrap();
        assert_eq!((params.source, params.variables.len()), (Source::Text("{a}".to_owned()), 1));
        for body in [
            "",
            "{",
            "[]",
            "[{\"query\":\"{a}\"}]",
            "\"{a}\"",
            "{}",
            r#"{"query":1}"#,
            r#"{"query":"{a}","documentId":"sha256:00"}"#,
            r#"{"query":"{a}","operationName":1}"#,
            r#"{"query":"{a}","variables":[]}"#,
            r#"{"query":"{a}","variables":"{}"}"#,
            r#"{"query":"{a}","extensions":[]}"#,
            r#"{"query":"{a}","extensions":{"persistedQuery":{"version":2,"sha256Hash":""}}}"#,
        ] {
            assert!(from_body(body.as_bytes()).is_err(), "{body}");
        }
        let deep = format!("{{\"query\":\"{{a}}\",\"variables\":{{\"x\":{}", "[".repeat(1_000));
        assert!(from_body(deep.as_bytes()).unwrap_err().contains("recursion limit"));
    }

    #[test]
    fn a_request_of_too_many_values_is_not_read() {
        let ids = |count: usize| format!("{{\"query\":\"{{a}}\",\"variables\":{{\"ids\":[{}1]}}}}", "1,".repeat(count));
        assert!(from_body(ids(VALUES_LIMIT - 5).as_bytes()).is_ok());
        assert!(from_body(ids(VALUES_LIMIT).as_bytes()).unwrap_err().contains("too large"));
        assert!(from_url(&format!("query=%7Ba%7D&variables={}", ids(VALUES_LIMIT))).unwrap_err().contains("too large"));
        for text in ["[,{".repeat(VALUES_LIMIT), "\\\"[,{".repeat(VALUES_LIMIT / 2)] {
            let body = serde_json::json!({ "query": "{a}", "variables": { "text": text } }).to_string();
            assert!(from_body(body.as_bytes()).is_ok(), "what stands in a string is one value");
        }
    }

    #[test]
    fn a_document_can_be_named() {
        let source = |fields: Json| from_body(fields.to_string().as_bytes()).unwrap().source;
        assert_eq!(source(serde_json::json!({ "documentId": "sha256:ab" })), Source::Id("sha256:ab".to_owned()));
        let extensions = serde_json::json!({ "persistedQuery": { "version": 1, "sha256Hash": "AB" } });
        let by_hash = source(serde_json::json!({ "extensions": extensions }));
        assert_eq!(by_hash, Source::Persisted { hash: "ab".to_owned(), text: None });
    }

    #[test]
    fn an_address_holds_the_same_fields() {
        let params = from_url("query=%7Ba%7D&operationName=x&variables=%7B%22n%22%3A1%7D&other=1").unwrap();
        assert_eq!(params.source, Source::Text("{a}".to_owned()));
        assert_eq!((params.operation_name.as_deref(), params.variables.len()), (Some("x"), 1));
        for query in ["", "query=%7Ba%7D&variables=x", "query=%7Ba%7D&variables=%5B%5D", "variables=%7B%7D"] {
            assert!(from_url(query).is_err(), "{query}");
        }
    }
}
