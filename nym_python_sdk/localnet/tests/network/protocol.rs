//! The gateways and the directory, used by programs that are not the SDK's client: odd, wrong or hostile.

use crate::support::{at, network, peer, until};
use futures::{SinkExt, StreamExt};
use nym_local_network::LocalNetwork;
use serde_json::{json, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// Sends raw bytes, and returns all that comes back; nothing if no one listens.
async fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    // A reset, even before the first byte, is an answer too.
    if let Ok(mut socket) = TcpStream::connect(address).await {
        let _ = socket.write_all(bytes).await;
        let _ = socket.read_to_end(&mut answer).await;
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn host(network: &LocalNetwork) -> String {
    network.directory_url().trim_start_matches("http://").trim_end_matches('/').to_string()
}

async fn get(network: &LocalNetwork, target: &str) -> (u16, Value) {
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answer = exchange(&host(network), request.as_bytes()).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).expect("a body");
    (status, serde_json::from_str(body).expect("JSON"))
}

fn gateway_address(network: &LocalNetwork, number: usize) -> String {
    let topology: Value = serde_json::from_str(&network.topology_json().expect("a topology")).expect("JSON");
    let port = &topology["node_details"][(number + 1).to_string()]["entry"]["clients_ws_port"];
    format!("127.0.0.1:{port}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_answers_what_clients_ask() {
    let network = network().await;
    let (status, rotation) = get(&network, "/v1/epoch/key-rotation-info").await;
    assert_eq!((status, &rotation["progress"]["current_key_rotation_id"]), (200, &json!(1)));
    assert_eq!(rotation["current_absolute_epoch_id"], 24);

    let (_, rewarded) = get(&network, "//v1/nym-nodes/rewarded-set?x=y").await;
    assert_eq!((&rewarded["entry_gateways"], &rewarded["layer3"]), (&json!([1, 2]), &json!([7, 8])));
    assert_eq!(rewarded["epoch_id"], 24);

    for (path, count) in
        [("skimmed", 8), ("skimmed/mixnodes/active", 6), ("skimmed/entry-gateways", 2), ("semi-skimmed", 8)]
    {
        let (status, first) = get(&network, &format!("/v2/unstable/nym-nodes/{path}?page=0&output=bincode")).await;
        let nodes = &first["nodes"];
        assert_eq!((status, nodes["data"].as_array().map(Vec::len)), (200, Some(count)), "{path}");
        assert_eq!((&nodes["pagination"]["total"], &first["metadata"]["rotation_id"]), (&json!(count), &json!(1)));
        let (_, second) = get(&network, &format!("/v2/unstable/nym-nodes/{path}?page=1")).await;
        assert_eq!(second["nodes"]["data"], json!([]), "{path}");
    }
    let (_, nodes) = get(&network, "/v2/unstable/nym-nodes/semi-skimmed").await;
    let key = nodes["nodes"]["data"][0]["basic"]["x25519_sphinx_pubkey"].clone();
    let before = network.rotate_keys().await.expect("rotated");
    let (_, nodes) = get(&network, "/v2/unstable/nym-nodes/semi-skimmed").await;
    assert_ne!(nodes["nodes"]["data"][0]["basic"]["x25519_sphinx_pubkey"], key);
    assert_eq!((nodes["metadata"]["rotation_id"].clone(), before), (json!(2), 2));
    assert_eq!(nodes["metadata"]["absolute_epoch_id"], 48);

    let (_, topology) = get(&network, "/topology.json").await;
    let mut file: Value = serde_json::from_str(&network.topology_json().expect("a topology")).expect("JSON");
    file["metadata"]["refreshed_at"] = topology["metadata"]["refreshed_at"].clone();
    assert_eq!(topology["node_details"], file["node_details"]);
    assert_eq!(get(&network, "/v1/nym-nodes/described").await.0, 404);
    assert_eq!(get(&network, "/").await.0, 404);
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_harms_neither_directory_nor_gateways() {
    let network = network().await;
    let post =
        b"POST /v1/nym-nodes/refresh-described HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    assert!(exchange(&host(&network), post).await.starts_with("HTTP/1.1 404"));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let mut nonsense = vec![b"\x00\xff\x00\xff\r\n\r\n".to_vec(), b"GET\r\n\r\n".to_vec(), long.into_bytes()];
    nonsense.push(b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n".to_vec());
    let gateway = gateway_address(&network, 0);
    for bytes in nonsense {
        exchange(&host(&network), &bytes).await;
        exchange(&gateway, &bytes).await;
    }
    drop(TcpStream::connect(&gateway).await.expect("a bare connection"));
    let (mut alice, bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    bob.plain(alice.address(), b"all is well").await;
    assert_eq!(alice.receive_data().await, b"all is well");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_refuse_what_they_cannot_verify() {
    let network = network().await;
    let url = format!("ws://{}", gateway_address(&network, 0));
    let unverified = json!({
        "type": "authenticateV2", "protocolVersion": 6,
        "clientIdentity": network.gateways()[1], "addressCiphertext": "AAAA", "nonce": "AAAA",
        "requestUnixTimestamp": 1, "requestSignature": "1".repeat(64),
    });
    let short_handshake = json!({"type": "registerHandshakeInitRequest", "protocol_version": 6, "data": [1, 2, 3]});
    let bad = [
        Message::Text("nonsense".into()),
        Message::Text("{}".into()),
        Message::Text(json!({"type": "claimFreeTestnetBandwidth"}).to_string()),
        Message::Text(unverified.to_string()),
        Message::Text(short_handshake.to_string()),
        Message::Binary(vec![0; 100]),
        Message::Binary(vec![0; 300_000]),
    ];
    for message in bad {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.expect("connects");
        let what = format!("{message:?}");
        // The gateway may have hung up before all was sent.
        let _ = socket.send(message).await;
        while let Some(Ok(answer)) = socket.next().await {
            assert!(!answer.to_string().contains("\"status\":true"), "{what:.60}: {answer}");
        }
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.expect("connects");
    socket.send(Message::Text(json!({"type": "supportedProtocol"}).to_string())).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message").to_string();
    assert_eq!(serde_json::from_str::<Value>(&answer).expect("JSON")["version"], 6);
    drop(socket);
    let counters = network.counters();
    assert!(counters.clients.is_empty() && counters.hops.iter().all(|hop| hop.injected.data == 0));
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_gateway_resets_connections_and_keeps_its_port() {
    let network = network().await;
    let address = gateway_address(&network, 0);
    let client = peer(&network, at(&network, 0)).await;
    network.stop_gateway("gateway-1").expect("known");
    until("its connection is cut", || !network.counters().clients[0].connected).await;
    assert_eq!(exchange(&address, b"").await, "");
    assert!(tokio_tungstenite::connect_async(format!("ws://{address}")).await.is_err());
    network.start_gateway("gateway-1", true, true).await.expect("known");
    assert!(tokio_tungstenite::connect_async(format!("ws://{address}")).await.is_ok());
    client.disconnect().await;
    network.close().await;
    assert!(TcpStream::connect(&address).await.is_err(), "the port is free");
}
