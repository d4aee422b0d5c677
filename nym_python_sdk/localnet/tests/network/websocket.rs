//! nym-client's websocket interface, by a plain websocket client.

use crate::support::{at, network, settings, until, Folder, PATIENCE};
use futures::{SinkExt, StreamExt};
use nym_client_websocket_requests::error::ErrorKind;
use nym_client_websocket_requests::requests::ClientRequest;
use nym_client_websocket_requests::responses::ServerResponse;
use nym_local_network::{ClientSettings, Error, LocalNetwork, WebsocketClient, WebsocketSettings};
use nym_sdk::mixnet::{Recipient, ReconstructedMessage};
use serde_json::{json, Value};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

struct Program(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn serve(network: &LocalNetwork, gateway: usize) -> WebsocketClient {
    let settings = WebsocketSettings { client: at(network, gateway), port: 0 };
    network.serve_websocket(settings).await.expect("served")
}

impl Program {
    async fn connect(client: &WebsocketClient) -> Program {
        Program(tokio_tungstenite::connect_async(client.url()).await.expect("a websocket").0)
    }

    async fn send(&mut self, request: ClientRequest) {
        self.0.send(Message::Binary(request.serialize())).await.expect("sent");
    }

    async fn send_text(&mut self, request: Value) {
        self.0.send(Message::Text(request.to_string())).await.expect("sent");
    }

    async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time");
        next.expect("open").expect("a message")
    }

    async fn response(&mut self) -> ServerResponse {
        ServerResponse::deserialize(&self.message().await.into_data()).expect("a binary response")
    }

    async fn text(&mut self) -> Value {
        serde_json::from_str(self.message().await.to_text().expect("text")).expect("JSON")
    }

    async fn received(&mut self) -> ReconstructedMessage {
        match self.response().await {
            ServerResponse::Received(message) => message,
            other => panic!("{other:?}"),
        }
    }

    async fn error(&mut self) -> ErrorKind {
        match self.response().await {
            ServerResponse::Error(error) => error.kind,
            other => panic!("{other:?}"),
        }
    }
}

fn plain(recipient: Recipient, message: &[u8]) -> ClientRequest {
    ClientRequest::Send { recipient, message: message.to_vec(), connection_id: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_requests_and_pushes() {
    let network = network().await;
    let (alice, bob) = (serve(&network, 0).await, serve(&network, 1).await);
    let (mut a, mut b) = (Program::connect(&alice).await, Program::connect(&bob).await);
    a.send(ClientRequest::SelfAddress).await;
    match a.response().await {
        ServerResponse::SelfAddress(address) => assert_eq!(*address, alice.address),
        other => panic!("{other:?}"),
    }
    // Binary, since the receiver has not sent a request yet.
    a.send(plain(bob.address, b"plain")).await;
    let message = b.received().await;
    assert_eq!((message.message.as_slice(), message.sender_tag), (b"plain".as_slice(), None));

    let anonymous = |connection_id| ClientRequest::SendAnonymous {
        recipient: bob.address,
        message: b"anonymous".to_vec(),
        reply_surbs: 3,
        connection_id,
    };
    a.send(anonymous(None)).await;
    let sender_tag = b.received().await.sender_tag.expect("a tag");
    b.send(ClientRequest::Reply { sender_tag, message: b"reply".to_vec(), connection_id: None }).await;
    assert_eq!(a.received().await.message, b"reply");

    // With a connection id, sending is answered.
    a.send(anonymous(Some(7))).await;
    assert!(matches!(a.response().await, ServerResponse::LaneQueueLength { lane: 7, .. }));
    a.send(ClientRequest::GetLaneQueueLength(9)).await;
    assert!(matches!(a.response().await, ServerResponse::LaneQueueLength { lane: 9, queue_length: 0 }));
    a.send(ClientRequest::ClosedConnection(7)).await;
    b.received().await;
    alice.close().await;
    bob.close().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_take_the_form_of_the_last_request() {
    let network = network().await;
    let (alice, bob) = (serve(&network, 0).await, serve(&network, 1).await);
    let (mut a, mut b) = (Program::connect(&alice).await, Program::connect(&bob).await);
    b.send_text(json!({"type": "selfAddress"})).await;
    assert_eq!(b.text().await, json!({"type": "selfAddress", "address": bob.address.to_string()}));
    a.send_text(json!({"type": "sendAnonymous", "recipient": bob.address.to_string(), "message": "héllo",
                       "replySurbs": 2}))
        .await;
    let pushed = b.text().await;
    assert_eq!((&pushed["type"], &pushed["message"]), (&json!("received"), &json!("héllo")));
    b.send_text(json!({"type": "reply", "senderTag": pushed["senderTag"], "message": "back"})).await;
    assert_eq!(a.text().await, json!({"type": "received", "message": "back", "senderTag": null}));
    b.send(ClientRequest::SelfAddress).await;
    b.response().await;
    a.send_text(json!({"type": "send", "recipient": bob.address.to_string(), "message": "binary now"})).await;
    assert_eq!(b.received().await.message, b"binary now");
    network.close().await;
    assert!(!alice.status().alive && !bob.status().alive, "they end with their network");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_understood_gets_an_error_and_the_connection_lives() {
    let network = network().await;
    let alice = serve(&network, 0).await;
    let mut program = Program::connect(&alice).await;
    let mut wrong_length = plain(alice.address, b"x").serialize();
    wrong_length.push(0);
    let surbs = ClientRequest::SendAnonymous {
        recipient: alice.address,
        message: Vec::new(),
        reply_surbs: u32::MAX,
        connection_id: None,
    };
    for (request, kind) in [
        (vec![], ErrorKind::EmptyRequest),
        (vec![6], ErrorKind::UnknownRequest),
        (vec![0; 20], ErrorKind::TooShortRequest),
        (vec![1; 400], ErrorKind::MalformedRequest),
        (vec![2; 3], ErrorKind::TooShortRequest),
        (wrong_length, ErrorKind::MalformedRequest),
        (surbs.serialize(), ErrorKind::MalformedRequest),
    ] {
        program.0.send(Message::Binary(request.clone())).await.expect("sent");
        assert!(program.error().await == kind, "{request:?}");
    }
    program.send_text(json!({"type": "send", "recipient": "nobody", "message": ""})).await;
    assert_eq!(program.text().await["type"], "error");
    program.0.send(Message::Ping(vec![1])).await.expect("sent");
    program.send(plain(alice.address, b"it lives")).await;
    loop {
        match program.message().await {
            Message::Pong(_) => continue,
            message => {
                let response = ServerResponse::deserialize(&message.into_data()).expect("binary");
                assert!(matches!(response, ServerResponse::Received(got) if got.message == b"it lives"));
                break;
            }
        }
    }
    // An unknown tag belongs to no one: no answer comes.
    program.send(ClientRequest::Reply { sender_tag: [7; 16].into(), message: vec![1], connection_id: None }).await;
    alice.close().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_program_at_a_time_no_web_page_and_no_harm_by_a_bare_connection() {
    let network = network().await;
    let alice = serve(&network, 0).await;
    let bare = TcpStream::connect(("127.0.0.1", alice.port)).await.expect("a bare connection");
    let mut page = alice.url().into_client_request().expect("a request");
    page.headers_mut().insert("Origin", HeaderValue::from_static("null"));
    match tokio_tungstenite::connect_async(page).await {
        Err(WsError::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    let mut first = Program::connect(&alice).await;
    drop(bare);
    until("it is connected", || alice.status().connected).await;
    assert!(tokio_tungstenite::connect_async(alice.url()).await.is_err(), "a second one is ended");
    first.send(plain(alice.address, b"one")).await;
    assert_eq!(first.received().await.message, b"one");

    // While no one is connected messages wait; the next program gets them.
    first.send(plain(alice.address, b"two")).await;
    first.received().await;
    first.0.close(None).await.expect("closed");
    drop(first);
    until("the place is free", || !alice.status().connected).await;
    let bob = serve(&network, 1).await;
    let mut other = Program::connect(&bob).await;
    for _ in 0..3 {
        other.send(plain(alice.address, b"waits")).await;
    }
    until("three wait", || alice.status().waiting == 3).await;
    let mut second = Program::connect(&alice).await;
    for _ in 0..3 {
        assert_eq!(second.received().await.message, b"waits");
    }
    let status = alice.status();
    assert_eq!((status.waiting, status.received, status.dropped), (0, 5, 0));
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_identity_comes_back_and_is_used_once_at_a_time() {
    let folder = Folder::new("websocket");
    let network = network().await;
    let client = ClientSettings { storage: Some(folder.path("alice")), ..at(&network, 1) };
    let stored = WebsocketSettings { client, port: 0 };
    let first = network.serve_websocket(stored.clone()).await.expect("served");
    assert!(matches!(network.serve_websocket(stored.clone()).await, Err(Error::State(_))), "in use");
    let (address, port) = (first.address, first.port);
    first.close().await;
    first.close().await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());

    let again = network.serve_websocket(WebsocketSettings { port, ..stored }).await.expect("served");
    assert_eq!((again.address, again.port), (address, port));
    let taken = WebsocketSettings { port, ..WebsocketSettings::default() };
    assert!(matches!(network.serve_websocket(taken).await, Err(Error::Io { .. })));
    let bad = ClientSettings { surbs_withheld: 100_000, ..settings() };
    let bad = network.serve_websocket(WebsocketSettings { client: bad, port: 0 }).await;
    assert!(matches!(bad, Err(Error::Config(_))));
    let never = ClientSettings { topology_refresh: std::time::Duration::ZERO, ..settings() };
    let never = network.serve_websocket(WebsocketSettings { client: never, port: 0 }).await;
    assert!(matches!(never, Err(Error::Config(_))));
    drop(again);
    network.close().await;
    assert!(matches!(network.serve_websocket(WebsocketSettings::default()).await, Err(Error::Closed)));
}
