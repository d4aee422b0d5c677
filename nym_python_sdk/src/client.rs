//! One mixnet client: connected by `connect`, driven by one task of its own (`pump`), shared by everything Python holds.

use crate::config::Config;
use crate::errors::Failure;
use crate::inbox::Inbox;
use crate::pump::{Pump, SurbsAsked, DISCONNECT_LIMIT};
use crate::replies::{Replies, Watched};
use crate::unlinked::{Surbs, Tags};
use crate::{runtime, storage};
use nym_client_core::client::base_client::storage::MixnetClientStorage;
use nym_local_network::InMemory;
use nym_sdk::mixnet::{
    AnonymousSenderTag, EventSender, IncludedSurbs, MixnetClient, MixnetClientBuilder, MixnetClientSender,
    MixnetMessageSender, Recipient,
};
use nym_sdk::DebugConfig;
use nym_task::ShutdownTracker;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The longest message, in bytes. One of this size is about 6,500 Sphinx packets: two minutes at the default sending rate.
pub const MAX_MESSAGE: usize = 10 * 1024 * 1024;
/// Reply SURBs in one message: a receiver keeps at most this many of one sender (the SDK's default).
pub const MAX_SURBS: u32 = 200;
/// Why a client ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The program asked for it.
    Closed,
    /// The SDK stopped trying; the reason, if known.
    Died(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Running,
    /// Its tasks are ending, and its SURBs are being saved.
    Ending(End),
    /// It has ended, and its storage is free.
    Ended(End),
}

impl State {
    fn refusal(&self) -> Option<Failure> {
        match self {
            State::Running => None,
            State::Ending(End::Closed) | State::Ended(End::Closed) => Some(Failure::Closed),
            State::Ending(End::Died(reason)) | State::Ended(End::Died(reason)) => Some(Failure::Died(format!(
                "{reason}; make a new client from the same storage and send again what was under way"
            ))),
        }
    }
}

pub struct Client {
    pub address: String,
    pub inbox: Arc<Inbox>,
    pub replies: Replies,
    sender: MixnetClientSender,
    surbs_asked: mpsc::UnboundedSender<SurbsAsked>,
    sent: Arc<AtomicBool>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
    _end: DropGuard,
}

/// Connects. Dropping the future (a cancelled wait) ends every task that it started.
pub async fn connect(config: Config, folder: Option<PathBuf>) -> Result<Client, Failure> {
    let limit = config.connect_timeout()?;
    let runtime = runtime::runtime()?;
    let abandoned = CancellationToken::new();
    let guard = abandoned.clone().drop_guard();
    // A separate task, since the SDK must not be dropped while it connects: it gets a signal to end, and ends by itself.
    let task = runtime.spawn(async move {
        let tracker = ShutdownTracker::default();
        // Held here too, so that no one else can use the folder before everything that was started in it has ended.
        let lock = folder.as_deref().map(storage::lock).transpose()?.map(Arc::new);
        let outcome = tokio::select! {
            outcome = connecting(&config, folder, lock.clone(), &tracker) => outcome,
            () = tokio::time::sleep(limit) => Err(Failure::Unreachable(format!(
                "not connected within {} s", limit.as_secs_f64()
            ))),
            () = abandoned.cancelled() => Err(Failure::Closed),
        };
        if outcome.is_err() {
            let _ = tokio::time::timeout(DISCONNECT_LIMIT, tracker.shutdown()).await;
        }
        outcome
    });
    let client = task.await.map_err(|error| Failure::Other(error.to_string()))??;
    guard.disarm();
    Ok(client)
}

async fn connecting(
    config: &Config,
    folder: Option<PathBuf>,
    lock: Option<Arc<File>>,
    tracker: &ShutdownTracker,
) -> Result<Client, Failure> {
    let debug = config.debug()?;
    let panics = runtime::panics();
    let (event_tx, events) = futures::channel::mpsc::unbounded();
    let events_to = EventSender(event_tx);
    let replies = Replies::default();
    let client = match folder {
        None => {
            let storage = Watched::new(InMemory::new(&debug), replies.clone());
            build(config, debug, storage, tracker, events_to).await?
        }
        Some(folder) => {
            let storage = Watched::new(storage::open(&folder, &debug).await?, replies.clone());
            build(config, debug, storage, tracker, events_to).await?
        }
    };
    let inbox = Arc::new(Inbox::new(config.queue_messages, config.queue_bytes));
    let (state_tx, state) = watch::channel(State::Running);
    let stop = CancellationToken::new();
    let address = client.nym_address().to_string();
    let sender = client.split_sender();
    let sent = Arc::new(AtomicBool::new(false));
    let (ask_surbs, surbs_asked) = mpsc::unbounded_channel();
    let pump = Pump {
        inbox: inbox.clone(),
        tags: Tags::new(replies.clone(), config.fresh_tag_kept()?),
        surbs_asked,
        hop_delay: config.packet_delay()?,
        stop: stop.clone(),
        sent: sent.clone(),
        state: state_tx,
        events,
        panics,
        keepalive: config.keepalive()?,
        flush: config.flush_timeout()?,
        lock,
    };
    tokio::spawn(pump.run(client));
    Ok(Client {
        address,
        inbox,
        replies,
        sender,
        surbs_asked: ask_surbs,
        sent,
        state,
        _end: stop.clone().drop_guard(),
        stop,
    })
}

async fn build<S: MixnetClientStorage + Clone + 'static>(
    config: &Config,
    debug: DebugConfig,
    storage: S,
    tracker: &ShutdownTracker,
    events: EventSender,
) -> Result<MixnetClient, Failure>
where
    S::ReplyStore: Send + Sync,
    S::GatewaysDetailsStore: Sync,
    S::KeyStore: Sync,
    S::CredentialStore: Send + Sync,
{
    // Our own tracker: the SDK's would add a panic hook to the process for each client, and never remove it.
    let mut builder = MixnetClientBuilder::new_with_storage(storage)
        .network_details(config.network())
        .debug_config(debug)
        .custom_shutdown(tracker.clone())
        .event_tx(events);
    if let Some(topology) = config.topology()? {
        builder = builder.custom_topology_provider(Box::new(topology));
    }
    if let Some(gateway) = &config.gateway {
        builder = builder.request_gateway(gateway.clone());
    }
    Ok(builder.build()?.connect_to_mixnet().await?)
}

impl Client {
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// A plain message: without SURBs, and without anything about its sender. Returns when the SDK has accepted it, which
    /// is also the backpressure.
    pub async fn send(&self, to: Recipient, data: Vec<u8>, surbs: Option<u32>) -> Result<(), Failure> {
        let surbs = surbs.map_or(IncludedSurbs::ExposeSelfAddress, IncludedSurbs::Amount);
        self.unless_ended(self.sender.send_message(to, data, surbs)).await
    }

    /// A message that can be answered and has no sender tag: see `unlinked`.
    pub async fn send_unlinked(&self, to: Recipient, data: Vec<u8>, surbs: u32) -> Result<(), Failure> {
        let message = self.new_surbs(surbs).await?.message(&self.replies, &data);
        self.send(to, message, None).await
    }

    async fn new_surbs(&self, count: u32) -> Result<Surbs, Failure> {
        if let Some(refusal) = self.state().refusal() {
            return Err(refusal);
        }
        let (answer, surbs) = oneshot::channel();
        let asked = self.surbs_asked.send((count, answer)).is_ok();
        tokio::select! {
            refusal = self.ended() => Err(refusal),
            surbs = surbs, if asked => {
                surbs.map_err(|_| Failure::Other("the network is not known at the moment; try again".into()))
            }
        }
    }

    pub async fn reply(&self, tag: AnonymousSenderTag, data: Vec<u8>) -> Result<(), Failure> {
        self.unless_ended(self.sender.send_reply(tag, data)).await
    }

    /// The SDK's own error says only that its channel is closed, and a send may also wait forever on a client that died.
    async fn unless_ended(
        &self,
        sending: impl std::future::Future<Output = Result<(), nym_sdk::Error>>,
    ) -> Result<(), Failure> {
        if let Some(refusal) = self.state().refusal() {
            return Err(refusal);
        }
        self.sent.store(true, Ordering::Relaxed);
        tokio::select! {
            sent = sending => match sent {
                Ok(()) => Ok(()),
                Err(_) => Err(self.ended().await),
            },
            refusal = self.ended() => Err(refusal),
        }
    }

    async fn ended(&self) -> Failure {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| *state != State::Running).await;
        ended
            .ok()
            .and_then(|state| state.refusal())
            .unwrap_or_else(|| Failure::Died("the task that drives the client is gone".into()))
    }

    /// Ok when something is queued; what was queued before an end can still be taken after it.
    pub async fn ready(&self) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = self.inbox.wait() => Ok(()),
            refusal = self.ended() => Err(refusal),
        }
    }

    /// Signals the client to end, and does not wait.
    pub fn end(&self) {
        self.stop.cancel();
    }

    /// Ends the client, and waits until what was sent has left, its SURBs are saved and its storage is free. A second call
    /// only waits.
    pub async fn disconnect(&self) {
        self.end();
        let mut state = self.state.clone();
        // An error means that the pump has gone: the client has ended as well.
        let _ = state.wait_for(|state| matches!(state, State::Ended(_))).await;
    }
}

pub fn recipient(text: &str) -> Result<Recipient, Failure> {
    Recipient::from_str(text).map_err(|error| Failure::Recipient(error.to_string()))
}

pub fn tag(bytes: &[u8]) -> Result<AnonymousSenderTag, Failure> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| Failure::SenderTag)?;
    Ok(AnonymousSenderTag::from_bytes(bytes))
}

pub fn checked(data: &[u8]) -> Result<Vec<u8>, Failure> {
    if data.len() > MAX_MESSAGE {
        return Err(Failure::Message(format!("{} bytes, and a message may have {MAX_MESSAGE}", data.len())));
    }
    Ok(data.to_vec())
}
