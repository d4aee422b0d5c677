//! The folder where a client's identity and SURBs live; one client at a time may use it.

use crate::errors::Failure;
use nym_client_core::client::base_client::storage::helpers::get_all_registered_identities;
use nym_client_core::client::base_client::storage::OnDiskPersistent;
use nym_client_core::client::key_manager::persistence::KeyStore;
use nym_sdk::mixnet::{MixnetClientStorage, StoragePaths};
use nym_sdk::DebugConfig;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const LOCK_FILE: &str = "nym_python_sdk.lock";

fn refused(what: &str, path: &Path, error: std::io::Error) -> Failure {
    Failure::Storage(format!("{what} {}: {error}", path.display()))
}

/// Locks the folder. Makes it, and its parents, readable by its owner only. The lock ends with the returned file.
pub fn lock(folder: &Path) -> Result<File, Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refused("cannot make the folder", folder, error))?;
    // The keys inside are written with the process's umask: the folder's own mode is what protects them.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
        .map_err(|error| refused("cannot make private the folder", folder, error))?;
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| refused("cannot open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::Storage(format!(
            "another client uses {}: one identity can be connected once only",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused("cannot lock", &path, error)),
    }
}

/// Opens the folder's stores with the configured SURB thresholds (the SDK's default call ignores them).
///
/// The SDK replaces keys that it cannot read by new ones. If the old keys were registered with a gateway, other people
/// may know their address. So they are left as they are, and opening is refused.
pub async fn open(folder: &Path, debug: &DebugConfig) -> Result<OnDiskPersistent, Failure> {
    let paths = StoragePaths::new_from_dir(folder)?;
    let storage = paths.initialise_persistent_storage(debug).await?;
    let registered = get_all_registered_identities(storage.gateway_details_store())
        .await
        .map_err(|error| Failure::Storage(format!("the gateways' registrations cannot be read: {error}")))?;
    if !registered.is_empty() {
        storage.key_store().load_keys().await.map_err(|error| {
            Failure::Storage(format!("the keys in {} cannot be read ({error}); nothing was changed", folder.display()))
        })?;
    }
    Ok(storage)
}
