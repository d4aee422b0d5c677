//! nym-client's websocket interface in front of a client of the SDK: the same frames, by the crate that nym-client uses, and
//! the same behaviour, so that programs in any language can be tried on the network.
//!
//! As in nym-client: one connection at a time; what arrives while no one is connected waits; pushed messages have the form
//! (binary or text) of the connection's last request; a request that can't be understood is answered with an error; sending
//! is answered only where a connection id was given. Differences: a request with an `Origin` (from any web page) is refused, a
//! TCP connection without a handshake does no harm, what waits is bounded, and the queue length leaves out replies that wait
//! for SURBs, which the SDK does not report.

use crate::client::{connect_with, lock_storage, ClientSettings};
use crate::config::{Error, HANDSHAKE_LIMIT, MAX_SURBS};
use crate::mailbox::Mailbox;
use crate::network::LocalNetwork;
use futures::stream::SplitStream;
use futures::{SinkExt, StreamExt};
use nym_client_core::client::inbound_messages::InputMessage;
use nym_client_websocket_requests::error::{Error as RequestError, ErrorKind};
use nym_client_websocket_requests::requests::ClientRequest;
use nym_client_websocket_requests::responses::ServerResponse;
use nym_sdk::mixnet::{LaneQueueLengths, MixnetClient, MixnetClientSender, MixnetMessageSender, Recipient};
use nym_task::connections::{ConnectionCommand, ConnectionCommandSender, TransmissionLane};
use nym_task::ShutdownTracker;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, Semaphore};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{header, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that have not finished their handshake.
const MAX_HANDSHAKES: usize = 16;
/// Answers that wait for the program's socket; then nothing more is read from it.
const MAX_ANSWERS: usize = 64;
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<TcpStream>;

#[derive(Clone, Debug, Default)]
pub struct WebsocketSettings {
    pub client: ClientSettings,
    /// 0 lets the system choose. nym-client's own default is 1977.
    pub port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WebsocketStatus {
    /// False when the client in the SDK has ended, as after a long outage of its gateway: nym-client's process ends then.
    pub alive: bool,
    /// Whether a program is connected.
    pub connected: bool,
    /// Messages that wait for the program.
    pub waiting: u64,
    /// Messages that came from the mixnet, and those of them that were dropped since too many waited.
    pub received: u64,
    pub dropped: u64,
}

/// A client and its websocket. Dropping it ends both, without waiting.
pub struct WebsocketClient {
    pub address: Recipient,
    pub port: u16,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    address: Recipient,
    sender: MixnetClientSender,
    lanes: LaneQueueLengths,
    commands: ConnectionCommandSender,
    mailbox: Mailbox,
    /// A program is connected.
    taken: AtomicBool,
    /// Cancelled when the client ends, for any reason.
    token: CancellationToken,
}

impl WebsocketClient {
    pub(crate) async fn start(network: &LocalNetwork, settings: WebsocketSettings) -> Result<WebsocketClient, Error> {
        settings.client.check()?;
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await;
        let listener = bound.map_err(Error::io(format!("port {} of 127.0.0.1", settings.port)))?;
        let port = listener.local_addr().map_err(Error::io("the websocket's port"))?.port();
        let folder_lock = settings.client.storage.as_deref().map(lock_storage).transpose()?;
        let (clients, ending) = network.clients();
        let (tasks, token) = (TaskTracker::new(), ending.child_token());
        let (started, starting) = oneshot::channel();
        // A separate task: the SDK must not be dropped while it connects or ends.
        let details = network.network_details();
        let client_tasks = tasks.clone();
        clients.spawn(tasks.track_future(async move {
            let tracker = ShutdownTracker::default();
            let connected = tokio::select! {
                connected = connect_with(details, &settings.client, &tracker) => connected,
                () = tokio::time::sleep(CONNECT_LIMIT) => Err(Error::Client(Box::new(nym_sdk::Error::NoGatewayAvailable))),
                () = token.cancelled() => Err(Error::Closed),
            };
            match connected {
                Ok(client) => live(client, token, client_tasks, listener, folder_lock, started).await,
                Err(error) => {
                    tracker.shutdown().await;
                    let _ = started.send(Err(error));
                }
            }
        }));
        let shared = starting.await.map_err(|_| Error::Closed)??;
        Ok(WebsocketClient { address: shared.address, port, shared, tasks })
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn status(&self) -> WebsocketStatus {
        let mailbox = &self.shared.mailbox;
        WebsocketStatus {
            alive: !self.shared.token.is_cancelled(),
            connected: self.shared.taken.load(Relaxed),
            waiting: mailbox.len() as u64,
            received: mailbox.received.load(Relaxed),
            dropped: mailbox.dropped.load(Relaxed),
        }
    }

    /// Ends the websocket and, gracefully, the client: its SURBs are saved when this returns.
    pub async fn close(&self) {
        self.shared.token.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for WebsocketClient {
    fn drop(&mut self) {
        self.shared.token.cancel();
    }
}

/// The client's life: takes its messages until it or the network ends.
async fn live(
    mut client: MixnetClient,
    token: CancellationToken,
    tasks: TaskTracker,
    listener: TcpListener,
    _folder_lock: Option<File>,
    started: oneshot::Sender<Result<Arc<Shared>, Error>>,
) {
    let shared = Arc::new(Shared {
        address: *client.nym_address(),
        sender: client.split_sender(),
        lanes: client.shared_lane_queue_lengths(),
        commands: client.connection_command_sender(),
        mailbox: Mailbox::default(),
        taken: AtomicBool::new(false),
        token,
    });
    let died = client.cancellation_token();
    // No one waits for it any more, so it ends at once.
    if started.send(Ok(shared.clone())).is_ok() {
        tasks.spawn(listen(shared.clone(), tasks.clone(), listener));
        loop {
            tokio::select! {
                batch = client.wait_for_messages() => match batch {
                    Some(batch) => batch.into_iter().for_each(|message| shared.mailbox.push(message)),
                    None => break,
                },
                () = died.cancelled() => break,
                () = shared.token.cancelled() => break,
            }
        }
    }
    shared.token.cancel();
    client.disconnect().await;
}

async fn listen(shared: Arc<Shared>, tasks: TaskTracker, listener: TcpListener) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.token.cancelled() => return,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Like nym-client, which closes a second connection before its handshake.
        let (false, Ok(permit)) = (shared.taken.load(Relaxed), handshakes.clone().try_acquire_owned()) else {
            continue;
        };
        let shared = shared.clone();
        tasks.spawn(async move {
            let token = shared.token.clone();
            let visit = async {
                let socket = tokio::time::timeout(HANDSHAKE_LIMIT, handshake(socket, peer)).await.ok().flatten();
                drop(permit);
                let Some(socket) = socket else { return };
                // Two may have finished their handshakes at the same time.
                if shared.taken.swap(true, Relaxed) {
                    return;
                }
                let _end = Taken(&shared.taken);
                converse(&shared, socket).await;
            };
            token.run_until_cancelled(visit).await;
        });
    }
}

/// Frees the place for the next program.
struct Taken<'a>(&'a AtomicBool);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

// tungstenite chose the type of the refusal.
#[allow(clippy::result_large_err)]
async fn handshake(socket: TcpStream, peer: SocketAddr) -> Option<Socket> {
    let refuse_pages = |request: &Request, response: Response| {
        if !request.headers().contains_key(header::ORIGIN) {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(Some("web pages may not use this websocket\n".into()));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        refusal.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Err(refusal)
    };
    let _ = socket.set_nodelay(true);
    match tokio_tungstenite::accept_hdr_async(socket, refuse_pages).await {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::debug!("{peer}: no websocket: {error}");
            None
        }
    }
}

/// One program's connection, to its end.
async fn converse(shared: &Arc<Shared>, socket: Socket) {
    let (mut sink, stream) = socket.split();
    let (answers, mut answered) = mpsc::channel(MAX_ANSWERS);
    let text = AtomicBool::new(false);
    let write = async {
        loop {
            let message = tokio::select! {
                answer = answered.recv() => match answer {
                    Some(answer) => answer,
                    None => return,
                },
                // A message that was taken, but not delivered before the connection ended, is lost, as with nym-client.
                message = shared.mailbox.next() => encode(ServerResponse::Received(message), text.load(Relaxed)),
            };
            if sink.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read(shared, stream, answers, &text) => {}
        () = write => {}
    }
}

fn encode(response: ServerResponse, text: bool) -> Message {
    if text {
        Message::Text(response.into_text())
    } else {
        Message::Binary(response.into_binary())
    }
}

async fn read(shared: &Shared, mut stream: SplitStream<Socket>, answers: mpsc::Sender<Message>, text: &AtomicBool) {
    while let Some(Ok(message)) = stream.next().await {
        let (request, as_text) = match message {
            Message::Text(request) => (ClientRequest::try_from_text(request), true),
            Message::Binary(request) => (ClientRequest::try_from_binary(&request), false),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        text.store(as_text, Relaxed);
        let answer = match request {
            Ok(request) => shared.handle(request).await,
            Err(error) => Some(ServerResponse::Error(error)),
        };
        if let Some(answer) = answer {
            if answers.send(encode(answer, as_text)).await.is_err() {
                return;
            }
        }
    }
}

fn lane_of(connection: Option<u64>) -> TransmissionLane {
    connection.map_or(TransmissionLane::General, TransmissionLane::ConnectionId)
}

impl Shared {
    async fn handle(&self, request: ClientRequest) -> Option<ServerResponse> {
        match request {
            ClientRequest::Send { recipient, message, connection_id } => {
                let input = InputMessage::new_regular(recipient, message, lane_of(connection_id), None);
                self.send(input, connection_id).await
            }
            ClientRequest::SendAnonymous { reply_surbs, .. } if reply_surbs > MAX_SURBS => {
                let reason = format!("{reply_surbs} reply SURBs: at most {MAX_SURBS} are possible");
                Some(ServerResponse::Error(RequestError::new(ErrorKind::MalformedRequest, reason)))
            }
            ClientRequest::SendAnonymous { recipient, message, reply_surbs, connection_id } => {
                let lane = lane_of(connection_id);
                let input = InputMessage::new_anonymous(recipient, message, reply_surbs, lane, None);
                self.send(input, connection_id).await
            }
            ClientRequest::Reply { sender_tag, message, connection_id } => {
                let input = InputMessage::new_reply(sender_tag, message, lane_of(connection_id), None);
                self.send(input, connection_id).await
            }
            ClientRequest::SelfAddress => Some(ServerResponse::SelfAddress(Box::new(self.address))),
            ClientRequest::ClosedConnection(connection) => {
                let _ = self.commands.unbounded_send(ConnectionCommand::Close(connection));
                None
            }
            ClientRequest::GetLaneQueueLength(connection) => Some(self.queue_length(connection)),
        }
    }

    /// Waits while the client is busy: the program's next requests wait with it.
    async fn send(&self, input: InputMessage, connection: Option<u64>) -> Option<ServerResponse> {
        if self.sender.send(input).await.is_err() {
            self.token.cancel();
        }
        connection.map(|connection| self.queue_length(connection))
    }

    fn queue_length(&self, lane: u64) -> ServerResponse {
        let queue_length = self.lanes.get(&TransmissionLane::ConnectionId(lane)).unwrap_or_default();
        ServerResponse::LaneQueueLength { lane, queue_length }
    }
}
