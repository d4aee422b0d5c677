//! The Python face of the local network. The public classes are those of `nym_python_sdk.testing`.

use crate::errors::Failure;
use crate::runtime::{awaitable, forked, wait};
use nym_local_network::{
    ClientSettings, Config, Error, Kind, Kinds, LocalNetwork, Target, Traffic, WebsocketClient, WebsocketSettings,
};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn failure(error: Error) -> Failure {
    match error {
        Error::Config(_) | Error::NoSuchNode(_) | Error::NoSuchClient(_) => Failure::Config(error.to_string()),
        Error::State(_) => Failure::Storage(error.to_string()),
        Error::Client(error) => Failure::from(*error),
        Error::Io { .. } | Error::Closed => Failure::Other(error.to_string()),
    }
}

fn seconds(name: &str, value: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value).map_err(|error| Failure::Config(format!("{name} = {value}: {error}")))
}

/// A value that a forked child may neither use nor drop: threads that exist only in the parent may hold its locks.
struct Here<T>(Option<Arc<T>>);

impl<T> Here<T> {
    fn new(value: T) -> Here<T> {
        Here(Some(Arc::new(value)))
    }

    fn get(&self) -> Result<Arc<T>, Failure> {
        match &self.0 {
            Some(value) if !forked() => Ok(value.clone()),
            _ => Err(Failure::Forked),
        }
    }
}

impl<T> Drop for Here<T> {
    fn drop(&mut self) {
        if forked() {
            std::mem::forget(self.0.take());
        }
    }
}

#[pyclass(frozen, module = "nym_python_sdk._native")]
pub struct NativeNetwork {
    network: Here<LocalNetwork>,
}

#[pymethods]
impl NativeNetwork {
    #[staticmethod]
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (*, gateways, mixes_per_layer, seed, delay_scale, epoch, rotation_epochs, directory_port, state))]
    fn start(
        py: Python<'_>,
        gateways: usize,
        mixes_per_layer: usize,
        seed: Option<u64>,
        delay_scale: f64,
        epoch: f64,
        rotation_epochs: u32,
        directory_port: u16,
        state: Option<PathBuf>,
    ) -> PyResult<NativeNetwork> {
        let epoch = seconds("epoch", epoch)?;
        let config =
            Config { gateways, mixes_per_layer, seed, delay_scale, epoch, rotation_epochs, directory_port, state };
        let network = wait(py, async { LocalNetwork::start(config).await.map_err(failure) })?;
        Ok(NativeNetwork { network: Here::new(network) })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let network = self.network.get()?;
        wait(py, async {
            network.close().await;
            Ok(())
        })
    }

    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let network = self.network.get()?;
        awaitable(py, async move {
            network.close().await;
            Ok(())
        })
    }

    #[getter]
    fn seed(&self) -> PyResult<u64> {
        Ok(self.network.get()?.seed())
    }

    #[getter]
    fn gateways(&self) -> PyResult<Vec<String>> {
        Ok(self.network.get()?.gateways())
    }

    #[getter]
    fn directory_url(&self) -> PyResult<String> {
        Ok(self.network.get()?.directory_url())
    }

    #[getter]
    fn rotation_id(&self) -> PyResult<u32> {
        Ok(self.network.get()?.rotation_id())
    }

    #[getter]
    fn drops_left(&self) -> PyResult<u64> {
        Ok(self.network.get()?.drops_left())
    }

    fn topology_json(&self) -> PyResult<String> {
        Ok(self.network.get()?.topology_json().map_err(failure)?)
    }

    fn set_loss(&self, probability: f64, hops: &str, packets: &str) -> PyResult<()> {
        let kinds: Kinds = packets.parse().map_err(failure)?;
        Ok(self.network.get()?.set_loss(&Target::from(hops), kinds, probability).map_err(failure)?)
    }

    fn set_delay(&self, delay: f64, jitter: f64, hops: &str, packets: &str) -> PyResult<()> {
        let kinds: Kinds = packets.parse().map_err(failure)?;
        let (delay, jitter) = (seconds("delay", delay)?, seconds("jitter", jitter)?);
        Ok(self.network.get()?.set_delay(&Target::from(hops), kinds, delay, jitter).map_err(failure)?)
    }

    fn drop_next(&self, acks: bool, count: u32, client: Option<&str>) -> PyResult<()> {
        let kind = if acks { Kind::Ack } else { Kind::Data };
        Ok(self.network.get()?.drop_next(kind, count, client).map_err(failure)?)
    }

    fn clear_faults(&self) -> PyResult<()> {
        self.network.get()?.clear_faults();
        Ok(())
    }

    fn stop_gateway(&self, gateway: &str) -> PyResult<()> {
        Ok(self.network.get()?.stop_gateway(gateway).map_err(failure)?)
    }

    fn start_gateway(&self, py: Python<'_>, gateway: &str, registrations: bool, packets: bool) -> PyResult<()> {
        let network = self.network.get()?;
        wait(py, async { network.start_gateway(gateway, registrations, packets).await.map_err(failure) })
    }

    fn forget_packets(&self, gateway: &str) -> PyResult<usize> {
        Ok(self.network.get()?.forget_packets(gateway).map_err(failure)?)
    }

    fn cut_client(&self, address: &str) -> PyResult<bool> {
        Ok(self.network.get()?.cut_client(address).map_err(failure)?)
    }

    fn rotate_keys(&self, py: Python<'_>) -> PyResult<u32> {
        let network = self.network.get()?;
        wait(py, async { network.rotate_keys().await.map_err(failure) })
    }

    fn retire_old_keys(&self, py: Python<'_>) -> PyResult<()> {
        let network = self.network.get()?;
        wait(py, async { network.retire_old_keys().await.map_err(failure) })
    }

    /// JSON of `Counters`.
    fn counters(&self) -> PyResult<String> {
        let counters = self.network.get()?.counters();
        Ok(serde_json::to_string(&counters).map_err(|error| Failure::Other(error.to_string()))?)
    }

    fn reset_counters(&self) -> PyResult<()> {
        self.network.get()?.reset_counters();
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (*, traffic, surbs_withheld, topology_refresh, gateway, storage, port))]
    fn serve_websocket(
        &self,
        py: Python<'_>,
        traffic: &str,
        surbs_withheld: usize,
        topology_refresh: f64,
        gateway: Option<String>,
        storage: Option<PathBuf>,
        port: u16,
    ) -> PyResult<NativeWebsocket> {
        let traffic = match traffic {
            "fast" => Traffic::Fast,
            "no-cover" => Traffic::NoCover,
            "default" => Traffic::Default,
            _ => {
                let reason = format!("traffic = {traffic:?}: must be \"fast\", \"no-cover\" or \"default\"");
                return Err(Failure::Config(reason).into());
            }
        };
        let topology_refresh = seconds("topology_refresh", topology_refresh)?;
        let client = ClientSettings { traffic, surbs_withheld, topology_refresh, gateway, storage };
        let network = self.network.get()?;
        let settings = WebsocketSettings { client, port };
        let websocket = wait(py, async { network.serve_websocket(settings).await.map_err(failure) })?;
        Ok(NativeWebsocket { websocket: Here::new(websocket) })
    }
}

#[pyclass(frozen, module = "nym_python_sdk._native")]
pub struct NativeWebsocket {
    websocket: Here<WebsocketClient>,
}

#[pymethods]
impl NativeWebsocket {
    #[getter]
    fn url(&self) -> PyResult<String> {
        Ok(self.websocket.get()?.url())
    }

    #[getter]
    fn address(&self) -> PyResult<String> {
        Ok(self.websocket.get()?.address.to_string())
    }

    /// JSON of `WebsocketStatus`.
    fn status(&self) -> PyResult<String> {
        let status = self.websocket.get()?.status();
        Ok(serde_json::to_string(&status).map_err(|error| Failure::Other(error.to_string()))?)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let websocket = self.websocket.get()?;
        wait(py, async {
            websocket.close().await;
            Ok(())
        })
    }

    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let websocket = self.websocket.get()?;
        awaitable(py, async move {
            websocket.close().await;
            Ok(())
        })
    }
}
