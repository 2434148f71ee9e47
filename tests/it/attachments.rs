//! Files of tickets: allowed, uploaded, checked, handed out, removed.

use std::io;

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use chrono::TimeDelta;
use entity::{attachment, id::AttachmentId};
use futures_util::future::{join_all, select_all};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secondline::delivery::attachments::{AttachmentKey, Grant};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, Sender},
    task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;
use tower::ServiceExt;

use crate::support::{
    Member, TestApp,
    checks::{each, pairs},
    each_database,
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
const UPLOAD: &str = "attachment { id state url fileName visibility uploaderName } \
    upload { method url headers { name value } expiresAt mustComplete }";

fn screenshot(key: &str) -> Value {
    json!({ "ticketId": key, "fileName": "Übersicht 1.png", "contentType": "image/png", "size": PNG.len() })
}

/// Allows an upload; the attachment's id and where to send it.
async fn request(app: &TestApp, member: &Member, input: Value) -> (String, String) {
    let payload = app.mutate(member, "requestUpload", input, UPLOAD).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    assert_eq!((&payload["attachment"]["state"], &payload["attachment"]["url"]), (&json!("REQUESTED"), &Value::Null));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&payload["attachment"]["id"]), text(&payload["upload"]["url"]))
}

async fn send(app: &TestApp, method: &str, url: &str, body: &[u8]) -> Response<Body> {
    let request = Request::builder().method(method).uri(url).body(Body::from(body.to_vec())).unwrap();
    app.router.clone().oneshot(request).await.unwrap()
}

/// Begins an upload whose parts are sent one by one.
fn begin(router: &Router, url: &str) -> (Sender<io::Result<Vec<u8>>>, JoinHandle<u16>) {
    let (parts, sent) = mpsc::channel(1);
    let request = Request::put(url).body(Body::from_stream(ReceiverStream::new(sent))).unwrap();
    let router = router.clone();
    (parts, tokio::spawn(async move { router.oneshot(request).await.unwrap().status().as_u16() }))
}

async fn put(app: &TestApp, url: &str, body: &[u8]) -> u16 {
    send(app, "PUT", url, body).await.status().as_u16()
}

/// Attaches a screenshot; its id.
async fn attach(app: &TestApp, member: &Member, input: Value) -> String {
    let (id, url) = request(app, member, input).await;
    assert_eq!(put(app, &url, PNG).await, 204);
    id
}

async fn files(app: &TestApp, member: &Member, key: &str) -> Value {
    app.ticket(member, key, "attachments { id state url fileName } history { kind attachment { id } }").await
}

/// How many objects are kept.
fn kept(app: &TestApp) -> usize {
    let mut count = 0;
    let mut folders = vec![app.files.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { count += 1 }
        }
    }
    count
}

async fn refused(app: &TestApp, member: &Member, mutation: &str, input: Value) -> Vec<(String, String)> {
    let payload = app.mutate(member, mutation, input, "attachment { id }").await;
    assert_eq!(payload["attachment"], Value::Null, "{payload:#}");
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let problems = payload["userErrors"].as_array().unwrap();
    problems.iter().map(|problem| (text(&problem["code"]), text(&problem["field"]))).collect()
}

each_database! {
    async fn a_screenshot_is_uploaded_and_read_back(app) {
        let client = &app.cast.client;
        let key = app.file_ticket().await;
        let payload = app.mutate(client, "requestUpload", screenshot(&key), UPLOAD).await;
        assert_eq!(payload["attachment"]["visibility"], "CLIENT");
        assert_eq!(payload["attachment"]["uploaderName"], "Carla Client");
        let upload = &payload["upload"];
        assert_eq!((&upload["method"], &upload["expiresAt"]), (&json!("PUT"), &json!("2026-06-01T09:15:00+00:00")));
        assert_eq!(upload["headers"], json!([{ "name": "Content-Type", "value": "image/png" }]));
        assert_eq!(upload["mustComplete"], false);
        let url = upload["url"].as_str().unwrap();
        assert_eq!(put(app, url, PNG).await, 204);
        assert_eq!(put(app, url, PNG).await, 404, "an address is for one upload");
        let ticket = files(app, client, &key).await;
        assert_eq!(ticket["attachments"][0]["state"], "READY");
        assert_eq!(ticket["history"][1], json!({
            "kind": "ATTACHMENT_ADDED", "attachment": { "id": payload["attachment"]["id"] },
        }));
        let response = send(app, "GET", ticket["attachments"][0]["url"].as_str().unwrap(), b"").await;
        assert_eq!(response.status(), 200);
        for (header, value) in [
            ("content-type", "image/png"),
            ("content-disposition", "attachment; filename*=UTF-8''%C3%9Cbersicht%201.png"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(response.headers()[header], value);
        }
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(&body[..], PNG);
        let complete = json!({ "attachmentId": payload["attachment"]["id"] });
        let completed = app.mutate(client, "completeUpload", complete, "attachment { state }").await;
        assert_eq!(completed["attachment"]["state"], "READY");
    }

    async fn what_is_not_as_announced_is_not_kept(app) {
        let key = app.file_ticket().await;
        let (_, url) = request(app, &app.cast.qa, screenshot(&key)).await;
        let mut pdf = b"%PDF-1.7".to_vec();
        pdf.resize(PNG.len(), b' ');
        for (body, status) in [(&PNG[..10], 413), (&[PNG, b"!"].concat(), 413), (&[][..], 413), (&pdf, 415)] {
            assert_eq!(put(app, &url, body).await, status);
        }
        assert_eq!((kept(app), files(app, &app.cast.qa, &key).await["history"].as_array().unwrap().len()), (0, 1));
        assert_eq!(put(app, &url, PNG).await, 204);
        let page = json!({ "ticketId": key, "fileName": "a.txt", "contentType": "text/plain", "size": 6 });
        let (_, url) = request(app, &app.cast.qa, page).await;
        assert_eq!(put(app, &url, b"<html>").await, 415);
        assert_eq!(put(app, &url, b"a\nlog\n").await, 204);
        assert_eq!(kept(app), 2);
    }

    async fn addresses_are_signed_and_end(app) {
        let key = app.file_ticket().await;
        let (id, url) = request(app, &app.cast.qa, screenshot(&key)).await;
        let (other, other_url) = request(app, &app.cast.qa, screenshot(&key)).await;
        for wrong in [
            url.replace("signature=", "signature=x"),
            url.replace("expires=1", "expires=2"),
            url.replace(&id, &other),
            url.split('&').next().unwrap().to_owned() + "&signature=",
        ] {
            assert_eq!(put(app, &wrong, PNG).await, 403, "{wrong}");
        }
        let bare = send(app, "PUT", url.split('?').next().unwrap(), PNG).await;
        assert_eq!((bare.status().as_u16(), &bare.headers()["content-type"] == "application/json; charset=utf-8"), (404, true));
        assert_eq!(put(app, "/attachments/nothing?expires=1&signature=x", PNG).await, 404);
        assert_eq!(send(app, "GET", &url, b"").await.status(), 403, "an upload's address is not a download's");
        assert_eq!(put(app, &url, PNG).await, 204);
        let file = files(app, &app.cast.qa, &key).await["attachments"][0]["url"].as_str().unwrap().to_owned();
        assert_eq!(put(app, &file, PNG).await, 403);
        app.advance(TimeDelta::minutes(15));
        assert_eq!(put(app, &other_url, PNG).await, 403);
        assert_eq!(send(app, "GET", &file, b"").await.status(), 403);
        let file = files(app, &app.cast.qa, &key).await["attachments"][0]["url"].as_str().unwrap().to_owned();
        assert_eq!(send(app, "GET", &file, b"").await.status(), 200);
    }

    async fn two_uploads_of_one_file_at_once_keep_one(app) {
        let key = app.file_ticket().await;
        let (_, url) = request(app, &app.cast.qa, screenshot(&key)).await;
        let (one, other) = tokio::join!(put(app, &url, PNG), put(app, &url, PNG));
        let mut statuses = [one, other];
        statuses.sort_unstable();
        assert_eq!((statuses, kept(app)), ([204, 404], 1));
    }

    async fn an_uploader_sends_one_file_at_a_time_and_few_wait(app) {
        let key = app.file_ticket().await;
        let (_, first) = request(app, &app.cast.qa, screenshot(&key)).await;
        let (parts, slow) = begin(&app.router, &first);
        // The second part is taken once the first one was read.
        parts.send(Ok(PNG[..2].to_vec())).await.unwrap();
        parts.send(Ok(PNG[2..4].to_vec())).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let (_, url) = request(app, &app.cast.qa, screenshot(&key)).await;
            let (parts, upload) = begin(&app.router, &url);
            parts.send(Ok(PNG.to_vec())).await.unwrap();
            waiting.push(upload);
        }
        let (refused, _, waiting) = select_all(waiting).await;
        assert_eq!(refused.unwrap(), 429, "more do not wait");
        let (_, others) = request(app, &app.cast.tech, screenshot(&key)).await;
        assert_eq!(put(app, &others, PNG).await, 204, "another uploader does not wait");
        assert!(waiting.iter().all(|upload| !upload.is_finished()));
        parts.send(Ok(PNG[4..].to_vec())).await.unwrap();
        drop(parts);
        assert_eq!(slow.await.unwrap(), 204);
        let done: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
        assert_eq!((done, kept(app)), (vec![204; 7], 9));
    }

    async fn an_upload_that_breaks_off_leaves_nothing(app) {
        let key = app.file_ticket().await;
        for (end, status) in [(Some(io::Error::other("gone")), 400), (None, 413)] {
            let (_, url) = request(app, &app.cast.qa, screenshot(&key)).await;
            let (parts, upload) = begin(&app.router, &url);
            parts.send(Ok(PNG[..10].to_vec())).await.unwrap();
            if let Some(error) = end {
                parts.send(Err(error)).await.unwrap();
            }
            drop(parts);
            assert_eq!((upload.await.unwrap(), kept(app)), (status, 0));
        }
    }

    async fn a_store_that_fails_is_unavailable_and_the_upload_can_be_sent_again(app) {
        let key = app.file_ticket().await;
        let (_, url) = request(app, &app.cast.client, screenshot(&key)).await;
        // What a full disk, or a bucket that does not answer, comes to: nothing can be put where files belong.
        std::fs::remove_dir_all(app.files.path()).unwrap();
        std::fs::write(app.files.path(), b"in the way").unwrap();
        assert_eq!(put(app, &url, PNG).await, 503);
        std::fs::remove_file(app.files.path()).unwrap();
        std::fs::create_dir(app.files.path()).unwrap();
        assert_eq!(put(app, &url, PNG).await, 204);
    }

    async fn declarations_are_checked(app) {
        let qa = &app.cast.qa;
        let key = app.file_ticket().await;
        let with = |change: Value| {
            let mut input = screenshot(&key);
            for (field, value) in change.as_object().unwrap() {
                input[field] = value.clone();
            }
            input
        };
        for (change, expected) in [
            (json!({ "fileName": "../x.png" }), ("INVALID", "fileName")),
            (json!({ "fileName": " " }), ("BLANK", "fileName")),
            (json!({ "contentType": "image/svg+xml" }), ("INVALID", "contentType")),
            (json!({ "contentType": "text/html" }), ("INVALID", "contentType")),
            (json!({ "size": 0 }), ("INVALID", "size")),
            (json!({ "size": 100_001 }), ("TOO_LONG", "size")),
            (json!({ "commentId": "comment_00000000000000000000000000000001" }), ("UNKNOWN", "commentId")),
        ] {
            assert_eq!(refused(app, qa, "requestUpload", with(change)).await, pairs(&[expected]));
        }
        let internal = refused(app, &app.cast.client, "requestUpload", with(json!({ "visibility": "INTERNAL" }))).await;
        assert_eq!(internal, pairs(&[("NOT_ALLOWED", "visibility")]));
        for _ in 0..50 {
            request(app, qa, screenshot(&key)).await;
        }
        assert_eq!(refused(app, qa, "requestUpload", screenshot(&key)).await, pairs(&[("LIMIT_REACHED", "")]));
    }

    async fn a_file_gets_a_name_that_fits_its_type(app) {
        let key = app.file_ticket().await;
        for (name, kept) in [
            ("page.html", "page.html.txt"), ("evil.hta", "evil.hta.txt"), ("x.svg", "x.svg.txt"), ("server.log", "server.log"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe.txt"), ("a.txt . ", "a.txt"), ("con", "_con.txt"),
            ("zero\u{200b}width.txt", "zerowidth.txt"), ("notes", "notes.txt"), ("a.txt:b.exe", "a.txt_b.exe.txt"),
        ] {
            let input = json!({ "ticketId": key, "fileName": name, "contentType": "text/plain", "size": 6 });
            let payload = app.mutate(&app.cast.qa, "requestUpload", input, UPLOAD).await;
            assert_eq!(payload["attachment"]["fileName"], kept, "{payload:#}");
            assert_eq!(put(app, payload["upload"]["url"].as_str().unwrap(), b"a\nlog\n").await, 204);
        }
        for wrong in [&"x".repeat(201), &"注".repeat(90), "a\nb.txt", "../x.txt", "\u{202e}"] {
            let input = json!({ "ticketId": key, "fileName": wrong, "contentType": "text/plain", "size": 6 });
            assert_eq!(refused(app, &app.cast.qa, "requestUpload", input).await[0].1, "fileName", "{wrong:?}");
        }
    }

    async fn a_name_that_an_earlier_version_took_is_harmless_when_it_is_shown_and_served(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "fileName": "a.txt", "contentType": "text/plain", "size": 6 });
        let (id, url) = request(app, &app.cast.qa, input).await;
        assert_eq!(put(app, &url, b"a\nlog\n").await, 204);
        let old = attachment::Entity::update_many()
            .col_expr(attachment::Column::FileName, Expr::val("report\u{202e}fdp.html"))
            .filter(attachment::COLUMN.id.eq(id.parse::<AttachmentId>().unwrap()));
        old.exec(&app.db).await.unwrap();
        let file = files(app, &app.cast.qa, &key).await["attachments"][0].take();
        assert_eq!(file["fileName"], "reportfdp.html.txt");
        let response = send(app, "GET", file["url"].as_str().unwrap(), b"").await;
        assert_eq!(response.headers()["content-disposition"], "attachment; filename*=UTF-8''reportfdp.html.txt");
    }

    async fn who_left_sends_no_file_any_more(app) {
        let key = app.file_ticket().await;
        let (_, url) = request(app, &app.cast.client, screenshot(&key)).await;
        let left = json!({ "contactId": app.cast.client.id, "isActive": false });
        app.make(&app.cast.operations, "updateContact", "contact", left, "id").await;
        assert_eq!((put(app, &url, PNG).await, kept(app)), (404, 0));
    }

    async fn contacts_see_their_companys_files_that_are_for_them(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let internal = attach(app, &cast.qa, screenshot(&key)).await;
        let mut input = screenshot(&key);
        input["visibility"] = json!("CLIENT");
        let shown = attach(app, &cast.qa, input).await;
        let seen = files(app, &cast.client, &key).await;
        assert_eq!(each(&seen["attachments"], "id"), [&json!(shown)]);
        assert_eq!(seen["history"].as_array().unwrap().len(), 2);
        assert_eq!(files(app, &cast.qa, &key).await["attachments"].as_array().unwrap().len(), 2);
        let node = "query($id: ID!) { node(id: $id) { id } }";
        for (member, id, found) in [
            (&cast.client, &shown, json!({ "id": shown })),
            (&cast.client, &internal, Value::Null),
            (&cast.other_client, &shown, Value::Null),
            (&cast.tech, &internal, json!({ "id": internal })),
        ] {
            assert_eq!(app.ask(member, node, json!({ "id": id })).await["node"], found);
        }
        let token = Some(cast.other_client.token.as_str());
        for (mutation, input) in [
            ("requestUpload", screenshot(&key)),
            ("completeUpload", json!({ "attachmentId": shown })),
            ("deleteAttachment", json!({ "attachmentId": shown })),
        ] {
            assert_eq!(app.mutation_error(token, mutation, input).await, "NOT_FOUND");
        }
    }

    async fn a_comments_file_is_seen_by_at_most_its_readers_and_goes_with_it(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "body": "See there", "visibility": "INTERNAL" });
        let comment = app.mutate(&cast.qa, "addComment", input, "comment { id }").await["comment"]["id"].clone();
        let mut input = screenshot(&key);
        input["commentId"] = comment.clone();
        input["visibility"] = json!("CLIENT");
        assert_eq!(refused(app, &cast.qa, "requestUpload", input.clone()).await, pairs(&[("INVALID", "visibility")]));
        assert_eq!(refused(app, &cast.client, "requestUpload", input.clone()).await, pairs(&[("UNKNOWN", "commentId")]));
        input["visibility"] = Value::Null;
        let id = attach(app, &cast.qa, input).await;
        let ticket = app.ticket(&cast.tech, &key, "comments { nodes { attachments { id } } }").await;
        assert_eq!(ticket["comments"]["nodes"][0]["attachments"], json!([{ "id": id }]));
        app.mutate(&cast.qa, "deleteComment", json!({ "commentId": comment }), "comment { id }").await;
        assert_eq!(files(app, &cast.qa, &key).await["attachments"], json!([]));
    }

    async fn uploaders_and_administrators_delete_and_the_sweep_frees_the_place(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let first = attach(app, &cast.client, screenshot(&key)).await;
        let second = attach(app, &cast.client, screenshot(&key)).await;
        let kept_one = attach(app, &cast.client, screenshot(&key)).await;
        request(app, &cast.client, screenshot(&key)).await;
        let delete = |id: &str| json!({ "attachmentId": id });
        assert_eq!(refused(app, &cast.qa, "deleteAttachment", delete(&first)).await, pairs(&[("NOT_ALLOWED", "")]));
        let url = files(app, &cast.qa, &key).await["attachments"][0]["url"].as_str().unwrap().to_owned();
        for (member, id) in [(&cast.client, &first), (&cast.administrator, &second)] {
            let deleted = app.mutate(member, "deleteAttachment", delete(id), "attachment { state url }").await;
            assert_eq!(deleted["attachment"], json!({ "state": "REMOVED", "url": null }));
        }
        assert_eq!(send(app, "GET", &url, b"").await.status(), 404);
        assert_eq!((app.service.sweep_attachments().await.unwrap(), kept(app)), (0, 3));
        app.advance(TimeDelta::minutes(76));
        assert_eq!((app.service.sweep_attachments().await.unwrap(), kept(app)), (3, 1));
        assert_eq!(app.service.sweep_attachments().await.unwrap(), 0);
        let seen = files(app, &cast.client, &key).await;
        assert_eq!(each(&seen["attachments"], "id"), [&json!(kept_one)]);
        assert_eq!(each(&seen["history"], "kind")[4..], ["ATTACHMENT_REMOVED", "ATTACHMENT_REMOVED"]);
    }

    async fn replicas_share_one_key(app) {
        let replica = app.replica().await;
        let (one, other) = tokio::join!(app.service.attachment_key(), replica.attachment_key());
        let sign = |key: AttachmentKey| {
            key.sign(Grant::Upload, "attachment_1", 1)
        };
        assert_eq!(sign(one.unwrap()), sign(other.unwrap()));
    }
}
