//! The network: starting and ending it, its faults, its counters.

use crate::accounts::{client_id, Account};
use crate::client::{self, ClientSettings};
use crate::clock::Clock;
use crate::config::{Config, Error};
use crate::counters::Counters;
use crate::faults::{check_delay, check_loss, Kind, Kinds, Target};
use crate::gateway::{self, Gateway};
use crate::nodes::{Node, LAYERS};
use crate::shared::{keep_time, now, Inner};
use crate::state::{Saved, Store};
use crate::websocket::{WebsocketClient, WebsocketSettings};
use crate::{directory, lock};
use nym_crypto::asymmetric::ed25519;
use nym_gateway_requests::SharedSymmetricKey;
use nym_network_defaults::{ApiUrl, NymNetworkDetails, ValidatorDetails};
use nym_sdk::mixnet::{MixnetClient, Recipient};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running network. Dropping it ends it as [`LocalNetwork::close`] does, without waiting.
pub struct LocalNetwork {
    inner: Arc<Inner>,
}

async fn bind(port: u16) -> Result<(TcpListener, u16), Error> {
    let bound = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    bound.await.map_err(Error::io(format!("port {port} of 127.0.0.1")))
}

impl LocalNetwork {
    /// Starts it: when this returns, clients can connect.
    pub async fn start(config: Config) -> Result<LocalNetwork, Error> {
        config.check()?;
        let (store, saved) = match &config.state {
            Some(folder) => {
                let store = Store::open(folder)?;
                let saved = store.load(&config)?;
                (Some(store), saved)
            }
            None => (None, None),
        };
        let first = saved.is_none();
        let seed = config.seed.unwrap_or_else(rand::random);
        let clock = Clock::new(now(), config.epoch, config.rotation_epochs);
        let saved = saved.unwrap_or_else(|| Saved::new(&config, seed, clock));
        let token = CancellationToken::new();
        // If a step fails from here on, nothing is left running.
        let guard = token.clone().drop_guard();

        let port = if config.directory_port > 0 { config.directory_port } else { saved.directory_port };
        let (directory_listener, port) = bind(port).await?;
        let rotation = saved.clock.rotation(now());
        let (mut nodes, mut listeners) = (Vec::new(), Vec::new());
        for number in 0..config.gateways {
            let (listener, port) = bind(saved.gateway_ports.get(number).copied().unwrap_or(0)).await?;
            listeners.push(listener);
            let gateway = Gateway::new(port, &token);
            nodes.push(Arc::new(Node::gateway(saved.seed, next_id(&nodes), number + 1, rotation, gateway)));
        }
        for layer in 1..=LAYERS {
            for number in 1..=config.mixes_per_layer {
                nodes.push(Arc::new(Node::mix(saved.seed, next_id(&nodes), layer, number, rotation)));
            }
        }
        restore(&nodes, &saved)?;
        let inner = Arc::new(Inner {
            seed: saved.seed,
            by_address: nodes.iter().map(|node| (node.mix_address, node.clone())).collect(),
            clock: Mutex::new(saved.clock),
            clock_changed: Notify::new(),
            exact_drops: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            tracker: TaskTracker::new(),
            directory: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            store: store.map(|store| Arc::new(tokio::sync::Mutex::new(store))),
            clients: TaskTracker::new(),
            clients_token: token.child_token(),
            token,
            config,
            nodes,
        });
        if first {
            inner.save().await?;
        }
        inner.apply_clock();
        for (node, listener) in inner.nodes.iter().zip(listeners) {
            inner.tracker.spawn(gateway::listen(inner.clone(), node.clone(), listener));
        }
        inner.tracker.spawn(directory::listen(inner.clone(), directory_listener));
        inner.tracker.spawn(keep_time(inner.clone()));
        guard.disarm();
        Ok(LocalNetwork { inner })
    }

    /// Ends every task and connection, first the clients behind its websockets; the ports are free when this returns.
    /// Disconnect other clients before: they notice a lost gateway.
    pub async fn close(&self) {
        self.inner.clients_token.cancel();
        self.inner.clients.close();
        self.inner.clients.wait().await;
        self.inner.token.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
    }

    /// Restores the same keys and, if packets come in the same order, the same losses. Clients' own keys,
    /// routes and delays come from the system's randomness and are not repeated.
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// The gateways' identity keys, base58.
    pub fn gateways(&self) -> Vec<String> {
        self.inner.nodes.iter().filter(|node| node.gateway.is_some()).map(|node| node.identity_key()).collect()
    }

    /// Base URL of the directory: what a client needs to know, and all of it.
    pub fn directory_url(&self) -> String {
        format!("http://{}/", self.inner.directory)
    }

    /// The network as it is now, as the file that `nym-client --custom-mixnet` and the SDK's hardcoded topology take.
    pub fn topology_json(&self) -> Result<String, Error> {
        serde_json::to_string(&self.inner.view().topology()).map_err(|error| Error::State(error.to_string()))
    }

    /// For the SDK's client builder.
    pub fn network_details(&self) -> NymNetworkDetails {
        let url = self.directory_url();
        // The chain is not asked while bandwidth is free; nothing listens on port 1.
        let chain = ValidatorDetails::new("http://127.0.0.1:1/", Some(&url), None);
        NymNetworkDetails::new_empty()
            .with_network_name("local".into())
            .with_validator_endpoint(chain)
            .with_nym_api_urls(vec![ApiUrl { url, front_hosts: None }])
    }

    pub(crate) fn clients(&self) -> (&TaskTracker, &CancellationToken) {
        (&self.inner.clients, &self.inner.clients_token)
    }

    /// A client of the SDK, connected to this network.
    pub async fn client(&self, settings: &ClientSettings) -> Result<MixnetClient, Error> {
        self.inner.open()?;
        client::connect(self, settings).await
    }

    /// A client with nym-client's websocket in front of it.
    pub async fn serve_websocket(&self, settings: WebsocketSettings) -> Result<WebsocketClient, Error> {
        self.inner.open()?;
        WebsocketClient::start(self, settings).await
    }

    /// From now on, a packet that arrives at one of these hops is lost with this probability.
    pub fn set_loss(&self, hops: &Target, kinds: Kinds, probability: f64) -> Result<(), Error> {
        check_loss(probability)?;
        let nodes = self.inner.meant(hops)?;
        nodes.iter().for_each(|node| lock(&node.faults).set_loss(kinds, probability));
        Ok(())
    }

    /// From now on, a packet waits there `delay`, and up to `jitter` more, on top of its own delay.
    pub fn set_delay(&self, hops: &Target, kinds: Kinds, delay: Duration, jitter: Duration) -> Result<(), Error> {
        check_delay(delay, jitter)?;
        let nodes = self.inner.meant(hops)?;
        nodes.iter().for_each(|node| lock(&node.faults).set_delay(kinds, delay, jitter));
        Ok(())
    }

    /// Drops exactly the next `count` packets: data where a client hands them to its gateway, acknowledgements where the
    /// recipient's gateway releases them. `client` limits it to one sender (data) or recipient (acknowledgements).
    /// Replaces an earlier count for the same; 0 ends it.
    pub fn drop_next(&self, kind: Kind, count: u32, client: Option<&str>) -> Result<(), Error> {
        let client = client.map(|address| address_of(address).map(|address| client_id(address.identity())));
        lock(&self.inner.exact_drops).set(kind, client.transpose()?, count);
        Ok(())
    }

    /// How many packets `drop_next` still has to drop.
    pub fn drops_left(&self) -> u64 {
        lock(&self.inner.exact_drops).left()
    }

    /// Removes loss, delays and exact drops; a gateway that is down stays down.
    pub fn clear_faults(&self) {
        lock(&self.inner.exact_drops).clear();
        for node in &self.inner.nodes {
            let mut faults = lock(&node.faults);
            faults.set_loss(Kinds::All, 0.0);
            faults.set_delay(Kinds::All, Duration::ZERO, Duration::ZERO);
        }
    }

    /// Cuts its connections, resets new ones, and drops every packet that reaches it.
    pub fn stop_gateway(&self, gateway: &str) -> Result<(), Error> {
        self.inner.gateway(gateway)?.stop();
        Ok(())
    }

    /// Up again. Without its registrations clients with a stored identity are refused, and must register again; without
    /// its packets those that waited are lost. A gateway that is up loses them, and its connections, anyway.
    pub async fn start_gateway(&self, gateway: &str, registrations: bool, packets: bool) -> Result<(), Error> {
        let gateway = self.inner.gateway(gateway)?;
        if !registrations || !packets {
            gateway.stop();
        }
        if !packets {
            for account in gateway.accounts.all() {
                account.forget();
            }
        }
        if !registrations {
            gateway.accounts.clear();
            self.inner.save().await?;
        }
        gateway.start(&self.inner.token);
        Ok(())
    }

    /// The gateway discards the packets that wait for its clients. Returns how many there were.
    pub fn forget_packets(&self, gateway: &str) -> Result<usize, Error> {
        let gateway = self.inner.gateway(gateway)?;
        Ok(gateway.accounts.all().iter().map(|account| account.forget()).sum())
    }

    /// Cuts the client's connection without notice. False if it had none.
    pub fn cut_client(&self, address: &str) -> Result<bool, Error> {
        let recipient = address_of(address)?;
        let gateway = self.inner.gateway(&recipient.gateway().to_base58_string())?;
        let account = gateway.accounts.get(&client_id(recipient.identity()));
        Ok(account.ok_or_else(|| Error::NoSuchClient(address.to_string()))?.cut())
    }

    /// New Sphinx keys in all nodes. Returns the rotation's id. The former keys are accepted for one
    /// more epoch, or until the next rotation or [`LocalNetwork::retire_old_keys`].
    pub async fn rotate_keys(&self) -> Result<u32, Error> {
        let rotation = lock(&self.inner.clock).rotate(now());
        self.inner.clock_set().await?;
        Ok(rotation)
    }

    /// The previous rotation's keys are no longer accepted from now on: SURBs and packets made with them are lost.
    pub async fn retire_old_keys(&self) -> Result<(), Error> {
        lock(&self.inner.clock).retire(now());
        self.inner.clock_set().await
    }

    pub fn rotation_id(&self) -> u32 {
        lock(&self.inner.clock).rotation(now())
    }

    pub fn counters(&self) -> Counters {
        let nodes = &self.inner.nodes;
        let hops = nodes.iter().map(|node| crate::HopCounters {
            name: node.name.clone(),
            layer: node.layer,
            identity: node.identity_key(),
            ..node.tallies.read()
        });
        let clients = nodes.iter().filter_map(|node| Some((node.gateway.as_ref()?, node.identity_key())));
        let clients = clients.flat_map(|(gateway, key)| counters_of(gateway.accounts.all(), key));
        Counters {
            hops: hops.collect(),
            clients: clients.collect(),
            in_flight: self.inner.in_flight.load(std::sync::atomic::Ordering::Relaxed) as u64,
            rotation_id: self.rotation_id(),
        }
    }

    /// Sets every counter to zero; what waits or is under way stays.
    pub fn reset_counters(&self) {
        for node in &self.inner.nodes {
            node.tallies.reset();
            let accounts = node.gateway.as_ref().map(|gateway| gateway.accounts.all());
            accounts.iter().flatten().for_each(|account| account.tallies.reset());
        }
    }
}

impl Drop for LocalNetwork {
    fn drop(&mut self) {
        self.inner.token.cancel();
    }
}

fn next_id(nodes: &[Arc<Node>]) -> u32 {
    nodes.len() as u32 + 1
}

fn counters_of(accounts: Vec<Arc<Account>>, gateway: String) -> impl Iterator<Item = crate::ClientCounters> {
    accounts.into_iter().map(move |account| account.counters(&gateway))
}

fn address_of(address: &str) -> Result<Recipient, Error> {
    Recipient::from_str(address).map_err(|_| Error::NoSuchClient(address.to_string()))
}

fn restore(nodes: &[Arc<Node>], saved: &Saved) -> Result<(), Error> {
    for (number, identity, key) in &saved.registrations {
        let gateway = nodes.get(*number).and_then(|node| node.gateway.as_ref());
        let identity = ed25519::PublicKey::from_base58_string(identity).ok();
        let key = SharedSymmetricKey::try_from_base58_string(key.as_str()).ok();
        let (Some(gateway), Some(identity), Some(key)) = (gateway, identity, key) else {
            return Err(Error::State("a registration is not valid".into()));
        };
        gateway.accounts.register(identity, key);
    }
    Ok(())
}
