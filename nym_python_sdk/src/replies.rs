//! The SDK's account of reply SURBs: those that a client gave, and those that it holds.
//!
//! The SDK asks its storage for its account once, when it connects, and works on it from then on; every clone of it is the
//! same one. So a storage that keeps a clone when it gives the account to the SDK can always read it, and change it.

use async_trait::async_trait;
use nym_client_core::client::base_client::storage::MixnetClientStorage;
use nym_client_core::client::replies::reply_storage::{CombinedReplyStorage, ReplyStorageBackend};
use nym_sdk::mixnet::AnonymousSenderTag;
use nym_sphinx::anonymous_replies::{ReplySurbWithKeyRotation, SurbEncryptionKey};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use time::OffsetDateTime;

/// The SDK's account, from the moment at which it has one.
#[derive(Clone, Default)]
pub struct Replies(Arc<OnceLock<CombinedReplyStorage>>);

impl Replies {
    /// Ages in seconds of the SURBs that this client gave, to anyone, and over which no packet has come back.
    pub fn given(&self) -> Vec<f64> {
        let now = OffsetDateTime::now_utc();
        let Some(account) = self.0.get() else { return Vec::new() };
        let keys = account.key_storage_ref().as_raw_iter();
        keys.map(|key| (now - key.value().sent_at).as_seconds_f64().max(0.0)).collect()
    }

    /// SURBs of that sender which this client holds, with those that it withholds.
    pub fn held(&self, sender: &AnonymousSenderTag) -> usize {
        self.0.get().map_or(0, |account| account.surbs_storage_ref().available_surbs(sender))
    }

    /// Lets the SDK read what comes over SURBs with these keys.
    pub fn give(&self, keys: Vec<SurbEncryptionKey>) {
        if let Some(account) = self.0.get() {
            account.key_storage_ref().insert_multiple(keys);
        }
    }

    /// How many of a sender's SURBs the SDK never answers with.
    pub fn withheld(&self) -> usize {
        self.0.get().map_or(0, |account| account.surbs_storage_ref().min_surb_threshold())
    }

    /// Lets the SDK answer a new sender. It counts on `expected` more, and asks for none as long as they suffice.
    pub fn hold(&self, sender: &AnonymousSenderTag, surbs: Vec<ReplySurbWithKeyRotation>, expected: u32) {
        if let Some(account) = self.0.get() {
            account.surbs_storage_ref().insert_fresh_surbs(sender, surbs);
            account.surbs_storage_ref().increment_pending_reception(sender, expected);
        }
    }

    /// Throws away the SURBs of these senders, whom the SDK can't answer any more.
    pub fn forget(&self, senders: &HashSet<AnonymousSenderTag>) {
        if let (Some(account), false) = (self.0.get(), senders.is_empty()) {
            account.surbs_storage_ref().retain(|sender, _| !senders.contains(sender));
        }
    }

    /// Senders whose SURBs this client holds.
    pub fn senders(&self) -> usize {
        self.0.get().map_or(0, |account| account.surbs_storage_ref().as_raw_iter().count())
    }
}

/// A storage like `S`, whose account of SURBs can be read and changed.
#[derive(Clone)]
pub struct Watched<S: MixnetClientStorage> {
    storage: S,
    backend: WatchedBackend<S::ReplyStore>,
}

impl<S: MixnetClientStorage> Watched<S>
where
    S::ReplyStore: Clone,
{
    pub fn new(storage: S, replies: Replies) -> Watched<S> {
        let backend = WatchedBackend { backend: storage.reply_store().clone(), replies };
        Watched { storage, backend }
    }
}

impl<S: MixnetClientStorage> MixnetClientStorage for Watched<S> {
    type KeyStore = S::KeyStore;
    type ReplyStore = WatchedBackend<S::ReplyStore>;
    type CredentialStore = S::CredentialStore;
    type GatewaysDetailsStore = S::GatewaysDetailsStore;

    fn into_runtime_stores(self) -> (Self::ReplyStore, S::CredentialStore, S::GatewaysDetailsStore) {
        let (_, credentials, gateways) = self.storage.into_runtime_stores();
        (self.backend, credentials, gateways)
    }

    fn key_store(&self) -> &S::KeyStore {
        self.storage.key_store()
    }

    fn reply_store(&self) -> &Self::ReplyStore {
        &self.backend
    }

    fn credential_store(&self) -> &S::CredentialStore {
        self.storage.credential_store()
    }

    fn gateway_details_store(&self) -> &S::GatewaysDetailsStore {
        self.storage.gateway_details_store()
    }
}

#[derive(Clone)]
pub struct WatchedBackend<B> {
    backend: B,
    replies: Replies,
}

#[async_trait]
impl<B: ReplyStorageBackend> ReplyStorageBackend for WatchedBackend<B> {
    type StorageError = B::StorageError;

    async fn start_storage_session(&self) -> Result<(), Self::StorageError> {
        self.backend.start_storage_session().await
    }

    async fn flush_surb_storage(&mut self, storage: &CombinedReplyStorage) -> Result<(), Self::StorageError> {
        self.backend.flush_surb_storage(storage).await
    }

    async fn init_fresh(&mut self, fresh: &CombinedReplyStorage) -> Result<(), Self::StorageError> {
        self.backend.init_fresh(fresh).await
    }

    async fn load_surb_storage(&self, cutoff: OffsetDateTime) -> Result<CombinedReplyStorage, Self::StorageError> {
        let account = self.backend.load_surb_storage(cutoff).await?;
        // One client loads its account once. If there were a second one, the first would still be read.
        let _ = self.replies.0.set(account.clone());
        Ok(account)
    }

    async fn stop_storage_session(self) -> Result<(), Self::StorageError> {
        self.backend.stop_storage_session().await
    }
}
