//! What a network saves, so that a later one is the same to clients with a stored identity: seed, ports, calendar and the
//! registrations. Not the packets that wait for clients. The keys in it are a test network's; the file is its owner's alone.

use crate::clock::Clock;
use crate::config::{Config, Error};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
/// 100 bytes for each registration; a larger file was not written by this program.
const MAX_FILE: u64 = 64 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    pub seed: u64,
    gateways: usize,
    mixes_per_layer: usize,
    pub directory_port: u16,
    pub gateway_ports: Vec<u16>,
    pub clock: Clock,
    /// Number of the gateway (0 is the first), the client's identity key, the key that both share; base58.
    pub registrations: Vec<(usize, String, String)>,
}

impl Saved {
    pub fn new(config: &Config, seed: u64, clock: Clock) -> Saved {
        Saved {
            version: VERSION,
            seed,
            gateways: config.gateways,
            mixes_per_layer: config.mixes_per_layer,
            directory_port: 0,
            gateway_ports: Vec::new(),
            clock,
            registrations: Vec::new(),
        }
    }
}

/// The folder is locked: two networks with the same state would take each other's clients.
pub struct Store {
    path: PathBuf,
    _lock: File,
}

impl Store {
    pub fn open(folder: &Path) -> Result<Store, Error> {
        let lock = lock_folder(folder, "network.lock")?;
        Ok(Store { path: folder.join("network.json"), _lock: lock })
    }

    /// None: nothing was saved yet.
    pub fn load(&self, config: &Config) -> Result<Option<Saved>, Error> {
        let name = self.path.display();
        let size = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(name.to_string())(error)),
        };
        if size > MAX_FILE {
            return Err(Error::State(format!("{name} is too large")));
        }
        let text = fs::read(&self.path).map_err(Error::io(name.to_string()))?;
        let saved: Saved = serde_json::from_slice(&text).map_err(|error| Error::State(format!("{name}: {error}")))?;
        let made_for = (saved.version, saved.gateways, saved.mixes_per_layer, saved.gateway_ports.len());
        if made_for != (VERSION, config.gateways, config.mixes_per_layer, config.gateways) {
            return Err(Error::State(format!(
                "{name} is of a network with {} gateways and {} mixes per layer; start that one, or use another folder",
                saved.gateways, saved.mixes_per_layer
            )));
        }
        if config.seed.is_some_and(|seed| seed != saved.seed) {
            return Err(Error::State(format!("{name} is of a network with the seed {}", saved.seed)));
        }
        if !saved.clock.has_periods(config.epoch, config.rotation_epochs) {
            return Err(Error::State(format!("{name} is of a network with other epochs")));
        }
        Ok(Some(saved))
    }

    /// Replaces what was saved; it is on disk when this returns.
    pub fn save(&self, saved: &Saved) -> Result<(), Error> {
        let write = || {
            let part = self.path.with_extension("json.part");
            let mut file = private().truncate(true).open(&part)?;
            file.write_all(serde_json::to_string(saved)?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, &self.path)?;
            self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().map_err(Error::io(self.path.display().to_string()))
    }
}

/// Makes the folder if needed, and locks it for as long as the returned file lives.
pub fn lock_folder(folder: &Path, name: &str) -> Result<File, Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
    let path = folder.join(name);
    let file = private().open(&path).map_err(Error::io(path.display().to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::State(format!("{} is in use already", folder.display()))),
        Err(fs::TryLockError::Error(error)) => Err(Error::io(path.display().to_string())(error)),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_again_and_belongs_to_one_network() {
        let folder = std::env::temp_dir().join(format!("nym-local-network-state-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let config = Config::default();
        let store = Store::open(&folder).expect("a new folder");
        assert!(store.load(&config).expect("nothing there").is_none());
        let clock = Clock::new(5, config.epoch, config.rotation_epochs);
        let mut saved = Saved::new(&config, 9, clock);
        saved.gateway_ports = vec![1, 2];
        saved.registrations.push((1, "client".into(), "key".into()));
        store.save(&saved).expect("saved");
        let back = store.load(&config).expect("valid").expect("there");
        assert_eq!((back.seed, back.clock, &back.registrations), (9, clock, &saved.registrations));

        assert!(matches!(Store::open(&folder), Err(Error::State(_))), "locked");
        for other in [Config { gateways: 3, ..config.clone() }, Config { seed: Some(8), ..config.clone() }] {
            assert!(matches!(store.load(&other), Err(Error::State(_))), "{other:?}");
        }
        fs::write(folder.join("network.json"), "{").expect("writable");
        assert!(matches!(store.load(&config), Err(Error::State(_))));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
