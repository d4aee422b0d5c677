//! One Tokio runtime for the process, and the only two ways Python waits for it.

use crate::errors::Failure;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Worker threads. The SDK's work per client is small (Sphinx packets at tens to hundreds a second) and the Python
/// program needs cores too.
const MAX_WORKERS: usize = 4;
/// Threads for blocking calls (file access of the stores); they end when idle.
const MAX_BLOCKING: usize = 8;
/// How often a blocked main thread looks for Ctrl-C: a person does not notice a tenth of a second.
const SIGNAL_POLL: Duration = Duration::from_millis(100);
/// Name of every worker; the panic hook knows them by it. Linux shows 15 characters of a thread's name.
const WORKER_NAME: &str = "nym-python-sdk";
const BRIDGE_NAME: &str = "nym-asyncio";
/// How long the end of the interpreter waits for tasks that were asked to end: they need microseconds.
const QUIESCE_LIMIT: Duration = Duration::from_secs(5);

struct Started {
    pid: u32,
    /// Runs the clients. No thread of it ever touches the interpreter.
    runtime: Runtime,
    /// Runs what asyncio awaits, on one thread. Only tasks of it hold Python objects, so that the interpreter
    /// can wait for them at its end: attaching to an interpreter that is shutting down is a crash.
    bridge: Runtime,
    ending: CancellationToken,
}

static STARTED: OnceLock<Result<Started, String>> = OnceLock::new();
/// Counts panics on the workers; every living client watches it (see `panics`).
static PANICS: AtomicUsize = AtomicUsize::new(0);
type Waker = dyn Fn() + Send + Sync;
static ON_PANIC: Mutex<Vec<Weak<Waker>>> = Mutex::new(Vec::new());

fn start() -> Result<Started, String> {
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, MAX_WORKERS))
        .max_blocking_threads(MAX_BLOCKING)
        .thread_name(WORKER_NAME)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads for the Nym client: {error}"))?;
    let bridge = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1) // see quiesce
        .thread_name(BRIDGE_NAME)
        .enable_all()
        .build()
        .map_err(|error| format!("no thread for asyncio: {error}"))?;
    watch_panics();
    Ok(Started { pid: std::process::id(), runtime, bridge, ending: CancellationToken::new() })
}

/// The call is refused in a forked child: threads and sockets do not survive a fork.
fn started() -> Result<&'static Started, Failure> {
    match STARTED.get_or_init(start) {
        Err(reason) => Err(Failure::Other(reason.clone())),
        Ok(started) if started.pid == std::process::id() => Ok(started),
        Ok(_) => Err(Failure::Forked),
    }
}

/// The runtime, started at the first call.
pub fn runtime() -> Result<&'static Runtime, Failure> {
    Ok(&started()?.runtime)
}

/// True in a child that was forked after the runtime had started.
pub fn forked() -> bool {
    matches!(STARTED.get(), Some(Ok(started)) if started.pid != std::process::id())
}

pub fn handle() -> PyResult<&'static Runtime> {
    Ok(runtime()?)
}

/// Waits on this thread with the GIL released; Ctrl-C raises KeyboardInterrupt and drops the future.
pub fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = Result<T, Failure>> + Send) -> PyResult<T> {
    let runtime = handle()?;
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(PyRuntimeError::new_err("a blocking call on one of the client's own threads would never end"));
    }
    let mut future = Box::pin(future);
    loop {
        let done =
            py.detach(|| runtime.block_on(async { tokio::time::timeout(SIGNAL_POLL, future.as_mut()).await.ok() }));
        if let Some(result) = done {
            return Ok(result?);
        }
        py.check_signals()?;
    }
}

/// An awaitable of the running asyncio loop. Cancelling it drops the future.
pub fn awaitable<'py, T>(
    py: Python<'py>,
    future: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'a> IntoPyObject<'a> + Send + 'static,
{
    let started = started()?;
    // An error only means that it was set already.
    let _ = pyo3_async_runtimes::tokio::init_with_runtime(&started.bridge);
    if started.ending.is_cancelled() {
        return Err(PyRuntimeError::new_err("the interpreter is ending"));
    }
    pyo3_async_runtimes::tokio::future_into_py(py, async move {
        tokio::select! {
            result = future => Ok(result?),
            () = started.ending.cancelled() => Err(Failure::Closed.into()),
        }
    })
}

/// Ends everything that asyncio still awaits, and waits until no task holds a Python object any more. The interpreter calls
/// it at its end, when nothing can be awaited any more.
pub fn quiesce(py: Python<'_>) {
    let Some(Ok(started)) = STARTED.get() else { return };
    if started.pid != std::process::id() {
        return;
    }
    started.ending.cancel();
    py.detach(|| {
        let limit = Instant::now() + QUIESCE_LIMIT;
        while started.bridge.metrics().num_alive_tasks() > 0 && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Results are passed to the interpreter on the one thread for blocking calls, in the order of their tasks: when
        // this call has run, all earlier ones have run.
        let last = started.bridge.spawn_blocking(|| {});
        let _ = started.bridge.block_on(async { tokio::time::timeout(QUIESCE_LIMIT, last).await });
    });
}

/// How many panics the workers have had so far.
pub fn panics() -> usize {
    PANICS.load(Ordering::Relaxed)
}

/// Calls `wake` at every later panic of a worker, for as long as the returned value lives.
pub fn on_panic(wake: Arc<Waker>) -> Arc<Waker> {
    if let Ok(mut hooks) = ON_PANIC.lock() {
        hooks.retain(|hook| hook.strong_count() > 0);
        hooks.push(Arc::downgrade(&wake));
    }
    wake
}

/// When a task of the SDK panics, its client stays half alive, and nothing reports it. The SDK's own remedy adds a
/// panic hook to the whole process for every client. This one is a single hook, and counts the workers' panics only.
fn watch_panics() {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        earlier(info);
        if std::thread::current().name() == Some(WORKER_NAME) {
            PANICS.fetch_add(1, Ordering::Relaxed);
            // try_lock: the code that panicked may hold this lock.
            if let Ok(hooks) = ON_PANIC.try_lock() {
                hooks.iter().filter_map(Weak::upgrade).for_each(|wake| wake());
            }
        }
    }));
}
