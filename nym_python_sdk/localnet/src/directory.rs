//! The part of nym-api that clients ask: which nodes there are, their keys, the epoch. HTTP/1.1 by hyper, JSON.

use crate::config::{HANDSHAKE_LIMIT, MAX_CONNECTIONS};
use crate::shared::Inner;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{json, Value};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The largest request that is accepted; clients send a few hundred bytes, and no body.
const MAX_HEAD: usize = 16 * 1024;

pub async fn listen(network: Arc<Inner>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = network.token.cancelled() => return,
        };
        let (Ok((socket, _)), Ok(permit)) = (accepted, room.clone().try_acquire_owned()) else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let inner = network.clone();
        network.tracker.spawn(async move {
            inner.token.clone().run_until_cancelled(serve(inner, socket)).await;
            drop(permit);
        });
    }
}

async fn serve(network: Arc<Inner>, socket: TcpStream) {
    let service = service_fn(move |request| {
        let answer = answer(&network, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_LIMIT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!("directory: connection ended: {error}");
    }
}

fn answer(network: &Inner, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let (status, body) = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        // Clients may also ask to read a node's description again; nothing here needs that.
        (StatusCode::NOT_FOUND, json!({"message": "only GET is answered"}))
    } else {
        match document(network, uri.path(), uri.query().unwrap_or_default()) {
            Some(document) => (StatusCode::OK, document),
            None => (StatusCode::NOT_FOUND, json!({"message": "no such document"})),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// JSON whatever `output` asks for: clients take it instead of bincode.
fn document(network: &Inner, path: &str, query: &str) -> Option<Value> {
    let page = query.split('&').find_map(|part| part.strip_prefix("page=")).and_then(|page| page.parse().ok());
    let page = page.unwrap_or(0);
    let view = network.view();
    // A base URL that ends with a slash makes two of them.
    match path.trim_start_matches('/').trim_end_matches('/') {
        "v1/epoch/key-rotation-info" => Some(view.key_rotation_info()),
        "v1/nym-nodes/rewarded-set" => Some(view.rewarded_set()),
        "v2/unstable/nym-nodes/skimmed" => Some(view.skimmed(page, true, true)),
        "v2/unstable/nym-nodes/skimmed/mixnodes/active" => Some(view.skimmed(page, false, true)),
        "v2/unstable/nym-nodes/skimmed/entry-gateways" => Some(view.skimmed(page, true, false)),
        "v2/unstable/nym-nodes/semi-skimmed" => Some(view.semi_skimmed(page)),
        "topology.json" => serde_json::to_value(view.topology()).ok(),
        _ => None,
    }
}
