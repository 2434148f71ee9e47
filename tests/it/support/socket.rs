//! A client of subscriptions: `graphql-transport-ws` over a real WebSocket.
//!
//! Example: `let mut socket = Socket::open(addr, Some(token)).await;` then `socket.subscribe("1", "subscription { … }").await` and
//! `socket.next("1").await`.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, client::IntoClientRequest, http::HeaderValue},
};

pub use tokio_tungstenite::tungstenite::Message;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Connects, without a word.
    pub async fn connect(addr: SocketAddr) -> Self {
        let mut request = format!("ws://{addr}/graphql/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (stream, response) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        Self { stream }
    }

    /// Tries to connect with these headers; the status of the refusal, if it is refused.
    pub async fn try_connect(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Result<(), u16> {
        let mut request = format!("ws://{addr}/graphql/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => Ok(()),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects and is let in.
    pub async fn open(addr: SocketAddr, token: &str) -> Self {
        let mut socket = Self::connect(addr).await;
        socket.init(json!({ "Authorization": format!("Bearer {token}") })).await;
        assert_eq!(socket.receive().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }

    /// Says who it is.
    pub async fn init(&mut self, payload: Value) {
        self.send(json!({ "type": "connection_init", "payload": payload })).await;
    }

    /// Subscribes, and makes sure that the server did so: it answers messages in their order.
    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.request(id, query).await;
        self.send(json!({ "type": "ping" })).await;
        assert_eq!(self.receive().await, Ok(json!({ "type": "pong" })));
    }

    /// Asks for an operation.
    pub async fn request(&mut self, id: &str, query: &str) {
        self.send(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    pub async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    /// Sends whatever it is.
    pub async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The data that the subscription hears next.
    pub async fn next(&mut self, id: &str) -> Value {
        match self.receive().await {
            Ok(mut message) if message["type"] == "next" && message["id"] == id => {
                assert_eq!(message["payload"]["errors"], Value::Null, "{message}");
                message["payload"]["data"].take()
            }
            other => panic!("expected data of {id}, received {other:?}"),
        }
    }

    /// The next message, or the code and reason with which the server ended the connection.
    pub async fn receive(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            match message.unwrap_or_else(|_| panic!("waited in vain for a message")) {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.unwrap();
                    return Err((frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                other => panic!("the connection broke: {other:?}"),
            }
        }
    }
}
