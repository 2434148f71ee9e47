use serde_json::json;

use super::*;

#[test]
fn tokens_are_found_in_any_case_and_under_either_name() {
    let found = |payload| credentials(&payload);
    let bearer = Some(Some("Bearer secondline_x".to_owned()));
    assert_eq!(found(json!({ "Authorization": "Bearer secondline_x" })), bearer);
    assert_eq!(found(json!({ "authorization": "Bearer secondline_x", "token": "other" })), bearer);
    assert_eq!(found(json!({ "token": "secondline_x" })), bearer);
    assert_eq!(found(json!({ "token": "Bearer secondline_x" })), bearer);
    assert_eq!(found(json!({ "authorization": 7 })), Some(None));
    for none in [json!(null), json!({}), json!([]), json!({ "other": "x" })] {
        assert_eq!(found(none), None);
    }
}

#[test]
fn close_codes_are_those_of_the_protocol() {
    for (code, reason, expected) in [
        (1002, FORBIDDEN, 4403),
        (1002, UNAVAILABLE, 1013),
        (1002, "expected value at line 1", 4400),
        (1011, "The handshake is not completed.", 4401),
        (4429, "Too many initialisation requests.", 4429),
    ] {
        let Message::Close(Some(frame)) = translated(close(code, reason)) else { panic!("not a close frame") };
        assert_eq!(frame.code, expected, "{reason}");
    }
}
