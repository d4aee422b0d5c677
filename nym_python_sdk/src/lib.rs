//! The Nym mixnet SDK for Python. This crate is the extension module `nym_python_sdk._native`; the public classes, with
//! their documentation, are the Python ones around it.

mod client;
mod config;
mod errors;
mod inbox;
mod local_network;
mod packets;
mod pump;
mod py_client;
mod replies;
mod runtime;
mod storage;
mod unlinked;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tracing_subscriber::EnvFilter;

/// Writes the SDK's own log to standard error. `filter` as in `RUST_LOG`, for instance `"warn,nym_client_core=debug"`.
/// False when the process has a subscriber already.
#[pyfunction]
fn log_to_stderr(filter: &str) -> PyResult<bool> {
    let filter = EnvFilter::try_new(filter).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    Ok(subscriber.try_init().is_ok())
}

/// See `runtime::quiesce`.
#[pyfunction]
fn quiesce(py: Python<'_>) {
    runtime::quiesce(py);
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("MAX_MESSAGE", client::MAX_MESSAGE)?;
    module.add("MAX_SURBS", client::MAX_SURBS)?;
    let surb = packets::surb_bytes().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    module.add("SURB_BYTES", surb)?;
    module.add("PACKET_BYTES", packets::packet_bytes())?;
    module.add("SDK_VERSION", "1.21.6")?;
    module.add_function(wrap_pyfunction!(log_to_stderr, module)?)?;
    module.add_class::<local_network::NativeNetwork>()?;
    module.add_class::<local_network::NativeWebsocket>()?;
    module.add_function(wrap_pyfunction!(quiesce, module)?)?;
    module.add_class::<py_client::NativeClient>()
}
