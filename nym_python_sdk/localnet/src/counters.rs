//! What is counted, at the hops and per client. A hop can't tell cover packets, retransmissions and SURB requests from messages:
//! all are data here. With cover traffic off and no loss, data packets are messages, replies and the client's SURB requests.

use crate::faults::Kind;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Packets by size class: acknowledgements (382 B class) and data (everything larger).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PacketCount {
    pub data: u64,
    pub acks: u64,
}

#[derive(Default)]
pub struct Tally {
    data: AtomicU64,
    acks: AtomicU64,
}

impl Tally {
    pub fn add(&self, kind: Kind) {
        match kind {
            Kind::Data => &self.data,
            Kind::Ack => &self.acks,
        }
        .fetch_add(1, Relaxed);
    }

    fn read(&self) -> PacketCount {
        PacketCount { data: self.data.load(Relaxed), acks: self.acks.load(Relaxed) }
    }

    fn reset(&self) {
        self.data.store(0, Relaxed);
        self.acks.store(0, Relaxed);
    }
}

/// Generates the counters of one thing, how they are read and how they are set to zero.
macro_rules! tallies {
    ($live:ident, $snapshot:ident { $($(#[$doc:meta])* $name:ident),* $(,)? } $(+ { $($(#[$extra_doc:meta])* $extra:ident: $kind:ty),* })?) => {
        #[derive(Default)]
        pub struct $live {
            $(pub $name: Tally,)*
        }

        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct $snapshot {
            $($($(#[$extra_doc])* pub $extra: $kind,)*)?
            $($(#[$doc])* pub $name: PacketCount,)*
        }

        impl $live {
            pub fn read(&self) -> $snapshot {
                $snapshot { $($name: self.$name.read(),)* ..Default::default() }
            }

            pub fn reset(&self) {
                $(self.$name.reset();)*
            }
        }
    };
}

tallies!(HopTallies, HopCounters {
    /// Handed in by clients of this gateway, before any fault.
    injected,
    /// Arrived from another node (or, at a first mix, from a gateway), before any fault.
    received,
    /// Processed and sent on to the next hop.
    forwarded,
    /// Processed for the last time here, and given or kept for a client of this gateway.
    delivered,
    /// Lost to a fault: loss, an exact drop, or a gateway that is down.
    dropped,
    /// Made for a key that is not accepted any more.
    expired,
    /// Not a Sphinx packet for this node's keys.
    undecodable,
    /// For a client that is not registered here, or whose store is full, or for an unknown next hop; also with too many under way.
    refused,
} + {
    /// `gateway-1`, `mix-1-2` (layer 1, second) and so on.
    name: String,
    /// 0 for a gateway.
    layer: u8,
    /// Identity key, base58.
    identity: String
});

tallies!(ClientTallies, ClientCounters {
    /// Handed by the client to its gateway.
    injected,
    /// Written to the client's connection.
    delivered,
    /// Kept, since the client was not connected when they came.
    stored,
    /// Refused, since the store was full.
    refused,
    /// Discarded: kept too long, or by the fault that makes a gateway forget them.
    forgotten,
} + {
    /// The client's identity key, base58: the part of its address before the dot.
    identity: String,
    /// Identity key of its gateway: the part of its address after the @.
    gateway: String,
    connected: bool,
    /// Waiting at the gateway now.
    held: u64,
    /// Connections of this client so far: the handshake's and each authenticated one.
    connections: u64
});

/// A snapshot. Each number is exact; while packets are under way, they are from slightly different moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Gateways first, then the layers.
    pub hops: Vec<HopCounters>,
    pub clients: Vec<ClientCounters>,
    /// Packets between two hops, or waiting at one.
    pub in_flight: u64,
    pub rotation_id: u32,
}
