//! What a network is made of, the limits of everything that input can fill, and the errors.

use std::path::PathBuf;
use std::time::Duration;

/// Gateways, and mixes of one layer: far more than a test needs, few enough to start in milliseconds.
pub const MAX_NODES: usize = 64;
/// Above this a packet would wait for minutes at a hop.
pub const MAX_DELAY_SCALE: f64 = 1000.0;
/// An extra delay at one hop. Longer ones are an outage, which has its own fault.
pub const MAX_DELAY: Duration = Duration::from_secs(600);
/// A client looks for a new key rotation eight times an epoch: below this it would do little else.
pub const MIN_EPOCH: Duration = Duration::from_millis(100);
pub const MAX_EPOCH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Epochs between two key rotations; mainnet has 24.
pub const MAX_ROTATION_EPOCHS: u32 = 1000;
/// Packets on their way at once, each 2.4 kB and a task: about 300 MB. More are dropped (and counted), as by an overloaded mix.
pub const MAX_IN_FLIGHT: usize = 100_000;
/// Packets that a gateway holds for one client: some 32 MB, a 16 MB message. More are refused without an acknowledgement, so
/// that senders try again.
pub const MAX_HELD: usize = 16_384;
/// How long a gateway keeps packets of an absent client, as on mainnet.
pub const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Answers to one client's packets that wait for its socket; then nothing more is read from it.
pub const MAX_ANSWERS: usize = 256;
/// Clients registered at one gateway, 200 bytes each without their packets.
pub const MAX_ACCOUNTS: usize = 10_000;
/// Open connections to one gateway, and to the directory.
pub const MAX_CONNECTIONS: usize = 4096;
/// For a handshake, an authentication, or the head of an HTTP request; on loopback they take milliseconds.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// One websocket message to a gateway: the largest Sphinx packet is 33 kB.
pub const MAX_GATEWAY_MESSAGE: usize = 128 * 1024;
/// How far the clock in an authentication may be off.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Reply SURBs in one request, or withheld: no client keeps more of one sender, and four billion would occupy it for days.
pub const MAX_SURBS: u32 = 200;
/// How often a client reads the directory at most: more often, it would do little else; the SDK panics at zero.
pub const MIN_TOPOLOGY_REFRESH: Duration = Duration::from_millis(10);
pub const MAX_TOPOLOGY_REFRESH: Duration = Duration::from_secs(24 * 3600);
/// Bandwidth that the gateways say a client has, in bytes; no ticket is ever asked for.
pub const FREE_BANDWIDTH: i64 = 1 << 50;

/// What the network is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub gateways: usize,
    pub mixes_per_layer: usize,
    /// For the nodes' keys and all fault decisions. None: that of the saved state, or a
    /// random one (see [`LocalNetwork::seed`]).
    ///
    /// [`LocalNetwork::seed`]: crate::LocalNetwork::seed
    pub seed: Option<u64>,
    /// Factor on the delay that each packet asks for at each hop; with 0 each waits a millisecond.
    pub delay_scale: f64,
    pub epoch: Duration,
    pub rotation_epochs: u32,
    /// 0 lets the system choose.
    pub directory_port: u16,
    /// Folder for what lets a later network be the same to its clients: seed, ports, registrations, age of the keys.
    pub state: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            gateways: 2,
            mixes_per_layer: 2,
            seed: None,
            delay_scale: 1.0,
            epoch: Duration::from_secs(3600),
            rotation_epochs: 24,
            directory_port: 0,
            state: None,
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), Error> {
        in_range("gateways", self.gateways, 1, MAX_NODES)?;
        in_range("mixes_per_layer", self.mixes_per_layer, 1, MAX_NODES)?;
        in_range("delay_scale", self.delay_scale, 0.0, MAX_DELAY_SCALE)?;
        in_range("epoch", self.epoch.as_secs_f64(), MIN_EPOCH.as_secs_f64(), MAX_EPOCH.as_secs_f64())?;
        in_range("rotation_epochs", self.rotation_epochs, 1, MAX_ROTATION_EPOCHS)
    }
}

/// NaN is in no range.
pub fn in_range<T: PartialOrd + std::fmt::Display>(name: &str, value: T, least: T, most: T) -> Result<(), Error> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::Config(format!("{name} = {value}: must be from {least} to {most}")))
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Config(String),
    #[error("no such node: {0} (known: all, mixes, layer1 to layer3, gateways, gateway-1, mix-1-1 and so on, a gateway's key)")]
    NoSuchNode(String),
    #[error("no client with this address is registered at a gateway of this network: {0}")]
    NoSuchClient(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("saved state: {0}")]
    State(String),
    #[error("the client could not connect: {0}")]
    Client(#[from] Box<nym_sdk::Error>),
    #[error("the network is closed")]
    Closed,
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked() {
        assert!(Config::default().check().is_ok());
        let bad = [
            Config { gateways: 0, ..Config::default() },
            Config { mixes_per_layer: MAX_NODES + 1, ..Config::default() },
            Config { delay_scale: f64::NAN, ..Config::default() },
            Config { delay_scale: -0.1, ..Config::default() },
            Config { epoch: Duration::from_millis(99), ..Config::default() },
            Config { rotation_epochs: 0, ..Config::default() },
        ];
        for config in bad {
            assert!(matches!(config.check(), Err(Error::Config(_))), "{config:?}");
        }
    }
}
