//! What came from the mixnet and waits for the program behind a websocket.

use crate::lock;
use nym_sdk::mixnet::ReconstructedMessage;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;
use tokio::sync::Notify;

/// Messages that wait for the program, and their bytes; nym-client has no bound. More are dropped, and counted.
const MAX_WAITING: usize = 10_000;
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;
#[derive(Default)]
pub struct Mailbox {
    waiting: Mutex<(VecDeque<ReconstructedMessage>, usize)>,
    wake: Notify,
    pub received: AtomicU64,
    pub dropped: AtomicU64,
}

impl Mailbox {
    pub fn push(&self, message: ReconstructedMessage) {
        self.received.fetch_add(1, Relaxed);
        let mut waiting = lock(&self.waiting);
        let (messages, bytes) = &mut *waiting;
        if messages.len() >= MAX_WAITING || bytes.saturating_add(message.message.len()) > MAX_WAITING_BYTES {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        *bytes += message.message.len();
        messages.push_back(message);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<ReconstructedMessage> {
        let mut waiting = lock(&self.waiting);
        let (messages, bytes) = &mut *waiting;
        let message = messages.pop_front()?;
        *bytes -= message.message.len();
        Some(message)
    }

    pub fn len(&self) -> usize {
        lock(&self.waiting).0.len()
    }

    pub async fn next(&self) -> ReconstructedMessage {
        loop {
            if let Some(message) = self.take() {
                return message;
            }
            self.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> ReconstructedMessage {
        ReconstructedMessage { message: vec![0; length], sender_tag: None }
    }

    #[tokio::test]
    async fn what_waits_for_a_program_is_bounded_in_messages_and_bytes() {
        let mailbox = Mailbox::default();
        (0..MAX_WAITING + 3).for_each(|_| mailbox.push(message(1)));
        assert_eq!((mailbox.received.load(Relaxed), mailbox.dropped.load(Relaxed)), (MAX_WAITING as u64 + 3, 3));
        assert_eq!(mailbox.next().await.message.len(), 1);

        let mailbox = Mailbox::default();
        (0..3).for_each(|_| mailbox.push(message(MAX_WAITING_BYTES / 2)));
        assert_eq!(mailbox.dropped.load(Relaxed), 1);
        mailbox.next().await;
        mailbox.push(message(MAX_WAITING_BYTES / 2));
        assert_eq!(mailbox.dropped.load(Relaxed), 1, "room is given back");
    }
}
