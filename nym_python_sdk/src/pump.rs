//! The task that drives one client: messages into the inbox, a look at silence, and the end.

use crate::client::{End, State};
use crate::inbox::{Inbox, Received};
use crate::runtime;
use crate::unlinked::{Surbs, Tags};
use nym_sdk::mixnet::{
    EventReceiver, IncludedSurbs, MixnetClient, MixnetClientSender, MixnetMessageSender, Recipient,
    ReconstructedMessage,
};
use rand::RngCore;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch, Notify};
use tokio::time::{sleep_until, timeout, timeout_at, Instant};
use tokio_util::sync::CancellationToken;

/// How long a graceful end may take: writing the SURBs to disk takes tens of milliseconds.
pub const DISCONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long an echo may take before the next is tried: lost packets come again after two seconds, several times.
const ECHO_WAIT: Duration = Duration::from_secs(20);
/// Echoes that may be missing before the connection counts as lost. The first one makes the SDK notice and reconnect.
const ECHOES: u32 = 2;
/// A message to the client itself that no one else can have made.
const ECHO_BYTES: usize = 32;

/// Asks for so many new SURBs; no answer while the network is not known.
pub type SurbsAsked = (u32, oneshot::Sender<Surbs>);

pub struct Pump {
    pub inbox: Arc<Inbox>,
    pub tags: Tags,
    pub surbs_asked: mpsc::UnboundedReceiver<SurbsAsked>,
    /// Mean delay in each hop of a SURB.
    pub hop_delay: Duration,
    pub stop: CancellationToken,
    /// Whether anything was sent yet that the end must wait for.
    pub sent: Arc<AtomicBool>,
    pub state: watch::Sender<State>,
    pub events: EventReceiver,
    /// The workers' panics before this client began.
    pub panics: usize,
    pub keepalive: Option<Duration>,
    pub flush: Duration,
    pub lock: Option<Arc<File>>,
}

/// What the client sends to itself: it comes back through the whole mixnet, behind all that was sent before.
struct Echo {
    text: [u8; ECHO_BYTES],
    to: Recipient,
    sender: MixnetClientSender,
}

impl Echo {
    fn new(client: &MixnetClient) -> Echo {
        let mut text = [0; ECHO_BYTES];
        rand::rngs::OsRng.fill_bytes(&mut text);
        Echo { text, to: *client.nym_address(), sender: client.split_sender() }
    }

    /// From a task of its own, since a client that can't reach its gateway takes nothing.
    fn send(&self) {
        let (sender, to, text) = (self.sender.clone(), self.to, self.text);
        tokio::spawn(async move {
            let _ = timeout(ECHO_WAIT, sender.send_message(to, text, IncludedSurbs::ExposeSelfAddress)).await;
        });
    }
}

impl Pump {
    /// Runs until it is ended. Then ends the SDK's tasks, which saves the SURBs; after that, releases the storage and
    /// reports the end.
    pub async fn run(mut self, mut client: MixnetClient) {
        let echo = Echo::new(&client);
        let end = self.pumping(&mut client, &echo).await;
        self.state.send_replace(State::Ending(end.clone()));
        if end == End::Closed && self.sent.load(Ordering::Relaxed) {
            let limit = Instant::now() + self.flush;
            let _ = timeout_at(limit, self.flush(&mut client, &echo)).await;
        }
        self.tags.forget_all(); // else they would be saved
        let ended = timeout(DISCONNECT_LIMIT, client.disconnect()).await;
        drop(self.lock.take());
        let end = match (ended, end) {
            (Err(_), End::Closed) => End::Died("it did not end in time, its SURBs may be lost".into()),
            (_, end) => end,
        };
        self.state.send_replace(State::Ended(end));
    }

    async fn pumping(&mut self, client: &mut MixnetClient, echo: &Echo) -> End {
        let cancelled = client.cancellation_token();
        let panicked = Arc::new(Notify::new());
        let wake = panicked.clone();
        let _hook = runtime::on_panic(Arc::new(move || wake.notify_one()));
        let mut unanswered = 0;
        let mut silent_at = self.silence_ends();
        loop {
            if runtime::panics() != self.panics {
                return End::Died("a task of the client panicked".into());
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Closed,
                () = panicked.notified() => {}
                () = cancelled.cancelled() => return End::Died(self.reason()),
                batch = client.wait_for_messages() => match batch {
                    None => return End::Died(self.reason()),
                    Some(batch) => {
                        self.take(batch, echo);
                        unanswered = 0;
                        silent_at = self.silence_ends();
                    }
                },
                Some((count, answer)) = self.surbs_asked.recv() => {
                    if let Some(surbs) = Surbs::new(client, count, self.hop_delay).await {
                        let _ = answer.send(surbs); // an error: its wait was cancelled
                    }
                }
                () = until(self.tags.forget_at()) => self.tags.forget(),
                () = until(silent_at) => {
                    if unanswered == ECHOES {
                        return End::Died("nothing comes back from the mixnet: the connection to the gateway is lost".into());
                    }
                    echo.send();
                    unanswered += 1;
                    silent_at = Some(Instant::now() + ECHO_WAIT);
                }
            }
        }
    }

    /// Queues the messages; true if the echo was among them.
    fn take(&mut self, batch: Vec<ReconstructedMessage>, echo: &Echo) -> bool {
        let mut echoed = false;
        for message in batch {
            if message.message == echo.text {
                echoed = true;
                continue;
            }
            let (data, tag) = match message.sender_tag {
                Some(tag) => (message.message, Some(tag.to_bytes())),
                None => self.tags.take(message.message),
            };
            self.inbox.push(Received { data, tag });
        }
        echoed
    }

    fn silence_ends(&self) -> Option<Instant> {
        self.keepalive.map(|silence| Instant::now() + silence)
    }

    /// Returns when an echo sent behind everything else is back: what was sent before has left the client.
    async fn flush(&mut self, client: &mut MixnetClient, echo: &Echo) {
        echo.send();
        while let Some(batch) = client.wait_for_messages().await {
            if self.take(batch, echo) {
                return;
            }
        }
    }

    fn reason(&mut self) -> String {
        match self.events.try_recv() {
            Ok(_) => "the gateway could not be reached, and the SDK gave up".into(),
            Err(_) => "the SDK ended the client".into(),
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
