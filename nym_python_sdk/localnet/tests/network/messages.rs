//! Messages between real clients of the SDK, which know nothing but the directory's URL.

use crate::support::{at, network, peer, quiet, received, start, Folder};
use nym_local_network::{ClientSettings, Config, Traffic};
use nym_sdk::mixnet::MixnetMessageSender;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_anonymous_and_reply_between_gateways() {
    let network = network().await;
    let (mut alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    assert_ne!(alice.address().gateway(), bob.address().gateway());

    alice.plain(bob.address(), b"plain").await;
    let message = bob.receive().await;
    assert_eq!((message.message.as_slice(), message.sender_tag), (b"plain".as_slice(), None));

    alice.anonymous(bob.address(), b"anonymous", 2).await;
    let message = bob.receive().await;
    assert_eq!(message.message, b"anonymous");
    let tag = message.sender_tag.expect("it carries SURBs");
    bob.reply(tag, b"reply").await;
    let reply = alice.receive().await;
    assert_eq!((reply.message.as_slice(), reply.sender_tag), (b"reply".as_slice(), None));

    let large: Vec<u8> = (0..200_000u32).map(|i| (i * 7) as u8).collect();
    bob.plain(alice.address(), &large).await;
    assert_eq!(alice.receive_data().await, large);
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

/// Packets of a message of B bytes, as Nym packs them: 1604 B usable in each; a SURB is 460 B.
fn packets(bytes: usize) -> u64 {
    bytes.div_ceil(1604) as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hop_sees_as_many_packets_as_the_message_needs() {
    let network = network().await;
    let (mut alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    let (a, b) = (alice.address(), bob.address());
    bob.anonymous(a, b"SURBs for the replies below", 60).await;
    let tag = alice.receive().await.sender_tag.expect("a tag");
    quiet(&network).await;

    for bytes in [1, 1121, 1122, 1581, 1582, 1600, 1601, 1602, 1603, 3206, 3207, 20_000] {
        for (kind, surbs) in [("plain", 0), ("anonymous", 0), ("anonymous", 1), ("anonymous", 3), ("reply", 0)] {
            network.reset_counters();
            let data = vec![7; bytes];
            let expected = match kind {
                "plain" => {
                    alice.plain(b, &data).await;
                    packets(bytes + 2)
                }
                "anonymous" => {
                    alice.anonymous(b, &data, surbs).await;
                    packets(bytes + 23 + 460 * surbs as usize)
                }
                _ => {
                    alice.reply(tag, &data).await;
                    packets(bytes + 3)
                }
            };
            assert_eq!(bob.receive().await.message.len(), bytes);
            quiet(&network).await;
            let what = format!("{kind} with {surbs} SURBs of {bytes} B");
            for layer in [1, 2, 3, 0] {
                let seen = received(&network, layer);
                assert_eq!((seen.data, seen.acks), (expected, expected), "{what}, layer {layer}");
            }
            let counters = network.counters();
            let of = |address: &nym_sdk::mixnet::Recipient| {
                let identity = address.identity().to_base58_string();
                counters.clients.iter().find(|client| client.identity == identity).cloned().expect("registered")
            };
            assert_eq!(of(&a).injected.data, expected, "{what}");
            assert_eq!((of(&a).delivered.acks, of(&b).delivered.data), (expected, expected), "{what}");
            assert!(counters.hops.iter().all(|hop| (hop.undecodable, hop.refused, hop.dropped) == Default::default()));
        }
        // Replies took SURBs; more come with the next message.
        bob.anonymous(a, b"more", 20).await;
        alice.receive().await;
        quiet(&network).await;
    }
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_clients_packets_wait_for_it() {
    let folder = Folder::new("absent");
    let network = network().await;
    let stored = ClientSettings { storage: Some(folder.path("bob")), ..at(&network, 1) };
    let mut alice = peer(&network, at(&network, 0)).await;
    let bob = peer(&network, stored.clone()).await;
    let address = bob.address();
    bob.disconnect().await;
    for number in 0..20u8 {
        alice.plain(address, [number]).await;
    }
    quiet(&network).await;
    let waiting: u64 = network.counters().clients.iter().map(|client| client.held).sum();
    assert_eq!(waiting, 20);

    let mut bob = peer(&network, stored).await;
    assert_eq!(bob.address(), address);
    let mut numbers = BTreeSet::new();
    while numbers.len() < 20 {
        numbers.insert(bob.receive_data().await[0]);
    }
    bob.plain(alice.address(), b"back").await;
    assert_eq!(alice.receive_data().await, b"back");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_wait_their_own_delays_times_the_scale() {
    let network = start(Config { seed: Some(1), delay_scale: 10.0, ..Config::default() }).await;
    let slow = ClientSettings { traffic: Traffic::NoCover, ..at(&network, 0) };
    let (alice, mut bob) = (peer(&network, slow).await, peer(&network, at(&network, 1)).await);
    let begin = Instant::now();
    let count = 20;
    for _ in 0..count {
        alice.plain(bob.address(), b"slow").await;
    }
    let mut sum = Duration::ZERO;
    for _ in 0..count {
        bob.receive().await;
        sum += begin.elapsed();
    }
    // Three waits of 150 ms on average: the mean of 20 is below half of that once in a million runs.
    assert!(sum / count > Duration::from_millis(225), "{:?}", sum / count);
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_cover_traffic_gets_its_cover_back() {
    let network = network().await;
    let cover = ClientSettings { traffic: Traffic::Default, ..at(&network, 0) };
    let client = peer(&network, cover).await;
    crate::support::until("cover packets come", || network.counters().clients[0].delivered.data >= 10).await;
    let counters = network.counters();
    assert!(counters.hops.iter().all(|hop| (hop.undecodable, hop.refused) == Default::default()));
    client.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_in_one_process() {
    let network = network().await;
    let begin = Instant::now();
    let mut peers = Vec::new();
    for number in 0..50 {
        peers.push(peer(&network, at(&network, number % 2)).await);
    }
    println!("50 clients connected in {:?}", begin.elapsed());
    let addresses: Vec<_> = peers.iter().map(|peer| peer.address()).collect();
    for (number, peer) in peers.iter().enumerate() {
        peer.plain(addresses[(number + 1) % 50], [number as u8]).await;
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.receive_data().await, [((number + 49) % 50) as u8]);
    }
    for peer in peers {
        peer.disconnect().await;
    }
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_fixes_the_gateways_and_closing_frees_the_ports() {
    let (one, two) = (network().await, network().await);
    assert_eq!(one.gateways(), two.gateways());
    two.close().await;
    let port = one.directory_url().trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let client = peer(&one, at(&one, 0)).await;
    one.close().await;
    let config = Config { directory_port: port.expect("a port"), ..Config::default() };
    let again = start(config).await;
    assert_ne!(again.gateways(), one.gateways(), "the seed was another");
    assert!(one.client(&crate::support::settings()).await.is_err());
    again.close().await;
    client.disconnect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_network_with_the_same_state_is_the_same_to_its_clients() {
    let folder = Folder::new("state");
    let config = Config { state: Some(folder.path("network")), ..Config::default() };
    let first = start(config.clone()).await;
    let stored = ClientSettings { storage: Some(folder.path("alice")), ..at(&first, 1) };
    let alice = peer(&first, stored.clone()).await;
    let address = alice.address();
    alice.disconnect().await;
    assert_eq!(first.rotate_keys().await.expect("rotated"), 2);
    let (gateways, url, seed) = (first.gateways(), first.directory_url(), first.seed());
    first.close().await;
    drop(first);

    let second = start(config).await;
    assert_eq!((second.gateways(), second.directory_url(), second.seed()), (gateways, url, seed));
    assert_eq!(second.rotation_id(), 2);
    let mut alice = peer(&second, stored).await;
    assert_eq!(alice.address(), address);
    alice.client.send_plain_message(address, b"to myself").await.expect("sent");
    assert_eq!(alice.receive_data().await, b"to myself");
    alice.disconnect().await;
    second.close().await;
}
