//! Translates the configuration from the Python dataclass into the SDK's.

use crate::errors::Failure;
use nym_network_defaults::{ApiUrl, NymNetworkDetails, ValidatorDetails};
use nym_sdk::DebugConfig;
use nym_topology::{HardcodedTopologyProvider, NymTopology};
use pyo3::prelude::*;
use std::time::Duration;

/// Fields of `nym_python_sdk.ClientConfig`, which documents and checks them; units are seconds and bytes.
#[derive(FromPyObject)]
pub struct Config {
    pub directory_url: Option<String>,
    pub topology: Option<String>,
    pub gateway: Option<String>,
    pub cover_traffic: bool,
    pub poisson_sending: bool,
    pub sending_delay: f64,
    pub cover_delay: f64,
    pub packet_delay: f64,
    pub ack_delay: f64,
    pub ack_wait: f64,
    pub retransmissions: Option<u32>,
    pub surbs_withheld: usize,
    pub surbs_kept: usize,
    pub surbs_on_request: u32,
    pub surb_age: f64,
    pub fresh_tag_kept: f64,
    pub topology_refresh: f64,
    pub queue_messages: usize,
    pub queue_bytes: usize,
    pub connect_timeout: f64,
    pub keepalive: Option<f64>,
    pub flush_timeout: f64,
}

/// `Duration::from_secs_f64` panics on values that the dataclass refuses; another object could still contain them.
fn seconds(name: &str, value: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value).map_err(|error| Failure::Config(format!("{name} = {value}: {error}")))
}

impl Config {
    pub fn debug(&self) -> Result<DebugConfig, Failure> {
        let mut debug = DebugConfig::default();
        debug.cover_traffic.disable_loop_cover_traffic_stream = !self.cover_traffic;
        debug.cover_traffic.loop_cover_traffic_average_delay = seconds("cover_delay", self.cover_delay)?;
        debug.traffic.disable_main_poisson_packet_distribution = !self.poisson_sending;
        debug.traffic.message_sending_average_delay = seconds("sending_delay", self.sending_delay)?;
        debug.traffic.average_packet_delay = self.packet_delay()?;
        debug.traffic.maximum_number_of_retransmissions = self.retransmissions;
        debug.acknowledgements.average_ack_delay = seconds("ack_delay", self.ack_delay)?;
        debug.acknowledgements.ack_wait_addition = seconds("ack_wait", self.ack_wait)?;
        debug.topology.topology_refresh_rate = seconds("topology_refresh", self.topology_refresh)?;
        debug.reply_surbs.minimum_reply_surb_storage_threshold = self.surbs_withheld;
        debug.reply_surbs.maximum_reply_surb_storage_threshold = self.surbs_kept;
        debug.reply_surbs.maximum_allowed_reply_surb_request_size = self.surbs_on_request;
        debug.reply_surbs.maximum_reply_key_age = seconds("surb_age", self.surb_age)?;
        // The SDK's reports about the client go to an address on the internet: off unless it is asked for.
        debug.stats_reporting.enabled = false;
        Ok(debug)
    }

    /// Mainnet, or the network whose directory (nym-api) is at the URL. Both places are set: the SDK asks them in turn and
    /// falls back to mainnet's where one is missing.
    pub fn network(&self) -> NymNetworkDetails {
        let Some(url) = &self.directory_url else {
            return NymNetworkDetails::new_mainnet();
        };
        let api = ApiUrl { url: url.clone(), front_hosts: None };
        // The chain is not asked while bandwidth needs no credentials; nothing listens on port 1 of this machine.
        let chain = ValidatorDetails::new("http://127.0.0.1:1/", Some(url), None);
        NymNetworkDetails::new_empty()
            .with_network_name("custom".into())
            .with_validator_endpoint(chain)
            .with_nym_api_urls(vec![api])
    }

    pub fn topology(&self) -> Result<Option<HardcodedTopologyProvider>, Failure> {
        let Some(text) = &self.topology else { return Ok(None) };
        let topology: NymTopology =
            serde_json::from_str(text).map_err(|error| Failure::Config(format!("topology: {error}")))?;
        Ok(Some(HardcodedTopologyProvider::new(topology)))
    }

    pub fn connect_timeout(&self) -> Result<Duration, Failure> {
        seconds("connect_timeout", self.connect_timeout)
    }

    pub fn packet_delay(&self) -> Result<Duration, Failure> {
        seconds("packet_delay", self.packet_delay)
    }

    pub fn fresh_tag_kept(&self) -> Result<Duration, Failure> {
        seconds("fresh_tag_kept", self.fresh_tag_kept)
    }

    pub fn keepalive(&self) -> Result<Option<Duration>, Failure> {
        self.keepalive.map(|silence| seconds("keepalive", silence)).transpose()
    }

    pub fn flush_timeout(&self) -> Result<Duration, Failure> {
        seconds("flush_timeout", self.flush_timeout)
    }
}
