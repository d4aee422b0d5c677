//! A whole Nym network on loopback, inside the calling process, to test Nym programs on without the internet.
//!
//! Real, from the published crates: the gateways' websocket protocol with its registration handshake and authentication,
//! the Sphinx processing of every hop with the delays that packets carry, acknowledgements, key rotations, the directory's
//! HTTP interface. Left out: links between nodes (packets are handed over in memory), link encryption (Noise), replay
//! detection, bandwidth tickets. See `docs/local-network.md` of nym_python_sdk.
//!
//! ```no_run
//! # async fn example() -> Result<(), nym_local_network::Error> {
//! use nym_local_network::{ClientSettings, Config, LocalNetwork};
//! let network = LocalNetwork::start(Config::default()).await?;
//! let client = network.client(&ClientSettings::default()).await?;
//! client.disconnect().await;
//! network.close().await;
//! # Ok(())
//! # }
//! ```

mod accounts;
mod client;
mod clock;
mod config;
mod counters;
mod directory;
mod faults;
mod gateway;
mod mailbox;
mod network;
mod nodes;
mod routing;
mod shared;
mod state;
mod topology;
mod websocket;

pub use client::{ClientSettings, InMemory, Traffic};
pub use config::{Config, Error};
pub use counters::{ClientCounters, Counters, HopCounters, PacketCount};
pub use faults::{Kind, Kinds, Target};
pub use network::LocalNetwork;
pub use websocket::{WebsocketClient, WebsocketSettings, WebsocketStatus};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks also what a task left locked when it panicked: every value behind these locks is valid after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
