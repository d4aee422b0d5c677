//! Each fault, on real clients.

use crate::support::{at, network, peer, quiet, received, start, until, Folder, Peer};
use nym_local_network::{ClientSettings, Config, Error, Kind, Kinds, Target};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

async fn numbers(peer: &mut Peer, count: usize) -> BTreeSet<u8> {
    let mut numbers = BTreeSet::new();
    while numbers.len() < count {
        numbers.insert(peer.receive_data().await[0]);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_loss_at_every_hop() {
    let network = network().await;
    let (mut alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    network.set_loss(&Target::All, Kinds::All, 0.05).expect("valid");
    for number in 0..60 {
        alice.anonymous(bob.address(), [number], 2).await;
    }
    let mut tags = Vec::new();
    let mut seen = BTreeSet::new();
    while seen.len() < 60 {
        let message = bob.receive().await;
        seen.insert(message.message[0]);
        tags.extend(message.sender_tag);
    }
    for number in 0..60 {
        bob.reply(tags[0], [number]).await;
    }
    numbers(&mut alice, 60).await;
    let dropped: u64 = network.counters().hops.iter().map(|hop| hop.dropped.data + hop.dropped.acks).sum();
    assert!(dropped >= 10, "{dropped} lost of some 1000 at 5 %");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exact_drops_are_exact_and_cost_one_packet_each() {
    let network = network().await;
    let (alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    let (a, b) = (alice.address().to_string(), bob.address().to_string());
    network.drop_next(Kind::Data, 5, Some(&b)).expect("valid");
    network.drop_next(Kind::Data, 1, Some(&a)).expect("valid");
    let begin = Instant::now();
    alice.plain(bob.address(), b"once lost").await;
    assert_eq!(bob.receive_data().await, b"once lost");
    assert!(begin.elapsed() >= Duration::from_millis(200), "sent again after the acknowledgement's time");
    quiet(&network).await;
    assert_eq!((received(&network, 1).data, network.drops_left()), (1, 5));

    // A lost acknowledgement costs a second packet, which the receiver recognises as a repetition.
    network.clear_faults();
    network.reset_counters();
    network.drop_next(Kind::Ack, 1, None).expect("valid");
    alice.plain(bob.address(), b"acknowledgement lost").await;
    assert_eq!(bob.receive_data().await, b"acknowledgement lost");
    until("it is sent again", || received(&network, 1).data == 2).await;
    quiet(&network).await;
    assert_eq!((received(&network, 0).data, received(&network, 0).acks, network.drops_left()), (2, 1, 0));
    assert!(bob.receive_within(Duration::from_millis(100)).await.is_none(), "no duplicate");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delay_at_one_layer_is_added_once() {
    let network = network().await;
    let (alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    let delay = Duration::from_millis(150);
    network.set_delay(&Target::Layer(2), Kinds::Only(Kind::Data), delay, Duration::ZERO).expect("valid");
    let begin = Instant::now();
    alice.plain(bob.address(), b"late").await;
    bob.receive().await;
    let took = begin.elapsed();
    assert!(took >= delay && took < 2 * delay, "{took:?}");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_takes_only_what_passes_it() {
    let network = network().await;
    let (alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    network.set_loss(&Target::Node("mix-2-1".into()), Kinds::All, 1.0).expect("valid");
    for number in 0..10 {
        alice.plain(bob.address(), [number]).await;
    }
    numbers(&mut bob, 10).await;
    let hops = network.counters().hops;
    let lost = |name: &str| hops.iter().find(|hop| hop.name == name).map(|hop| hop.dropped.data);
    assert!(lost("mix-2-1") > Some(0) && lost("mix-2-2") == Some(0));
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_heals_with_the_next_send_and_loses_nothing() {
    let network = network().await;
    let (mut alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    assert!(network.cut_client(&bob.address().to_string()).expect("known"));
    assert!(!network.cut_client(&bob.address().to_string()).expect("known"), "it has none now");
    alice.plain(bob.address(), b"waits").await;
    quiet(&network).await;
    // A client without cover traffic does not notice by itself; a send makes it connect again.
    bob.plain(alice.address(), b"anything").await;
    assert_eq!(bob.receive_data().await, b"waits");
    alice.receive().await;
    let unknown = alice.address().to_string().replace(&network.gateways()[0], &network.gateways()[1]);
    assert!(matches!(network.cut_client(&unknown), Err(Error::NoSuchClient(_))));
    assert!(matches!(network.cut_client("nonsense"), Err(Error::NoSuchClient(_))));
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_goes_and_comes_back_with_registrations_and_packets() {
    let folder = Folder::new("outage");
    let network = network().await;
    let stored = ClientSettings { storage: Some(folder.path("bob")), ..at(&network, 1) };
    let alice = peer(&network, at(&network, 0)).await;
    let bob = peer(&network, stored.clone()).await;
    let address = bob.address();
    bob.disconnect().await;
    alice.plain(address, [0]).await;
    quiet(&network).await;

    network.stop_gateway("gateway-2").expect("known");
    assert!(network.client(&stored).await.is_err(), "it can't connect");
    alice.plain(address, [1]).await;
    until("its packets are dropped", || {
        network.counters().hops.iter().any(|hop| hop.name == "gateway-2" && hop.dropped.data > 0)
    })
    .await;
    network.start_gateway("gateway-2", true, true).await.expect("known");
    let mut bob = peer(&network, stored.clone()).await;
    assert_eq!(numbers(&mut bob, 2).await, BTreeSet::from([0, 1]), "the second was sent again");
    bob.disconnect().await;

    // Without registrations, its client is refused.
    network.stop_gateway("gateway-2").expect("known");
    network.start_gateway("gateway-2", false, true).await.expect("known");
    assert!(network.client(&stored).await.is_err());
    assert!(matches!(network.stop_gateway("mix-1-1"), Err(Error::NoSuchNode(_))));
    alice.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_survives_a_short_outage() {
    let network = network().await;
    let mut bob = peer(&network, at(&network, 1)).await;
    network.stop_gateway(&network.gateways()[1]).expect("known");
    tokio::time::sleep(Duration::from_millis(100)).await;
    network.start_gateway(&network.gateways()[1], true, true).await.expect("known");
    bob.plain(bob.address(), b"again").await;
    assert_eq!(bob.receive_data().await, b"again");
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_forgets_what_it_kept() {
    let folder = Folder::new("forget");
    let network = network().await;
    let stored = ClientSettings { storage: Some(folder.path("bob")), ..at(&network, 1) };
    let alice = peer(&network, at(&network, 0)).await;
    let bob = peer(&network, stored.clone()).await;
    let address = bob.address();
    bob.disconnect().await;
    alice.plain(address, b"forgotten").await;
    quiet(&network).await;
    assert_eq!(network.forget_packets("gateway-1").expect("known"), 0);
    assert_eq!(network.forget_packets("gateway-2").expect("known"), 1);
    let mut bob = peer(&network, stored).await;
    assert!(bob.receive_within(Duration::from_secs(1)).await.is_none(), "it was acknowledged: it is not sent again");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_old_surbs_work_until_the_old_keys_are_retired() {
    let network = network().await;
    let following = |gateway| ClientSettings { topology_refresh: Duration::from_millis(200), ..at(&network, gateway) };
    let (mut alice, mut bob) = (peer(&network, following(0)).await, peer(&network, following(1)).await);
    alice.anonymous(bob.address(), b"SURBs of rotation 1", 10).await;
    let tag = bob.receive().await.sender_tag.expect("a tag");
    assert_eq!((network.rotation_id(), network.rotate_keys().await.expect("rotated")), (1, 2));

    bob.reply(tag, b"over the previous keys").await;
    assert_eq!(alice.receive_data().await, b"over the previous keys");
    let expired = || network.counters().hops.iter().map(|hop| hop.expired.data).sum::<u64>();
    assert_eq!(expired(), 0);

    network.retire_old_keys().await.expect("retired");
    bob.reply(tag, b"dead").await;
    until("the reply is dropped for its key", || expired() > 0).await;

    // The clients follow the directory: plain messages, and fresh SURBs, work with the new keys.
    tokio::time::sleep(Duration::from_millis(600)).await;
    alice.anonymous(bob.address(), b"SURBs of rotation 2", 10).await;
    let message = bob.receive().await;
    assert_eq!(message.message, b"SURBs of rotation 2");
    bob.reply(tag, b"alive").await;
    let first = alice.receive_data().await;
    assert!(first == b"alive" || first == b"dead", "the dead one is sent again over fresh SURBs");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_by_themselves_when_their_epochs_are_over() {
    let epoch = Duration::from_secs(1);
    let network = start(Config { epoch, rotation_epochs: 2, seed: Some(1), ..Config::default() }).await;
    let following = |gateway| ClientSettings { topology_refresh: Duration::from_millis(100), ..at(&network, gateway) };
    let (alice, mut bob) = (peer(&network, following(0)).await, peer(&network, following(1)).await);
    let begin = Instant::now();
    let mut number = 0;
    while network.rotation_id() < 4 {
        alice.plain(bob.address(), [number]).await;
        assert_eq!(bob.receive_data().await, [number]);
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begin.elapsed();
    assert!(took > 4 * epoch && took < 8 * epoch, "three rotations of two epochs in {took:?}");
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_settings_are_refused_and_change_nothing() {
    let network = network().await;
    assert!(matches!(network.set_loss(&Target::All, Kinds::All, 1.5), Err(Error::Config(_))));
    assert!(matches!(network.set_loss(&Target::from("mix-9-9"), Kinds::All, 0.5), Err(Error::NoSuchNode(_))));
    let long = Duration::from_secs(100_000);
    assert!(matches!(network.set_delay(&Target::All, Kinds::All, long, Duration::ZERO), Err(Error::Config(_))));
    assert!(network.drop_next(Kind::Data, 1, Some("nobody")).is_err());
    let (alice, mut bob) = (peer(&network, at(&network, 0)).await, peer(&network, at(&network, 1)).await);
    alice.plain(bob.address(), b"untouched").await;
    bob.receive().await;
    quiet(&network).await;
    assert_eq!(received(&network, 0).data, 1);
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
}
