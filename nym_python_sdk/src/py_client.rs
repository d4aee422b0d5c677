//! The Python face of a client: every wait in two forms, for asyncio and for threads.

use crate::client::{self, Client, End, State, MAX_SURBS};
use crate::config::Config;
use crate::errors::Failure;
use crate::inbox::Received;
use crate::runtime::{awaitable, forked, wait};
use nym_sphinx::addressing::clients::Recipient;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[pyclass(frozen, module = "nym_python_sdk._native")]
pub struct NativeClient {
    client: Arc<Client>,
}

type Message<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);

impl NativeClient {
    /// A forked child has the memory, but not the threads, and must not use the sockets.
    fn here(&self) -> Result<Arc<Client>, Failure> {
        if forked() {
            return Err(Failure::Forked);
        }
        Ok(self.client.clone())
    }

    fn sending(
        &self,
        recipient: &str,
        data: &[u8],
        surbs: Option<u32>,
        fresh_tag: bool,
    ) -> Result<impl Future<Output = Result<(), Failure>> + Send + 'static, Failure> {
        let (client, data) = (self.here()?, client::checked(data)?);
        let to: Recipient = client::recipient(recipient)?;
        if let Some(surbs) = surbs.filter(|surbs| *surbs > MAX_SURBS) {
            return Err(Failure::Message(format!("{surbs} SURBs, and a message may bring {MAX_SURBS}")));
        }
        let unlinked = surbs.filter(|_| fresh_tag);
        if unlinked == Some(0) {
            return Err(Failure::Message("a fresh tag needs a SURB at least: without one it can't be answered".into()));
        }
        Ok(async move {
            match unlinked {
                Some(surbs) => client.send_unlinked(to, data, surbs).await,
                None => client.send(to, data, surbs).await,
            }
        })
    }

    fn replying(
        &self,
        tag: &[u8],
        data: &[u8],
    ) -> Result<impl Future<Output = Result<(), Failure>> + Send + 'static, Failure> {
        let (client, data, tag) = (self.here()?, client::checked(data)?, client::tag(tag)?);
        if data.is_empty() {
            return Err(Failure::Message("an empty reply cannot be decoded by its receiver".into()));
        }
        Ok(async move { client.reply(tag, data).await })
    }
}

#[pymethods]
impl NativeClient {
    #[staticmethod]
    fn connect(py: Python<'_>, config: Config, folder: Option<PathBuf>) -> PyResult<NativeClient> {
        let client = wait(py, client::connect(config, folder))?;
        Ok(NativeClient { client: Arc::new(client) })
    }

    #[staticmethod]
    fn connect_async<'py>(py: Python<'py>, config: Config, folder: Option<PathBuf>) -> PyResult<Bound<'py, PyAny>> {
        awaitable(py, async move {
            let client = client::connect(config, folder).await?;
            Ok(NativeClient { client: Arc::new(client) })
        })
    }

    #[getter]
    fn address(&self) -> &str {
        &self.client.address
    }

    /// `("running" | "closed" | "died", reason)`
    fn state(&self) -> PyResult<(&'static str, String)> {
        Ok(match self.here()?.state() {
            State::Running => ("running", String::new()),
            State::Ending(End::Closed) | State::Ended(End::Closed) => ("closed", String::new()),
            State::Ending(End::Died(reason)) | State::Ended(End::Died(reason)) => ("died", reason),
        })
    }

    /// `(received, dropped, waiting, waiting_bytes)`
    fn counts(&self) -> PyResult<(u64, u64, usize, usize)> {
        let counts = self.here()?.inbox.counts();
        Ok((counts.received, counts.dropped, counts.waiting, counts.waiting_bytes))
    }

    /// See `replies::Replies::given`.
    fn surbs_given(&self) -> PyResult<Vec<f64>> {
        Ok(self.here()?.replies.given())
    }

    /// See `replies::Replies::held`.
    fn surbs_held(&self, tag: &[u8]) -> PyResult<usize> {
        Ok(self.here()?.replies.held(&client::tag(tag)?))
    }

    /// See `replies::Replies::senders`.
    fn senders_held(&self) -> PyResult<usize> {
        Ok(self.here()?.replies.senders())
    }

    #[pyo3(signature = (recipient, data, surbs, fresh_tag = false))]
    fn send(&self, py: Python<'_>, recipient: &str, data: &[u8], surbs: Option<u32>, fresh_tag: bool) -> PyResult<()> {
        wait(py, self.sending(recipient, data, surbs, fresh_tag)?)
    }

    #[pyo3(signature = (recipient, data, surbs, fresh_tag = false))]
    fn send_async<'py>(
        &self,
        py: Python<'py>,
        recipient: &str,
        data: &[u8],
        surbs: Option<u32>,
        fresh_tag: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        awaitable(py, self.sending(recipient, data, surbs, fresh_tag)?)
    }

    fn reply(&self, py: Python<'_>, tag: &[u8], data: &[u8]) -> PyResult<()> {
        wait(py, self.replying(tag, data)?)
    }

    fn reply_async<'py>(&self, py: Python<'py>, tag: &[u8], data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        awaitable(py, self.replying(tag, data)?)
    }

    /// Waits until something can be taken. False: nothing came in time (seconds; None waits forever).
    #[pyo3(signature = (timeout = None))]
    fn ready(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let client = self.here()?;
        let limit = timeout.map(|limit| Duration::try_from_secs_f64(limit.max(0.0)).unwrap_or(Duration::MAX));
        wait(py, async move {
            match limit {
                None => client.ready().await.map(|()| true),
                Some(limit) => match tokio::time::timeout(limit, client.ready()).await {
                    Ok(ready) => ready.map(|()| true),
                    Err(_) => Ok(false),
                },
            }
        })
    }

    fn ready_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.here()?;
        awaitable(py, async move { client.ready().await })
    }

    /// At most `limit` of the waiting messages, as `(data, sender tag or None)`; never waits.
    fn take<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Message<'py>>> {
        let taken = self.here()?.inbox.take(limit);
        let message = |received: Received| {
            let tag = received.tag.map(|tag| PyBytes::new(py, &tag));
            (PyBytes::new(py, &received.data), tag)
        };
        Ok(taken.into_iter().map(message).collect())
    }

    /// Signals the client to end, and does not wait.
    fn end(&self) -> PyResult<()> {
        self.here()?.end();
        Ok(())
    }

    fn disconnect(&self, py: Python<'_>) -> PyResult<()> {
        let client = self.here()?;
        wait(py, async move {
            client.disconnect().await;
            Ok(())
        })
    }

    fn disconnect_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let client = self.here()?;
        awaitable(py, async move {
            client.disconnect().await;
            Ok(())
        })
    }
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        if forked() {
            // Ending it needs locks that another thread may have held when the process forked.
            std::mem::forget(self.client.clone());
        }
    }
}
