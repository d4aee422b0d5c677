//! What the tests of the network share.

use nym_local_network::{ClientSettings, Config, LocalNetwork, PacketCount};
use nym_sdk::mixnet::{
    AnonymousSenderTag, IncludedSurbs, MixnetClient, MixnetMessageSender, Recipient, ReconstructedMessage,
};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

/// The limit for what must come, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn network() -> LocalNetwork {
    start(Config { seed: Some(1), ..Config::default() }).await
}

pub async fn start(config: Config) -> LocalNetwork {
    LocalNetwork::start(config).await.expect("the network starts")
}

/// A folder of this test's own, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("nym-local-network-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder in the system's place for temporary files");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A client, and what has come for it.
pub struct Peer {
    pub client: MixnetClient,
    inbox: VecDeque<ReconstructedMessage>,
}

/// Reply SURBs are used at once, none is kept back.
pub fn settings() -> ClientSettings {
    ClientSettings { surbs_withheld: 0, ..ClientSettings::default() }
}

pub fn at(network: &LocalNetwork, gateway: usize) -> ClientSettings {
    ClientSettings { gateway: Some(network.gateways()[gateway].clone()), ..settings() }
}

pub async fn peer(network: &LocalNetwork, settings: ClientSettings) -> Peer {
    Peer::new(network.client(&settings).await.expect("the client connects"))
}

impl Peer {
    pub fn new(client: MixnetClient) -> Peer {
        Peer { client, inbox: VecDeque::new() }
    }

    pub fn address(&self) -> Recipient {
        *self.client.nym_address()
    }

    pub async fn plain(&self, to: Recipient, data: impl AsRef<[u8]> + Send) {
        self.client.send_message(to, data, IncludedSurbs::ExposeSelfAddress).await.expect("sent");
    }

    pub async fn anonymous(&self, to: Recipient, data: impl AsRef<[u8]> + Send, surbs: u32) {
        self.client.send_message(to, data, IncludedSurbs::Amount(surbs)).await.expect("sent");
    }

    pub async fn reply(&self, tag: AnonymousSenderTag, data: impl AsRef<[u8]> + Send) {
        self.client.send_reply(tag, data).await.expect("sent");
    }

    pub async fn receive_within(&mut self, limit: Duration) -> Option<ReconstructedMessage> {
        let wait = async {
            loop {
                if let Some(message) = self.inbox.pop_front() {
                    return Some(message);
                }
                self.inbox.extend(self.client.wait_for_messages().await?);
            }
        };
        tokio::time::timeout(limit, wait).await.ok().flatten()
    }

    pub async fn receive(&mut self) -> ReconstructedMessage {
        self.receive_within(PATIENCE).await.expect("a message comes")
    }

    pub async fn receive_data(&mut self) -> Vec<u8> {
        self.receive().await.message
    }

    pub async fn disconnect(self) {
        self.client.disconnect().await;
    }
}

/// Waits until the condition is true.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until no packet has been under way for a while: acknowledgements have then come, too.
pub async fn quiet(network: &LocalNetwork) {
    let mut last = network.counters();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let counters = network.counters();
        if counters == last && counters.in_flight == 0 {
            return;
        }
        last = counters;
    }
}

/// What arrived at the mixes of one layer (0: at the gateways).
pub fn received(network: &LocalNetwork, layer: u8) -> PacketCount {
    let hops = network.counters().hops;
    hops.iter().filter(|hop| hop.layer == layer).fold(PacketCount::default(), |sum, hop| PacketCount {
        data: sum.data + hop.received.data,
        acks: sum.acks + hop.received.acks,
    })
}
