//! What every task of a network shares: its nodes, its calendar, its state on disk.

use crate::clock::{Clock, Millis};
use crate::config::{Config, Error};
use crate::faults::{ExactDrops, Target};
use crate::gateway::Gateway;
use crate::lock;
use crate::nodes::Node;
use crate::state::{Saved, Store};
use crate::topology::View;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every task of the network shares.
pub struct Inner {
    pub config: Config,
    pub seed: u64,
    /// Gateways first, then the layers.
    pub nodes: Vec<Arc<Node>>,
    pub by_address: HashMap<SocketAddr, Arc<Node>>,
    pub clock: Mutex<Clock>,
    pub clock_changed: Notify,
    pub exact_drops: Mutex<ExactDrops>,
    pub in_flight: AtomicUsize,
    /// Cancelled when the network ends; every task ends with it.
    pub token: CancellationToken,
    pub tracker: TaskTracker,
    /// The clients that the network itself runs. They end first, while their gateways are still there.
    pub clients: TaskTracker,
    pub clients_token: CancellationToken,
    pub directory: SocketAddr,
    /// One writer at a time, so that an older state never replaces a newer one.
    pub store: Option<Arc<tokio::sync::Mutex<Store>>>,
}

pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(Millis::MAX)
}

/// Rotates the keys when it is time, and drops the previous ones after an epoch.
pub async fn keep_time(network: Arc<Inner>) {
    loop {
        let wait = lock(&network.clock).next_change(now()).saturating_sub(now());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait.saturating_add(1))) => network.apply_clock(),
            () = network.clock_changed.notified() => {}
            () = network.token.cancelled() => return,
        }
    }
}

impl Inner {
    pub fn open(&self) -> Result<(), Error> {
        if self.token.is_cancelled() {
            return Err(Error::Closed);
        }
        Ok(())
    }

    pub fn node_at(&self, address: SocketAddr) -> Option<Arc<Node>> {
        self.by_address.get(&address).cloned()
    }

    pub fn view(&self) -> View<'_> {
        View { nodes: &self.nodes, clock: *lock(&self.clock), now: now() }
    }

    pub fn meant(&self, target: &Target) -> Result<Vec<&Arc<Node>>, Error> {
        let nodes: Vec<_> = self.nodes.iter().filter(|node| node.is_meant(target)).collect();
        match target {
            Target::Node(name) if nodes.is_empty() => Err(Error::NoSuchNode(name.clone())),
            _ => Ok(nodes),
        }
    }

    pub fn gateway(&self, name: &str) -> Result<&Gateway, Error> {
        let target = Target::Node(name.to_string());
        let node = self.nodes.iter().find(|node| node.is_meant(&target));
        node.and_then(|node| node.gateway.as_ref()).ok_or_else(|| Error::NoSuchNode(name.to_string()))
    }

    pub fn apply_clock(&self) {
        // Held to the end, so that an older view of the calendar is never written last.
        let (clock, now) = (lock(&self.clock), now());
        let (rotation, previous) = (clock.rotation(now), clock.previous(now));
        self.nodes.iter().for_each(|node| node.set_rotation(rotation, previous));
    }

    pub async fn clock_set(&self) -> Result<(), Error> {
        self.apply_clock();
        self.clock_changed.notify_one();
        self.save().await
    }

    /// Writes the state, if there is a folder for it.
    pub async fn save(&self) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        let store = store.clone().lock_owned().await;
        let mut saved = Saved::new(&self.config, self.seed, *lock(&self.clock));
        saved.directory_port = self.directory.port();
        let gateways = self.nodes.iter().filter_map(|node| node.gateway.as_ref()).enumerate();
        for (number, gateway) in gateways {
            saved.gateway_ports.push(gateway.port);
            for account in gateway.accounts.all() {
                let (identity, key) = (account.identity.to_base58_string(), account.key().to_base58_string());
                saved.registrations.push((number, identity, key));
            }
        }
        let written = tokio::task::spawn_blocking(move || store.save(&saved)).await;
        written.unwrap_or_else(|error| Err(Error::State(error.to_string())))
    }
}
