//! A gateway's side of the websocket protocol between clients and gateways: registration handshake, authentication, packets
//! in, packets out. Protocol 6, the current one of the crates.

use crate::accounts::{client_id, Accounts, Session};
use crate::config::{
    FREE_BANDWIDTH, HANDSHAKE_LIMIT, MAX_ANSWERS, MAX_CLOCK_SKEW, MAX_CONNECTIONS, MAX_GATEWAY_MESSAGE,
};
use crate::lock;
use crate::nodes::Node;
use crate::routing::{inject, kind_of};
use crate::shared::Inner;
use futures::{SinkExt, StreamExt};
use nym_crypto::asymmetric::ed25519;
use nym_gateway_requests::registration::handshake::gateway_handshake;
use nym_gateway_requests::text_request::authenticate::AuthenticateRequest;
use nym_gateway_requests::{
    BandwidthResponse, BinaryRequest, BinaryResponse, ClientControlRequest, ClientRequest, GatewayProtocolVersion,
    SendResponse, SensitiveServerResponse, ServerResponse, CURRENT_PROTOCOL_VERSION,
};
use nym_task::ShutdownToken;
use rand::rngs::OsRng;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

type Socket = WebSocketStream<TcpStream>;

/// What makes a node a gateway.
pub struct Gateway {
    pub accounts: Accounts,
    /// Where clients connect.
    pub port: u16,
    up: AtomicBool,
    /// Ends every open connection; a new one for each time that the gateway is up.
    connections: Mutex<CancellationToken>,
    open: AtomicUsize,
    next_number: AtomicU64,
}

/// Counts a connection as open for as long as it lives.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Gateway {
    pub fn new(port: u16, network: &CancellationToken) -> Gateway {
        Gateway {
            accounts: Accounts::default(),
            port,
            up: AtomicBool::new(true),
            connections: Mutex::new(network.child_token()),
            open: AtomicUsize::new(0),
            next_number: AtomicU64::new(1),
        }
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Relaxed)
    }

    /// Cuts every connection; new ones are reset until `start`, packets for this gateway are dropped.
    pub fn stop(&self) {
        let connections = lock(&self.connections);
        self.up.store(false, Relaxed);
        connections.cancel();
    }

    pub fn start(&self, network: &CancellationToken) {
        let mut connections = lock(&self.connections);
        if !self.is_up() {
            *connections = network.child_token();
            self.up.store(true, Relaxed);
        }
    }

    /// None: the gateway is down, or has too many connections.
    fn admit(&self) -> Option<(Open<'_>, CancellationToken)> {
        let connections = lock(&self.connections);
        let open = Open(&self.open);
        let room = self.open.fetch_add(1, Relaxed) < MAX_CONNECTIONS;
        (room && self.is_up()).then(|| (open, connections.clone()))
    }
}

/// Accepts clients until the network ends. The port stays taken while the gateway is down, so that no other program gets it.
pub async fn listen(network: Arc<Inner>, node: Arc<Node>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = network.token.cancelled() => return,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, most likely: wait instead of spinning.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (inner, node) = (network.clone(), node.clone());
        network.tracker.spawn(async move {
            let Some(gateway) = &node.gateway else { return };
            let Some((_open, token)) = gateway.admit() else {
                // A client of a gateway that is down sees a reset, not an orderly end.
                let _ = socket.set_zero_linger();
                return;
            };
            let number = gateway.next_number.fetch_add(1, Relaxed);
            let outcome = token.run_until_cancelled(serve(&inner, &node, gateway, &token, number, socket)).await;
            if let Some(Err(reason)) = outcome {
                tracing::debug!("{}: connection ended: {reason}", node.name);
            }
        });
    }
}

async fn serve(
    network: &Arc<Inner>,
    node: &Arc<Node>,
    gateway: &Gateway,
    token: &CancellationToken,
    number: u64,
    socket: TcpStream,
) -> Result<(), String> {
    socket.set_nodelay(true).map_err(text)?;
    let limits = WebSocketConfig {
        max_message_size: Some(MAX_GATEWAY_MESSAGE),
        max_frame_size: Some(MAX_GATEWAY_MESSAGE),
        ..WebSocketConfig::default()
    };
    let beginning = async {
        let mut socket = tokio_tungstenite::accept_async_with_config(socket, Some(limits)).await.map_err(text)?;
        let session = greet(network, node, gateway, token, number, &mut socket).await?;
        Ok::<_, String>((socket, session))
    };
    let (socket, session) = tokio::time::timeout(HANDSHAKE_LIMIT, beginning).await.map_err(text)??;
    let (mut sink, stream) = socket.split();
    let (answers, mut waiting) = mpsc::channel(MAX_ANSWERS);
    let write = async {
        loop {
            let (message, kind) = tokio::select! {
                answer = waiting.recv() => match answer {
                    Some(answer) => (answer, None),
                    None => return Ok(()),
                },
                (kind, message) = session.next() => {
                    let pushed = BinaryResponse::PushedMixMessage { message };
                    (pushed.into_ws_message(&session.key).map_err(text)?, Some(kind))
                }
            };
            sink.send(message).await.map_err(text)?;
            if let Some(kind) = kind {
                session.account.tallies.delivered.add(kind);
            }
        }
    };
    tokio::select! {
        outcome = read(network, node, &session, stream, answers) => outcome,
        outcome = write => outcome,
        () = session.cut.cancelled() => Err("cut".into()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Until the client has registered or authenticated, and has the answer.
async fn greet(
    network: &Arc<Inner>,
    node: &Arc<Node>,
    gateway: &Gateway,
    token: &CancellationToken,
    number: u64,
    socket: &mut Socket,
) -> Result<Session, String> {
    loop {
        let request = match socket.next().await {
            None => return Err("closed before authentication".into()),
            Some(Err(error)) => return Err(text(error)),
            Some(Ok(Message::Text(request))) => request,
            Some(Ok(Message::Binary(_))) => return refuse(socket, "not authenticated").await,
            Some(Ok(_)) => continue,
        };
        let (account, answer) = match ClientControlRequest::try_from(request) {
            Ok(ClientControlRequest::SupportedProtocol {}) => {
                let answer = ServerResponse::SupportedProtocol { version: CURRENT_PROTOCOL_VERSION };
                socket.send(answer.into()).await.map_err(text)?;
                continue;
            }
            Ok(ClientControlRequest::RegisterHandshakeInitRequest { protocol_version, data }) => {
                register(network, node, gateway, token, socket, protocol_version, data).await?
            }
            Ok(ClientControlRequest::AuthenticateV2(request)) => authenticate(gateway, socket, *request).await?,
            Ok(other) => return refuse(socket, &format!("{} is not possible here", other.name())).await,
            Err(error) => return refuse(socket, &format!("malformed request: {error}")).await,
        };
        let account = gateway.accounts.get(&account).ok_or("the registration is gone")?;
        // Before the answer: a client that has it is connected.
        let session = account.connect(number, token);
        socket.send(answer.into()).await.map_err(text)?;
        return Ok(session);
    }
}

async fn refuse<T>(socket: &mut Socket, reason: &str) -> Result<T, String> {
    let _ = socket.send(ServerResponse::new_error(reason).into()).await;
    Err(reason.to_string())
}

async fn register(
    network: &Arc<Inner>,
    node: &Arc<Node>,
    gateway: &Gateway,
    token: &CancellationToken,
    socket: &mut Socket,
    protocol: GatewayProtocolVersion,
    init: Vec<u8>,
) -> Result<([u8; 32], ServerResponse), String> {
    // The handshake verifies that the other side owns this key; it returns only the shared key.
    let identity = init.get(..ed25519::PUBLIC_KEY_LENGTH).ok_or("handshake without a key")?;
    let identity = ed25519::PublicKey::from_bytes(identity).map_err(text)?;
    let shutdown = ShutdownToken::new_from_tokio_token(token.child_token());
    let done = gateway_handshake(&mut OsRng, socket, &node.identity, init, protocol, shutdown).await.map_err(text)?;
    let Some(account) = gateway.accounts.register(identity, done.derived_key) else {
        return refuse(socket, "no room for another client").await;
    };
    // Stored before the answer: the client comes back on another connection at once.
    if let Err(error) = network.save().await {
        return refuse(socket, &text(error)).await;
    }
    let answer =
        ServerResponse::Register { protocol_version: done.negotiated_protocol, status: true, upgrade_mode: false };
    Ok((client_id(&account.identity), answer))
}

/// Unlike mainnet's gateways, a second authentication within the same second is taken: tests restart their clients fast.
async fn authenticate(
    gateway: &Gateway,
    socket: &mut Socket,
    request: AuthenticateRequest,
) -> Result<([u8; 32], ServerResponse), String> {
    let id = client_id(&request.content.client_identity);
    let Some(account) = gateway.accounts.get(&id) else {
        return refuse(socket, "the client is not registered").await;
    };
    let verified = request
        .verify_timestamp(MAX_CLOCK_SKEW)
        .and_then(|()| request.verify_ciphertext(&account.key()))
        .and_then(|()| request.verify_signature());
    if let Err(error) = verified {
        return refuse(socket, &text(error)).await;
    }
    let answer = ServerResponse::Authenticate {
        protocol_version: request.content.protocol_version.min(CURRENT_PROTOCOL_VERSION),
        status: true,
        bandwidth_remaining: FREE_BANDWIDTH,
        upgrade_mode: false,
    };
    Ok((id, answer))
}

/// Serves an authenticated client's requests. What can't be understood gets an error and changes nothing.
async fn read(
    network: &Arc<Inner>,
    node: &Arc<Node>,
    session: &Session,
    mut stream: futures::stream::SplitStream<Socket>,
    answers: mpsc::Sender<Message>,
) -> Result<(), String> {
    let id = client_id(&session.account.identity);
    while let Some(message) = stream.next().await {
        let answer = match message.map_err(text)? {
            Message::Binary(bytes) => match BinaryRequest::try_from_encrypted_tagged_bytes(bytes, &session.key) {
                Ok(BinaryRequest::ForwardSphinx { packet } | BinaryRequest::ForwardSphinxV2 { packet }) => {
                    session.account.tallies.injected.add(kind_of(&packet));
                    inject(network, node, &id, packet);
                    ServerResponse::Send(SendResponse { remaining_bandwidth: FREE_BANDWIDTH, upgrade_mode: false })
                }
                Ok(_) => ServerResponse::new_error("unknown kind of packet"),
                Err(error) => ServerResponse::new_error(text(error)),
            },
            Message::Text(request) => control(session, request),
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        answers.send(answer.into()).await.map_err(text)?;
    }
    Ok(())
}

fn control(session: &Session, request: String) -> ServerResponse {
    match ClientControlRequest::try_from(request) {
        Ok(ClientControlRequest::SupportedProtocol {}) => {
            ServerResponse::SupportedProtocol { version: CURRENT_PROTOCOL_VERSION }
        }
        Ok(ClientControlRequest::ClaimFreeTestnetBandwidth) => {
            ServerResponse::Bandwidth(BandwidthResponse { available_total: FREE_BANDWIDTH, upgrade_mode: false })
        }
        Ok(ClientControlRequest::EncryptedRequest { ciphertext, nonce }) => {
            let answer = match ClientRequest::decrypt(&ciphertext, &nonce, &session.key) {
                Ok(ClientRequest::ForgetMe { client, .. }) => {
                    if client {
                        session.account.forget();
                    }
                    SensitiveServerResponse::ForgetMeAck {}
                }
                Ok(_) => SensitiveServerResponse::RememberMeAck {},
                Err(error) => return ServerResponse::new_error(text(error)),
            };
            answer.encrypt(&session.key).unwrap_or_else(|error| ServerResponse::new_error(text(error)))
        }
        Ok(other) => ServerResponse::new_error(format!("{} is not possible here", other.name())),
        Err(error) => ServerResponse::new_error(format!("malformed request: {error}")),
    }
}
