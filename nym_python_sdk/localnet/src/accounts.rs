//! A gateway's clients: their keys, their connection if there is one, and the packets that wait for them.

use crate::config::{MAX_ACCOUNTS, MAX_HELD, RETENTION};
use crate::counters::{ClientCounters, ClientTallies};
use crate::faults::Kind;
use crate::lock;
use nym_crypto::asymmetric::ed25519;
use nym_gateway_requests::SharedSymmetricKey;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How Sphinx packets name a client: its identity key.
pub type ClientId = [u8; 32];

pub fn client_id(identity: &ed25519::PublicKey) -> ClientId {
    identity.derive_destination_address().as_bytes()
}

struct Held {
    since: Instant,
    kind: Kind,
    message: Vec<u8>,
}

struct Connection {
    number: u64,
    wake: Arc<Notify>,
    cut: CancellationToken,
}

struct Inner {
    key: Arc<SharedSymmetricKey>,
    held: VecDeque<Held>,
    connection: Option<Connection>,
    connections: u64,
}

pub struct Account {
    pub identity: ed25519::PublicKey,
    pub tallies: ClientTallies,
    inner: Mutex<Inner>,
}

/// What an authenticated connection serves its client with.
pub struct Session {
    pub account: Arc<Account>,
    pub key: Arc<SharedSymmetricKey>,
    /// Cancelled when a newer connection of the same client, a fault or the end of the network ends this one.
    pub cut: CancellationToken,
    number: u64,
    wake: Arc<Notify>,
}

impl Account {
    fn new(identity: ed25519::PublicKey, key: Arc<SharedSymmetricKey>) -> Account {
        let inner = Inner { key, held: VecDeque::new(), connection: None, connections: 0 };
        Account { identity, tallies: ClientTallies::default(), inner: Mutex::new(inner) }
    }

    pub fn key(&self) -> Arc<SharedSymmetricKey> {
        lock(&self.inner).key.clone()
    }

    /// Takes a packet for the client. False if there is no room.
    pub fn push(&self, kind: Kind, message: Vec<u8>) -> bool {
        let mut inner = lock(&self.inner);
        inner.expire(&self.tallies, RETENTION);
        if inner.held.len() >= MAX_HELD {
            self.tallies.refused.add(kind);
            return false;
        }
        inner.held.push_back(Held { since: Instant::now(), kind, message });
        match &inner.connection {
            Some(connection) => connection.wake.notify_one(),
            None => self.tallies.stored.add(kind),
        }
        true
    }

    /// Makes this connection the client's, unless a newer one is: a client that registers leaves that connection and opens
    /// another at once, and the older may get here last. A connection that isn't the client's may send, but receives nothing.
    pub fn connect(self: &Arc<Self>, number: u64, parent: &CancellationToken) -> Session {
        let (cut, wake) = (parent.child_token(), Arc::new(Notify::new()));
        let mut inner = lock(&self.inner);
        inner.connections += 1;
        if inner.connection.as_ref().is_none_or(|current| current.number < number) {
            let connection = Connection { number, wake: wake.clone(), cut: cut.clone() };
            if let Some(older) = inner.connection.replace(connection) {
                older.cut.cancel();
            }
        }
        Session { account: self.clone(), key: inner.key.clone(), cut, number, wake }
    }

    /// False if it was not connected.
    pub fn cut(&self) -> bool {
        match lock(&self.inner).connection.take() {
            Some(connection) => {
                connection.cut.cancel();
                true
            }
            None => false,
        }
    }

    /// Discards the packets that wait for the client. Returns how many there were.
    pub fn forget(&self) -> usize {
        let mut inner = lock(&self.inner);
        inner.held.iter().for_each(|held| self.tallies.forgotten.add(held.kind));
        std::mem::take(&mut inner.held).len()
    }

    pub fn counters(&self, gateway: &str) -> ClientCounters {
        let inner = lock(&self.inner);
        ClientCounters {
            identity: self.identity.to_base58_string(),
            gateway: gateway.to_string(),
            connected: inner.connection.is_some(),
            held: inner.held.len() as u64,
            connections: inner.connections,
            ..self.tallies.read()
        }
    }
}

impl Inner {
    fn expire(&mut self, tallies: &ClientTallies, retention: Duration) {
        while self.held.front().is_some_and(|held| held.since.elapsed() >= retention) {
            if let Some(held) = self.held.pop_front() {
                tallies.forgotten.add(held.kind);
            }
        }
    }

    fn is_current(&self, number: u64) -> bool {
        self.connection.as_ref().is_some_and(|current| current.number == number)
    }
}

impl Session {
    /// Waits for the next packet for the client.
    pub async fn next(&self) -> (Kind, Vec<u8>) {
        loop {
            if let Some(held) = self.take() {
                return (held.kind, held.message);
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<Held> {
        let mut inner = lock(&self.account.inner);
        if !inner.is_current(self.number) {
            return None;
        }
        inner.expire(&self.account.tallies, RETENTION);
        inner.held.pop_front()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut inner = lock(&self.account.inner);
        if inner.is_current(self.number) {
            inner.connection = None;
        }
    }
}

/// The accounts of one gateway.
#[derive(Default)]
pub struct Accounts {
    by_id: Mutex<HashMap<ClientId, Arc<Account>>>,
}

impl Accounts {
    pub fn get(&self, id: &ClientId) -> Option<Arc<Account>> {
        lock(&self.by_id).get(id).cloned()
    }

    /// A client that registers again keeps what waits for it. None if there is no room for another client.
    pub fn register(&self, identity: ed25519::PublicKey, key: SharedSymmetricKey) -> Option<Arc<Account>> {
        let key = Arc::new(key);
        let mut by_id = lock(&self.by_id);
        let id = client_id(&identity);
        if let Some(account) = by_id.get(&id) {
            lock(&account.inner).key = key;
            return Some(account.clone());
        }
        if by_id.len() >= MAX_ACCOUNTS {
            return None;
        }
        let account = Arc::new(Account::new(identity, key));
        by_id.insert(id, account.clone());
        Some(account)
    }

    pub fn all(&self) -> Vec<Arc<Account>> {
        lock(&self.by_id).values().cloned().collect()
    }

    pub fn clear(&self) {
        lock(&self.by_id).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::SeedableRng;

    fn account() -> Arc<Account> {
        let mut rng = StdRng::seed_from_u64(1);
        let identity = *ed25519::KeyPair::new(&mut rng).public_key();
        let key = SharedSymmetricKey::try_from_bytes(&[3; 32]).expect("32 bytes are a key");
        Accounts::default().register(identity, key).expect("there is room")
    }

    #[tokio::test]
    async fn packets_wait_for_an_absent_client_in_their_order() {
        let account = account();
        assert!(account.push(Kind::Data, vec![1]) && account.push(Kind::Ack, vec![2]));
        let session = account.connect(1, &CancellationToken::new());
        assert_eq!(session.next().await, (Kind::Data, vec![1]));
        assert_eq!(session.next().await, (Kind::Ack, vec![2]));
        let waiting = tokio::spawn(async move { session.next().await });
        tokio::task::yield_now().await;
        account.push(Kind::Data, vec![3]);
        assert_eq!(waiting.await.expect("no panic"), (Kind::Data, vec![3]));
        assert!(!account.counters("g").connected);
        assert_eq!(account.counters("g").stored.data, 1);
    }

    #[tokio::test]
    async fn only_a_newer_connection_displaces_another() {
        let (account, parent) = (account(), CancellationToken::new());
        let newer = account.connect(2, &parent);
        let older = account.connect(1, &parent);
        assert!(!newer.cut.is_cancelled());
        account.push(Kind::Data, vec![1]);
        assert!(older.take().is_none());
        drop(older);
        assert_eq!(newer.next().await.1, vec![1]);
        let newest = account.connect(3, &parent);
        assert!(newer.cut.is_cancelled() && !newest.cut.is_cancelled());
        drop(newer);
        assert!(account.counters("g").connected, "the end of the old one does not take the new one's place away");
        assert!(account.cut() && newest.cut.is_cancelled() && !account.cut());
    }

    #[test]
    fn the_store_is_bounded_and_can_be_forgotten() {
        let account = account();
        assert!((0..MAX_HELD).all(|_| account.push(Kind::Data, Vec::new())));
        assert!(!account.push(Kind::Data, Vec::new()));
        assert_eq!(account.counters("g").refused.data, 1);
        assert_eq!(account.forget(), MAX_HELD);
        let counters = account.counters("g");
        assert_eq!((counters.held, counters.forgotten.data), (0, MAX_HELD as u64));
    }

    #[test]
    fn what_was_kept_too_long_is_thrown_away() {
        let account = account();
        account.push(Kind::Data, vec![1]);
        let mut inner = lock(&account.inner);
        inner.expire(&account.tallies, Duration::from_secs(60));
        assert_eq!(inner.held.len(), 1);
        inner.expire(&account.tallies, Duration::ZERO);
        assert_eq!(inner.held.len(), 0);
        drop(inner);
        assert_eq!(account.counters("g").forgotten.data, 1);
    }
}
