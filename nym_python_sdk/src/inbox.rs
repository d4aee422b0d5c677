//! The bounded queue between the SDK and the program.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One received message; a tag says that the sender can be answered.
pub struct Received {
    pub data: Vec<u8>,
    pub tag: Option<[u8; 16]>,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub received: u64,
    pub dropped: u64,
    pub waiting: usize,
    pub waiting_bytes: usize,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Received>,
    bytes: usize,
    received: u64,
    dropped: u64,
}

/// When the program is slow, queued messages stay; a message that does not fit is dropped and counted. The Nym client
/// has already acknowledged it, so its sender can't be slowed down. A program that needs every message confirms them end
/// to end, which the mixnet requires anyway.
pub struct Inbox {
    queue: Mutex<Queue>,
    ready: Notify,
    max_messages: usize,
    max_bytes: usize,
}

impl Inbox {
    pub fn new(max_messages: usize, max_bytes: usize) -> Inbox {
        Inbox { queue: Mutex::default(), ready: Notify::new(), max_messages, max_bytes }
    }

    /// No code under this lock can panic in the middle of a change, so a poisoned queue is still consistent.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, message: Received) {
        {
            let mut queue = self.queue();
            queue.received += 1;
            let size = message.data.len();
            if queue.messages.len() >= self.max_messages || queue.bytes + size > self.max_bytes {
                queue.dropped += 1;
                return;
            }
            queue.bytes += size;
            queue.messages.push_back(message);
        }
        // Wakes all waiters, since a single one could be cancelled before it takes anything.
        self.ready.notify_waiters();
    }

    pub fn take(&self, limit: usize) -> Vec<Received> {
        let mut queue = self.queue();
        let count = limit.min(queue.messages.len());
        let taken: Vec<Received> = queue.messages.drain(..count).collect();
        queue.bytes -= taken.iter().map(|message| message.data.len()).sum::<usize>();
        taken
    }

    pub fn counts(&self) -> Counts {
        let queue = self.queue();
        Counts {
            received: queue.received,
            dropped: queue.dropped,
            waiting: queue.messages.len(),
            waiting_bytes: queue.bytes,
        }
    }

    fn is_empty(&self) -> bool {
        self.queue().messages.is_empty()
    }

    /// Returns once a message is queued. It removes nothing, so a cancelled wait loses nothing.
    pub async fn wait(&self) {
        loop {
            let notified = self.ready.notified(); // hears every notify_waiters from here on
            if !self.is_empty() {
                return;
            }
            notified.await;
        }
    }
}
