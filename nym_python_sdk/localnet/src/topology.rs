//! The network as its clients are notified of it: the directory's documents, and the file that `--custom-mixnet` of nym-client takes.

use crate::clock::{Clock, Millis};
use crate::nodes::{Node, LAYERS};
use nym_topology::{
    CachedEpochRewardedSet, EntryDetails, NymTopology, NymTopologyMetadata, RoutingNode, SupportedRoles,
};
use serde_json::{json, Value};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;

pub fn time_of(at: Millis) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn rfc3339(at: Millis) -> String {
    // Only years beyond 9999 can't be written like this.
    time_of(at).format(&Rfc3339).unwrap_or_default()
}

/// One moment's view of the network.
pub struct View<'a> {
    pub nodes: &'a [Arc<Node>],
    pub clock: Clock,
    pub now: Millis,
}

impl View<'_> {
    fn layer(&self, layer: u8) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().filter(move |node| node.layer == layer)
    }

    fn ids<T: FromIterator<u32>>(&self, layer: u8) -> T {
        self.layer(layer).map(|node| node.id).collect()
    }

    /// `GET /v1/epoch/key-rotation-info`
    pub fn key_rotation_info(&self) -> Value {
        let (clock, now) = (&self.clock, self.now);
        let first = clock.rotation(now).saturating_mul(clock.rotation_epochs());
        let length = clock.epoch_length();
        json!({
            "key_rotation_state": {"validity_epochs": clock.rotation_epochs(), "initial_epoch_id": 0},
            "current_absolute_epoch_id": clock.epoch(now),
            "current_epoch_start": rfc3339(clock.epoch_start(now)),
            "epoch_duration": {"secs": length.as_secs(), "nanos": length.subsec_nanos()},
            "progress": {
                "current_key_rotation_id": clock.rotation(now),
                "current_rotation_starting_epoch": first,
                "current_rotation_ending_epoch": first.saturating_add(clock.rotation_epochs() - 1),
            },
        })
    }

    /// `GET /v1/nym-nodes/rewarded-set`
    pub fn rewarded_set(&self) -> Value {
        let ids = |layer| self.ids::<Vec<u32>>(layer);
        json!({
            "epoch_id": self.clock.epoch(self.now), "entry_gateways": ids(0), "exit_gateways": ids(0),
            "layer1": ids(1), "layer2": ids(2), "layer3": ids(3), "standby": [],
        })
    }

    /// `GET /v2/unstable/nym-nodes/skimmed…`: the first page has every node, later ones none.
    pub fn skimmed(&self, page: u32, gateways: bool, mixes: bool) -> Value {
        self.page(page, gateways, mixes, |node| node)
    }

    /// `GET /v2/unstable/nym-nodes/semi-skimmed`, which nym-client asks for.
    pub fn semi_skimmed(&self, page: u32) -> Value {
        self.page(page, true, true, |node| json!({"basic": node, "x25519_noise_versioned_key": null}))
    }

    fn page(&self, page: u32, gateways: bool, mixes: bool, wrap: impl Fn(Value) -> Value) -> Value {
        let wanted = |node: &&Arc<Node>| if node.layer == 0 { gateways } else { mixes };
        let all: Vec<Value> = self.nodes.iter().filter(wanted).map(|node| wrap(basic(node))).collect();
        let total = all.len();
        let data = if page == 0 { all } else { Vec::new() };
        json!({
            "metadata": {
                "status": null, "absolute_epoch_id": self.clock.epoch(self.now),
                "rotation_id": self.clock.rotation(self.now), "refreshed_at": rfc3339(self.now),
            },
            "nodes": {"pagination": {"total": total, "page": page, "size": data.len()}, "data": data},
        })
    }

    /// For clients that take a fixed topology. It does not follow a key rotation.
    pub fn topology(&self) -> NymTopology {
        let rewarded = CachedEpochRewardedSet {
            epoch_id: self.clock.epoch(self.now),
            entry_gateways: self.ids(0),
            exit_gateways: self.ids(0),
            layer1: self.ids(1),
            layer2: self.ids(2),
            layer3: self.ids(LAYERS),
            standby: Default::default(),
        };
        let metadata =
            NymTopologyMetadata::new(self.clock.rotation(self.now), self.clock.epoch(self.now), time_of(self.now));
        NymTopology::new(metadata, rewarded, self.nodes.iter().map(|node| routing_node(node)).collect())
    }
}

fn basic(node: &Node) -> Value {
    let gateway = node.gateway.as_ref();
    json!({
        "node_id": node.id,
        "ed25519_identity_pubkey": node.identity_key(),
        "ip_addresses": [node.mix_address.ip().to_string()],
        "mix_port": node.mix_address.port(),
        "x25519_sphinx_pubkey": node.keys().current.pair.public_key().to_base58_string(),
        "role": if gateway.is_some() { json!("EntryGateway") } else { json!({"Mixnode": {"layer": node.layer}}) },
        "supported_roles": {
            "mixnode": gateway.is_none(), "entry": gateway.is_some(),
            "exit_nr": gateway.is_some(), "exit_ipr": gateway.is_some(),
        },
        "entry": gateway.map(|gateway| json!({"hostname": null, "ws_port": gateway.port, "wss_port": null})),
        "performance": "1",
    })
}

fn routing_node(node: &Node) -> RoutingNode {
    let gateway = node.gateway.as_ref();
    RoutingNode {
        node_id: node.id,
        mix_host: node.mix_address,
        entry: gateway.map(|gateway| EntryDetails {
            ip_addresses: vec![node.mix_address.ip()],
            clients_ws_port: gateway.port,
            hostname: None,
            clients_wss_port: None,
        }),
        identity_key: *node.identity.public_key(),
        sphinx_key: *node.keys().current.pair.public_key(),
        supported_roles: SupportedRoles {
            mixnode: gateway.is_none(),
            mixnet_entry: gateway.is_some(),
            mixnet_exit: gateway.is_some(),
        },
    }
}
