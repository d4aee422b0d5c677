//! Nodes: names, keys and what each carries. All keys come from the network's seed.

use crate::counters::HopTallies;
use crate::faults::{HopFaults, Target};
use crate::gateway::Gateway;
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_sphinx::params::SphinxKeyRotation;
use rand::rngs::StdRng;
use rand::SeedableRng;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The nodes' mix addresses are names only: packets are handed over in memory, nothing listens there.
const FIRST_MIX_PORT: u16 = 10_000;
pub const LAYERS: u8 = 3;

/// What a random generator is for; each has its own sequence of numbers.
#[derive(Clone, Copy)]
enum Purpose {
    Identity = 1,
    Sphinx = 2,
    Faults = 3,
}

fn seed_for(seed: u64, node: u32, purpose: Purpose, rotation: u32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..12].copy_from_slice(&node.to_be_bytes());
    bytes[12] = purpose as u8;
    bytes[13..17].copy_from_slice(&rotation.to_be_bytes());
    bytes
}

/// The Sphinx key of one rotation.
pub struct SphinxKey {
    rotation: u32,
    pub pair: x25519::KeyPair,
}

impl SphinxKey {
    fn new(seed: u64, node: u32, rotation: u32) -> SphinxKey {
        let mut rng = StdRng::from_seed(seed_for(seed, node, Purpose::Sphinx, rotation));
        SphinxKey { rotation, pair: x25519::KeyPair::new(&mut rng) }
    }

    fn serves(&self, packet: SphinxKeyRotation) -> bool {
        packet.is_unknown() || packet == SphinxKeyRotation::from(self.rotation)
    }
}

/// The keys that a node accepts at present.
pub struct SphinxKeys {
    pub current: SphinxKey,
    previous: Option<SphinxKey>,
}

impl SphinxKeys {
    /// The key that a packet's header names. If it names none, that is the key of the current rotation.
    pub fn for_packet(&self, packet: SphinxKeyRotation) -> Option<&SphinxKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.serves(packet))
    }
}

pub struct Node {
    pub id: u32,
    pub name: String,
    /// 0 for a gateway.
    pub layer: u8,
    pub identity: Arc<ed25519::KeyPair>,
    /// See [`FIRST_MIX_PORT`].
    pub mix_address: SocketAddr,
    pub faults: Mutex<HopFaults>,
    pub tallies: HopTallies,
    pub gateway: Option<Gateway>,
    seed: u64,
    keys: RwLock<Arc<SphinxKeys>>,
}

impl Node {
    pub fn mix(seed: u64, id: u32, layer: u8, number: usize, rotation: u32) -> Node {
        Node::new(seed, id, layer, format!("mix-{layer}-{number}"), rotation, None)
    }

    pub fn gateway(seed: u64, id: u32, number: usize, rotation: u32, gateway: Gateway) -> Node {
        Node::new(seed, id, 0, format!("gateway-{number}"), rotation, Some(gateway))
    }

    fn new(seed: u64, id: u32, layer: u8, name: String, rotation: u32, gateway: Option<Gateway>) -> Node {
        let mut rng = StdRng::from_seed(seed_for(seed, id, Purpose::Identity, 0));
        // Ids are below 4 * MAX_NODES.
        let port = FIRST_MIX_PORT.saturating_add(u16::try_from(id).unwrap_or(u16::MAX));
        Node {
            id,
            name,
            layer,
            identity: Arc::new(ed25519::KeyPair::new(&mut rng)),
            mix_address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            faults: Mutex::new(HopFaults::new(seed_for(seed, id, Purpose::Faults, 0))),
            tallies: HopTallies::default(),
            gateway,
            seed,
            keys: RwLock::new(Arc::new(SphinxKeys { current: SphinxKey::new(seed, id, rotation), previous: None })),
        }
    }

    pub fn identity_key(&self) -> String {
        self.identity.public_key().to_base58_string()
    }

    pub fn keys(&self) -> Arc<SphinxKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes these the accepted keys.
    pub fn set_rotation(&self, current: u32, previous: Option<u32>) {
        let key = |rotation| SphinxKey::new(self.seed, self.id, rotation);
        let keys = Arc::new(SphinxKeys { current: key(current), previous: previous.map(key) });
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    pub fn is_meant(&self, target: &Target) -> bool {
        match target {
            Target::All => true,
            Target::Mixes => self.layer > 0,
            Target::Layer(layer) => self.layer == *layer && *layer > 0,
            Target::Gateways => self.layer == 0,
            Target::Node(name) => self.name == *name || self.identity_key() == *name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_fixes_the_keys_and_each_node_and_rotation_has_its_own() {
        let public = |seed, id, rotation| SphinxKey::new(seed, id, rotation).pair.public_key().to_base58_string();
        assert_eq!(public(1, 2, 3), public(1, 2, 3));
        assert_ne!(public(1, 2, 3), public(2, 2, 3));
        assert_ne!(public(1, 2, 3), public(1, 3, 3));
        assert_ne!(public(1, 2, 3), public(1, 2, 4));
        let (one, two) = (Node::mix(5, 7, 1, 1, 1), Node::mix(5, 7, 1, 1, 1));
        assert_eq!(one.identity_key(), two.identity_key());
    }

    #[test]
    fn a_packets_header_chooses_the_key() {
        let node = Node::mix(1, 1, 1, 1, 1);
        let rotation = |wanted: u32| node.keys().for_packet(SphinxKeyRotation::from(wanted)).map(|key| key.rotation);
        assert_eq!([rotation(1), rotation(2), rotation(0)], [Some(1), None, Some(1)]);
        node.set_rotation(2, Some(1));
        assert_eq!([rotation(1), rotation(2), rotation(0)], [Some(1), Some(2), Some(2)]);
        node.set_rotation(2, None);
        assert_eq!(rotation(1), None);
    }

    #[test]
    fn targets_mean_the_right_nodes() {
        let node = Node::mix(1, 9, 2, 3, 1);
        let key = node.identity_key();
        for target in ["all", "mixes", "layer2", "mix-2-3", key.as_str()] {
            assert!(node.is_meant(&Target::from(target)), "{target}");
        }
        for target in ["layer1", "layer3", "gateways", "mix-2-1", "layer0", ""] {
            assert!(!node.is_meant(&Target::from(target)), "{target}");
        }
    }
}
