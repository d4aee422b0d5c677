//! What the SDK does from Rust, for `bench/speed.py` to set beside what the Python binding does in the same run:
//! `speed MESSAGES BYTES ROUNDTRIPS`, one line of JSON. Both clients and the network share the process, as they do there.

use nym_local_network::{ClientSettings, Config, LocalNetwork};
use nym_sdk::mixnet::{IncludedSurbs, MixnetClient, MixnetMessageSender, ReconstructedMessage};
use std::error::Error;
use std::time::Instant;

async fn next(
    client: &mut MixnetClient,
    inbox: &mut Vec<ReconstructedMessage>,
) -> Result<ReconstructedMessage, String> {
    loop {
        if let Some(message) = inbox.pop() {
            return Ok(message);
        }
        inbox.extend(client.wait_for_messages().await.ok_or("the client ended")?);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [messages, bytes, round_trips] = arguments[..] else { return Err("speed MESSAGES BYTES ROUNDTRIPS".into()) };
    let network = LocalNetwork::start(Config { delay_scale: 0.0, ..Config::default() }).await?;
    let settings = ClientSettings { surbs_withheld: 0, ..ClientSettings::default() };
    let (mut alice, mut bob) = (network.client(&settings).await?, network.client(&settings).await?);
    let (mut to_alice, mut to_bob) = (Vec::new(), Vec::new());
    let address = *bob.nym_address();

    let mut laps = Vec::with_capacity(round_trips);
    for _ in 0..round_trips {
        let began = Instant::now();
        alice.send_message(address, vec![7; 100], IncludedSurbs::Amount(2)).await?;
        let tag = next(&mut bob, &mut to_bob).await?.sender_tag.ok_or("no tag")?;
        bob.send_reply(tag, vec![7; 100]).await?;
        next(&mut alice, &mut to_alice).await?;
        laps.push(began.elapsed().as_secs_f64());
    }
    laps.sort_by(f64::total_cmp);

    let began = Instant::now();
    let sender = alice.split_sender();
    let sending = tokio::spawn(async move {
        for _ in 0..messages {
            sender.send_message(address, vec![7; bytes], IncludedSurbs::ExposeSelfAddress).await?;
        }
        Ok::<_, nym_sdk::Error>(())
    });
    for _ in 0..messages {
        next(&mut bob, &mut to_bob).await?;
    }
    sending.await??;
    let rate = messages as f64 / began.elapsed().as_secs_f64();
    println!("{{\"messages_per_second\": {rate:.1}, \"round_trip_ms\": {:.3}}}", laps[laps.len() / 2] * 1000.0);
    alice.disconnect().await;
    bob.disconnect().await;
    network.close().await;
    Ok(())
}
