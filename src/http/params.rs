//! Reads `{"query" or "documentId", "operationName", "variables", "extensions"}`, the same on every transport.

use async_graphql::Variables;
use serde_json::{Map, Value as Json};

use crate::graphql::admission::{Params, Source};

/// What is wrong with a request, for the caller.
pub(super) type Malformed = String;

/// Reads the JSON body of a request.
pub(super) fn from_body(body: &[u8]) -> Result<Params, Malformed> {
    match serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))? {
        Json::Object(fields) => from_fields(fields),
        Json::Array(_) => Err("the body holds several requests; send one at a time".to_owned()),
        _ => Err("the body must be a JSON object with a `query`".to_owned()),
    }
}

/// Reads the query part of an address, whose `variables` and `extensions` are JSON.
pub(super) fn from_url(query: &str) -> Result<Params, Malformed> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "documentId" | "operationName" => Json::String(value.into_owned()),
            "variables" | "extensions" => {
                serde_json::from_str(&value).map_err(|error| format!("`{name}` is not JSON: {error}"))?
            }
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    from_fields(fields)
}

/// Reads the fields of a request; others mean nothing and are let pass.
pub(super) fn from_fields(mut fields: Map<String, Json>) -> Result<Params, Malformed> {
    let text = text(&mut fields, "query")?;
    let document = self::text(&mut fields, "documentId")?;
    let operation_name = self::text(&mut fields, "operationName")?;
    let variables = match fields.remove("variables") {
        None | Some(Json::Null) => Variables::default(),
        Some(variables @ Json::Object(_)) => Variables::from_json(variables),
        Some(_) => return Err("`variables` must be an object".to_owned()),
    };
    let hash = match fields.remove("extensions") {
        None | Some(Json::Null) => None,
        Some(Json::Object(mut extensions)) => persisted_hash(extensions.remove("persistedQuery"))?,
        Some(_) => return Err("`extensions` must be an object".to_owned()),
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

fn text(fields: &mut Map<String, Json>, name: &str) -> Result<Option<String>, Malformed> {
    match fields.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` must be a string")),
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
        let deep = format!("{{\"query\":\"{{a}}\",\"variables\":{{\"x\":{}", "[".repeat(10_000));
        assert!(from_body(deep.as_bytes()).unwrap_err().contains("recursion limit"));
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
