//! Messages that can be answered, and that nothing links with others of the same sender.
//!
//! The SDK puts one sender tag on everything that a client sends anonymously to one recipient. So such a message travels as
//! a plain one, which has no tag, and its reply SURBs stand in front of its text. The receiver's library gives it a tag,
//! which stands for this message alone, and soon forgets it with its SURBs.

use crate::replies::Replies;
use nym_sdk::mixnet::{AnonymousSenderTag, MixnetClient};
use nym_sphinx::anonymous_replies::{ReplySurb, ReplySurbError, ReplySurbWithKeyRotation};
use nym_sphinx::params::SphinxKeyRotation;
use rand::rngs::OsRng;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How such a message begins. No program sends this by chance. Then: the key rotation of the SURBs (u8), their number (u8),
/// the length of each (u16), and the SURBs.
const MARK: [u8; 16] = *b"\x00nym_python_sdk\x01";
/// Tags are forgotten in so many goes in the time for which one is kept: each goes through all tags of the client.
const GOES: u32 = 12;
/// More than the SDK ever wants of one sender: it never asks the sender of such a message for more.
const NEVER_ASK: u32 = u32::MAX / 2;

/// New SURBs of this client.
pub struct Surbs {
    surbs: Vec<ReplySurb>,
    rotation: SphinxKeyRotation,
}

impl Surbs {
    /// None: the client does not know the network at the moment.
    pub async fn new(client: &MixnetClient, count: u32, hop_delay: Duration) -> Option<Surbs> {
        let network = client.read_current_route_provider().await?;
        let surb = || ReplySurb::construct(&mut OsRng, client.nym_address(), hop_delay, false, &network, false);
        let surbs = (0..count).map(|_| surb()).collect::<Result<_, _>>().ok()?;
        Some(Surbs { surbs, rotation: SphinxKeyRotation::from(network.current_key_rotation()) })
    }

    /// The message that brings them. From now on the SDK reads what comes over them.
    pub fn message(self, replies: &Replies, data: &[u8]) -> Vec<u8> {
        replies.give(self.surbs.iter().map(|surb| *surb.encryption_key()).collect());
        let surbs: Vec<Vec<u8>> = self.surbs.iter().map(ReplySurb::to_bytes).collect();
        let size = surbs.first().map_or(0, Vec::len);
        let mut message = MARK.to_vec();
        message.extend([self.rotation as u8, surbs.len() as u8]);
        message.extend((size as u16).to_be_bytes());
        message.extend(surbs.concat());
        message.extend_from_slice(data);
        message
    }
}

/// What such a message brought.
struct Parts<'a> {
    surbs: Vec<&'a [u8]>,
    rotation: SphinxKeyRotation,
    data: &'a [u8],
}

/// None for any other message.
fn parse(message: &[u8]) -> Option<Parts<'_>> {
    let rest = message.strip_prefix(&MARK)?;
    let (&[rotation, count, high, low], rest) = rest.split_first_chunk()?;
    let size = usize::from(u16::from_be_bytes([high, low]));
    let (surbs, data) = rest.split_at_checked(usize::from(count) * size)?;
    let rotation = SphinxKeyRotation::try_from(rotation).ok()?;
    (count > 0 && size > 0).then(|| Parts { surbs: surbs.chunks_exact(size).collect(), rotation, data })
}

fn surb(bytes: &[u8], rotation: SphinxKeyRotation) -> Result<ReplySurbWithKeyRotation, ReplySurbError> {
    Ok(ReplySurb::from_bytes(bytes)?.with_key_rotation(rotation))
}

/// The tags that were made here for messages that came, until they are forgotten.
pub struct Tags {
    replies: Replies,
    kept: Duration,
    /// In the order in which they came.
    tags: VecDeque<(Instant, AnonymousSenderTag)>,
    forget_at: Option<Instant>,
}

impl Tags {
    /// Each is forgotten when it has been `kept` for so long.
    pub fn new(replies: Replies, kept: Duration) -> Tags {
        Tags { replies, kept, tags: VecDeque::new(), forget_at: None }
    }

    /// The text and a new tag, over which it can be answered; the message itself if it is another one.
    pub fn take(&mut self, message: Vec<u8>) -> (Vec<u8>, Option<[u8; 16]>) {
        let taken = parse(&message).and_then(|Parts { surbs, rotation, data }| {
            // The SDK never answers with the last ones of a sender. These are enough for that, and lead nowhere once the
            // first one is spent, which they repeat.
            let withheld = vec![*surbs.first()?; self.replies.withheld()];
            let all = surbs.into_iter().chain(withheld).map(|bytes| surb(bytes, rotation));
            let tag = AnonymousSenderTag::new_random(&mut OsRng);
            self.replies.hold(&tag, all.collect::<Result<_, _>>().ok()?, NEVER_ASK);
            Some((data.to_vec(), tag))
        });
        let Some((data, tag)) = taken else { return (message, None) };
        let now = Instant::now();
        self.tags.push_back((now, tag));
        self.forget_at.get_or_insert(now + self.kept);
        (data, Some(tag.to_bytes()))
    }

    /// When `forget` is due.
    pub fn forget_at(&self) -> Option<Instant> {
        self.forget_at
    }

    /// Forgets those that have been here for long.
    pub fn forget(&mut self) {
        let now = Instant::now();
        self.forget_until(now - self.kept);
        self.forget_at = self.tags.front().map(|(came, _)| (*came + self.kept).max(now + self.kept / GOES));
    }

    pub fn forget_all(&mut self) {
        self.forget_until(Instant::now());
        self.forget_at = None;
    }

    fn forget_until(&mut self, last: Instant) {
        let due = self.tags.partition_point(|(came, _)| *came <= last);
        self.replies.forget(&self.tags.drain(..due).map(|(_, tag)| tag).collect());
    }
}
