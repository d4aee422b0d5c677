//! The path of a packet: from hop to hop, through the faults, to a client; then its acknowledgement's path back.

use crate::accounts::ClientId;
use crate::config::MAX_IN_FLIGHT;
use crate::faults::Kind;
use crate::lock;
use crate::nodes::Node;
use crate::shared::Inner;
use nym_sphinx::forwarding::packet::MixPacket;
use nym_sphinx::params::PacketSize;
use nym_sphinx_framing::packet::FramedNymPacket;
use nym_sphinx_framing::processing::{MixProcessingResultData, PartiallyUnwrappedPacket, ProcessedFinalHop};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::Duration;

/// Each hop takes at least this long, as a real one does. A client keeps the keys of its SURBs, and what it needs to
/// recognise acknowledgements, only after the packets have left: a packet that came back sooner would be lost.
const HOP_AT_LEAST: Duration = Duration::from_millis(1);

pub fn kind_of(packet: &MixPacket) -> Kind {
    if packet.packet().len() == PacketSize::AckPacket.size() {
        Kind::Ack
    } else {
        Kind::Data
    }
}

/// Counts a packet as under way for as long as it lives.
struct InFlight(Arc<Inner>);

impl InFlight {
    fn begin(network: &Arc<Inner>) -> Option<InFlight> {
        let counted = InFlight(network.clone());
        (network.in_flight.fetch_add(1, Relaxed) < MAX_IN_FLIGHT).then_some(counted)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

enum Step {
    /// To the next hop, after a wait.
    On(MixPacket, Duration),
    End,
}

/// A client hands a packet to its gateway, which sends it to the first mix.
pub fn inject(network: &Arc<Inner>, gateway: &Arc<Node>, client: &ClientId, packet: MixPacket) {
    let kind = kind_of(&packet);
    gateway.tallies.injected.add(kind);
    if lock(&network.exact_drops).hits(kind, client) {
        return gateway.tallies.dropped.add(kind);
    }
    let Some(counted) = InFlight::begin(network) else {
        return gateway.tallies.refused.add(kind);
    };
    let (network, gateway) = (network.clone(), gateway.clone());
    let travel = async move {
        let network = &counted.0;
        network.clone().token.run_until_cancelled(travel(network, gateway, packet)).await;
    };
    network.tracker.spawn(travel);
}

async fn travel(network: &Arc<Inner>, from: Arc<Node>, packet: MixPacket) {
    let (mut from, mut packet) = (from, packet);
    loop {
        let Some(node) = network.node_at(packet.next_hop_address()) else {
            return from.tallies.refused.add(kind_of(&packet));
        };
        match arrive(network, &node, packet).await {
            Step::End => return,
            Step::On(next, wait) => {
                tokio::time::sleep(wait).await;
                (from, packet) = (node, next);
            }
        }
    }
}

async fn arrive(network: &Arc<Inner>, node: &Arc<Node>, packet: MixPacket) -> Step {
    let kind = kind_of(&packet);
    node.tallies.received.add(kind);
    let passed = lock(&node.faults).pass(kind);
    let Some(extra) = passed else {
        node.tallies.dropped.add(kind);
        return Step::End;
    };
    if !extra.is_zero() {
        tokio::time::sleep(extra).await;
    }
    if node.gateway.as_ref().is_some_and(|gateway| !gateway.is_up()) {
        node.tallies.dropped.add(kind);
        return Step::End;
    }
    match unwrap(node, kind, packet) {
        Some(MixProcessingResultData::ForwardHop { packet, delay }) => {
            node.tallies.forwarded.add(kind);
            let wait = delay.map(|delay| delay.to_duration()).unwrap_or_default();
            Step::On(packet, wait.mul_f64(network.config.delay_scale).max(HOP_AT_LEAST))
        }
        Some(MixProcessingResultData::FinalHop { final_hop_data }) => deliver(network, node, kind, final_hop_data),
        None => Step::End,
    }
}

/// Removes one layer of Sphinx, with the key that the packet's header names.
fn unwrap(node: &Node, kind: Kind, packet: MixPacket) -> Option<MixProcessingResultData> {
    let framed = FramedNymPacket::from_mix_packet(packet, false);
    let keys = node.keys();
    let Some(key) = keys.for_packet(framed.key_rotation()) else {
        node.tallies.expired.add(kind);
        return None;
    };
    let opened = PartiallyUnwrappedPacket::new(framed, key.pair.private_key().inner()).map_err(|(_, error)| error);
    match opened.and_then(PartiallyUnwrappedPacket::finalise_unwrapping) {
        Ok(result) => Some(result.processing_data),
        Err(error) => {
            tracing::debug!("{}: a packet can't be processed: {error}", node.name);
            node.tallies.undecodable.add(kind);
            None
        }
    }
}

/// For a client of this gateway, connected or not. The acknowledgement leaves as soon as the gateway has the packet: it does
/// not say that the client got it.
fn deliver(network: &Arc<Inner>, node: &Arc<Node>, kind: Kind, hop: ProcessedFinalHop) -> Step {
    let id = hop.destination.as_bytes();
    let account = node.gateway.as_ref().and_then(|gateway| gateway.accounts.get(&id));
    if !account.is_some_and(|account| account.push(kind, hop.message)) {
        node.tallies.refused.add(kind);
        return Step::End;
    }
    node.tallies.delivered.add(kind);
    let Some(ack) = hop.forward_ack else { return Step::End };
    if lock(&network.exact_drops).hits(Kind::Ack, &id) {
        node.tallies.dropped.add(Kind::Ack);
        return Step::End;
    }
    Step::On(ack, HOP_AT_LEAST)
}
