//! Epochs and key rotations, as a function of the time: no timer here, no clock read.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since 1970, UTC.
pub type Millis = u64;

/// The network's calendar. Epoch and rotation ids begin at the first epoch of rotation 1, since a packet can't name
/// rotation 0 (`SphinxKeyRotation::from(0)` is "unknown").
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// An epoch with which a rotation began, and when it began.
    base_epoch: u32,
    base: Millis,
    epoch: Millis,
    rotation_epochs: u32,
    /// Keys of this rotation and before are no longer accepted, whatever the time.
    retired: u32,
}

impl Clock {
    pub fn new(now: Millis, epoch: Duration, rotation_epochs: u32) -> Clock {
        let epoch = (epoch.as_millis() as Millis).max(1);
        Clock { base_epoch: rotation_epochs, base: now, epoch, rotation_epochs, retired: 0 }
    }

    /// Whether a saved calendar belongs to the same network.
    pub fn has_periods(&self, epoch: Duration, rotation_epochs: u32) -> bool {
        u128::from(self.epoch) == epoch.as_millis() && self.rotation_epochs == rotation_epochs
    }

    pub fn rotation_epochs(&self) -> u32 {
        self.rotation_epochs
    }

    pub fn epoch_length(&self) -> Duration {
        Duration::from_millis(self.epoch)
    }

    pub fn epoch(&self, now: Millis) -> u32 {
        let passed = now.saturating_sub(self.base) / self.epoch;
        self.base_epoch.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    pub fn epoch_start(&self, now: Millis) -> Millis {
        self.start_of(self.epoch(now))
    }

    fn start_of(&self, epoch: u32) -> Millis {
        self.base + Millis::from(epoch.saturating_sub(self.base_epoch)) * self.epoch
    }

    pub fn rotation(&self, now: Millis) -> u32 {
        self.epoch(now) / self.rotation_epochs
    }

    pub fn rotation_start(&self, now: Millis) -> Millis {
        self.start_of(self.rotation(now).saturating_mul(self.rotation_epochs))
    }

    /// The rotation before the present one, as long as its keys are still accepted: for one epoch, as nodes do.
    pub fn previous(&self, now: Millis) -> Option<u32> {
        let previous = self.rotation(now).checked_sub(1)?;
        let overlap = now < self.rotation_start(now).saturating_add(self.epoch);
        (previous > self.retired && overlap).then_some(previous)
    }

    /// When the accepted keys change next by themselves.
    pub fn next_change(&self, now: Millis) -> Millis {
        let next_rotation = self.start_of(self.rotation(now).saturating_add(1).saturating_mul(self.rotation_epochs));
        match self.previous(now) {
            Some(_) => next_rotation.min(self.rotation_start(now).saturating_add(self.epoch)),
            None => next_rotation,
        }
    }

    /// The next rotation begins now, with the first of its epochs.
    pub fn rotate(&mut self, now: Millis) -> u32 {
        let rotation = self.rotation(now).saturating_add(1);
        self.base_epoch = rotation.saturating_mul(self.rotation_epochs);
        self.base = now;
        rotation
    }

    /// The previous rotation's keys are no longer accepted.
    pub fn retire(&mut self, now: Millis) {
        self.retired = self.retired.max(self.rotation(now).saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = 1_000_000;

    fn clock() -> Clock {
        Clock::new(START, Duration::from_secs(1), 24)
    }

    #[test]
    fn begins_with_the_first_epoch_of_rotation_one() {
        let clock = clock();
        assert_eq!((clock.epoch(START), clock.rotation(START), clock.rotation_start(START)), (24, 1, START));
        assert_eq!(clock.epoch_start(START + 1_700), START + 1_000);
        assert_eq!(clock.previous(START), None, "there is no rotation 0");
    }

    #[test]
    fn rotates_by_itself_and_keeps_the_previous_keys_for_one_epoch() {
        let clock = clock();
        let turn = START + 24_000;
        assert_eq!(clock.next_change(START), turn);
        assert_eq!((clock.rotation(turn - 1), clock.rotation(turn)), (1, 2));
        assert_eq!(clock.previous(turn), Some(1));
        assert_eq!(clock.next_change(turn), turn + 1_000);
        assert_eq!(clock.previous(turn + 1_000), None);
        assert_eq!(clock.next_change(turn + 1_000), turn + 24_000);
    }

    #[test]
    fn rotates_on_demand_and_retires_on_demand() {
        let mut clock = clock();
        let now = START + 3_300;
        assert_eq!(clock.rotate(now), 2);
        assert_eq!((clock.rotation(now), clock.epoch(now), clock.epoch_start(now)), (2, 48, now));
        assert_eq!(clock.previous(now), Some(1));
        clock.retire(now);
        assert_eq!(clock.previous(now), None);
        clock.rotate(now + 10);
        assert_eq!(clock.previous(now + 10), Some(2));
    }

    #[test]
    fn a_clock_set_back_changes_nothing_before_the_start() {
        assert_eq!((clock().epoch(0), clock().rotation(0)), (24, 1));
    }
}
