//! The SDK's client, set up for this network.

use crate::config::{in_range, Error, MAX_SURBS, MAX_TOPOLOGY_REFRESH, MIN_TOPOLOGY_REFRESH};
use crate::network::LocalNetwork;
use crate::state::lock_folder;
use nym_client_core::client::base_client::storage::InMemGatewaysDetails;
use nym_network_defaults::NymNetworkDetails;
use nym_sdk::mixnet::{
    EmptyReplyStorage, EphemeralCredentialStorage, InMemEphemeralKeys, MixnetClient, MixnetClientBuilder,
    MixnetClientStorage, StoragePaths,
};
use nym_sdk::DebugConfig;
use nym_task::ShutdownTracker;
use rand::rngs::OsRng;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    /// No cover traffic, no delays at the hops, lost packets sent again after 0.3 s: for tests.
    #[default]
    Fast,
    /// No cover traffic, everything sent at once; the delays at the hops stay. As nym-client's `--no-cover`.
    NoCover,
    /// As on mainnet: cover traffic, a packet every 20 ms on average.
    Default,
}

#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub traffic: Traffic,
    /// Reply SURBs of each sender that the client keeps back for asking for more (`minimum_reply_surb_storage_threshold`).
    pub surbs_withheld: usize,
    pub topology_refresh: Duration,
    /// Identity key of its gateway; none: the SDK chooses.
    pub gateway: Option<String>,
    /// Folder for identity and SURBs; none: a new identity, in memory.
    pub storage: Option<PathBuf>,
}

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        ClientSettings {
            traffic: Traffic::Fast,
            surbs_withheld: 10,
            topology_refresh: Duration::from_secs(300),
            gateway: None,
            storage: None,
        }
    }
}

impl ClientSettings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        in_range("surbs_withheld", self.surbs_withheld, 0, MAX_SURBS as usize)?;
        let (least, most) = (MIN_TOPOLOGY_REFRESH.as_secs_f64(), MAX_TOPOLOGY_REFRESH.as_secs_f64());
        in_range("topology_refresh in seconds", self.topology_refresh.as_secs_f64(), least, most)
    }

    fn debug(&self) -> DebugConfig {
        let mut debug = DebugConfig::default();
        debug.stats_reporting.enabled = false;
        debug.reply_surbs.minimum_reply_surb_storage_threshold = self.surbs_withheld;
        debug.topology.topology_refresh_rate = self.topology_refresh;
        if self.traffic != Traffic::Default {
            debug.cover_traffic.disable_loop_cover_traffic_stream = true;
            debug.traffic.disable_main_poisson_packet_distribution = true;
        }
        if self.traffic == Traffic::Fast {
            debug.traffic.average_packet_delay = Duration::ZERO;
            debug.acknowledgements.average_ack_delay = Duration::ZERO;
            debug.acknowledgements.ack_wait_addition = Duration::from_millis(300);
        }
        debug
    }
}

/// Storage in memory like the SDK's `Ephemeral`, but with configurable SURB thresholds: `Ephemeral` withholds 20 of each
/// sender's, whatever the configuration says.
#[derive(Clone)]
pub struct InMemory {
    keys: InMemEphemeralKeys,
    replies: EmptyReplyStorage,
    credentials: EphemeralCredentialStorage,
    gateways: InMemGatewaysDetails,
}

impl InMemory {
    /// A new identity, with the configuration's thresholds.
    pub fn new(debug: &DebugConfig) -> InMemory {
        InMemory {
            keys: InMemEphemeralKeys::new(&mut OsRng),
            replies: EmptyReplyStorage {
                min_surb_threshold: debug.reply_surbs.minimum_reply_surb_storage_threshold,
                max_surb_threshold: debug.reply_surbs.maximum_reply_surb_storage_threshold,
            },
            credentials: Default::default(),
            gateways: Default::default(),
        }
    }
}

impl MixnetClientStorage for InMemory {
    type KeyStore = InMemEphemeralKeys;
    type ReplyStore = EmptyReplyStorage;
    type CredentialStore = EphemeralCredentialStorage;
    type GatewaysDetailsStore = InMemGatewaysDetails;

    fn into_runtime_stores(self) -> (EmptyReplyStorage, EphemeralCredentialStorage, InMemGatewaysDetails) {
        (self.replies, self.credentials, self.gateways)
    }

    fn key_store(&self) -> &InMemEphemeralKeys {
        &self.keys
    }

    fn reply_store(&self) -> &EmptyReplyStorage {
        &self.replies
    }

    fn credential_store(&self) -> &EphemeralCredentialStorage {
        &self.credentials
    }

    fn gateway_details_store(&self) -> &InMemGatewaysDetails {
        &self.gateways
    }
}

/// Keeps other clients away from a folder while one uses it, also those of nym_python_sdk, which lock the same file.
pub fn lock_storage(folder: &Path) -> Result<File, Error> {
    lock_folder(folder, "nym_python_sdk.lock")
}

/// Connects. If this fails or is dropped, call `tracker.shutdown()` to end what was started.
pub async fn connect_with(
    network: NymNetworkDetails,
    settings: &ClientSettings,
    tracker: &ShutdownTracker,
) -> Result<MixnetClient, Error> {
    let debug = settings.debug();
    let connected = match &settings.storage {
        None => build(network, settings, debug, InMemory::new(&debug), tracker).await,
        Some(folder) => {
            let paths = StoragePaths::new_from_dir(folder).map_err(Box::new)?;
            let storage = paths.initialise_persistent_storage(&debug).await.map_err(Box::new)?;
            build(network, settings, debug, storage, tracker).await
        }
    };
    connected.map_err(|error| Error::Client(Box::new(error)))
}

async fn build<S: MixnetClientStorage + Clone + 'static>(
    network: NymNetworkDetails,
    settings: &ClientSettings,
    debug: DebugConfig,
    storage: S,
    tracker: &ShutdownTracker,
) -> nym_sdk::Result<MixnetClient>
where
    S::ReplyStore: Send + Sync,
    S::GatewaysDetailsStore: Sync,
    S::KeyStore: Sync,
    S::CredentialStore: Send + Sync,
{
    let mut builder = MixnetClientBuilder::new_with_storage(storage)
        .network_details(network)
        .debug_config(debug)
        // The SDK's own tracker hooks the panics of the whole process.
        .custom_shutdown(tracker.clone());
    if let Some(gateway) = &settings.gateway {
        builder = builder.request_gateway(gateway.clone());
    }
    builder.build()?.connect_to_mixnet().await
}

/// For tests of programs in Rust: one client that nothing else manages.
pub async fn connect(network: &LocalNetwork, settings: &ClientSettings) -> Result<MixnetClient, Error> {
    settings.check()?;
    let tracker = ShutdownTracker::default();
    let connected = connect_with(network.network_details(), settings, &tracker).await;
    if connected.is_err() {
        tracker.shutdown().await;
    }
    connected
}
