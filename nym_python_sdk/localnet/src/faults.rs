//! What goes wrong on purpose. A fault acts on a packet where it arrives at a node (a hop): a message passes four of them,
//! one mix of each layer and the recipient's gateway; its acknowledgement passes four more on its way back.

use crate::config::{in_range, Error, MAX_DELAY};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::str::FromStr;
use std::time::Duration;

/// What a hop can tell about a packet: its size. Cover packets and retransmissions look like data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data,
    Ack,
}

/// Which kinds of packet a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    All,
    Only(Kind),
}

impl Kinds {
    fn includes(self, kind: Kind) -> bool {
        self == Kinds::All || self == Kinds::Only(kind)
    }
}

impl FromStr for Kinds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Kinds, Error> {
        match text {
            "all" => Ok(Kinds::All),
            "data" => Ok(Kinds::Only(Kind::Data)),
            "acks" => Ok(Kinds::Only(Kind::Ack)),
            _ => Err(Error::Config(format!("packets = {text:?}: must be \"all\", \"data\" or \"acks\""))),
        }
    }
}

/// Which hops a fault is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    All,
    Mixes,
    Layer(u8),
    Gateways,
    /// By name (`gateway-1`, `mix-2-1`: layer 2, first) or by identity key in base58.
    Node(String),
}

impl From<&str> for Target {
    fn from(text: &str) -> Target {
        match text {
            "all" => Target::All,
            "mixes" => Target::Mixes,
            "layer1" => Target::Layer(1),
            "layer2" => Target::Layer(2),
            "layer3" => Target::Layer(3),
            "gateways" => Target::Gateways,
            name => Target::Node(name.to_string()),
        }
    }
}

/// Loss and delay at one hop for one kind of packet, decided by its own random generator: faults for data do not change
/// those for acknowledgements.
struct Link {
    loss: f64,
    delay: Duration,
    jitter: Duration,
    rng: StdRng,
}

impl Link {
    fn new(seed: [u8; 32]) -> Link {
        Link { loss: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO, rng: StdRng::from_seed(seed) }
    }

    /// Draws the same numbers whatever the settings are, so a change between packets changes no later decision.
    fn pass(&mut self) -> Option<Duration> {
        let (chance, part): (f64, f64) = (self.rng.gen(), self.rng.gen());
        (chance >= self.loss).then(|| self.delay + self.jitter.mul_f64(part))
    }
}

/// The faults of one hop.
pub struct HopFaults {
    data: Link,
    acks: Link,
}

impl HopFaults {
    /// `seed` is of this node alone; byte 31 tells the kinds apart.
    pub fn new(seed: [u8; 32]) -> HopFaults {
        let for_kind = |kind: u8| {
            let mut seed = seed;
            seed[31] = kind;
            Link::new(seed)
        };
        HopFaults { data: for_kind(0), acks: for_kind(1) }
    }

    /// None: the packet is lost. Otherwise it waits this long, on top of its own delay.
    pub fn pass(&mut self, kind: Kind) -> Option<Duration> {
        match kind {
            Kind::Data => self.data.pass(),
            Kind::Ack => self.acks.pass(),
        }
    }

    fn links(&mut self, kinds: Kinds) -> impl Iterator<Item = &mut Link> {
        [(Kind::Data, &mut self.data), (Kind::Ack, &mut self.acks)]
            .into_iter()
            .filter(move |(kind, _)| kinds.includes(*kind))
            .map(|(_, link)| link)
    }

    pub fn set_loss(&mut self, kinds: Kinds, loss: f64) {
        self.links(kinds).for_each(|link| link.loss = loss);
    }

    pub fn set_delay(&mut self, kinds: Kinds, delay: Duration, jitter: Duration) {
        self.links(kinds).for_each(|link| (link.delay, link.jitter) = (delay, jitter));
    }
}

pub fn check_loss(loss: f64) -> Result<(), Error> {
    in_range("loss", loss, 0.0, 1.0)
}

pub fn check_delay(delay: Duration, jitter: Duration) -> Result<(), Error> {
    in_range("delay in seconds", delay.as_secs_f64(), 0.0, MAX_DELAY.as_secs_f64())?;
    in_range("jitter in seconds", jitter.as_secs_f64(), 0.0, MAX_DELAY.as_secs_f64())
}

/// "Drop exactly the next packets": data where a client hands them to its gateway, acknowledgements where the recipient's
/// gateway releases them.
#[derive(Default)]
pub struct ExactDrops {
    rules: Vec<Rule>,
}

struct Rule {
    kind: Kind,
    /// Only of the client with this destination (data: the sender; acknowledgements: the recipient of the data).
    client: Option<[u8; 32]>,
    left: u32,
}

impl ExactDrops {
    /// Replaces an earlier rule for the same kind and client; 0 removes it.
    pub fn set(&mut self, kind: Kind, client: Option<[u8; 32]>, count: u32) {
        self.rules.retain(|rule| (rule.kind, rule.client) != (kind, client));
        if count > 0 {
            self.rules.push(Rule { kind, client, left: count });
        }
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn left(&self) -> u64 {
        self.rules.iter().map(|rule| u64::from(rule.left)).sum()
    }

    /// Whether this packet is one of them. If so, one rule counts it, a client's own rule first.
    pub fn hits(&mut self, kind: Kind, client: &[u8; 32]) -> bool {
        let place = |whose: Option<&[u8; 32]>| {
            self.rules.iter().position(|rule| rule.kind == kind && rule.client.as_ref() == whose)
        };
        let position = place(Some(client)).or_else(|| place(None));
        let Some(rule) = position.and_then(|at| self.rules.get_mut(at)) else { return false };
        rule.left -= 1;
        self.rules.retain(|rule| rule.left > 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(faults: &mut HopFaults, kind: Kind) -> Vec<bool> {
        (0..200).map(|_| faults.pass(kind).is_some()).collect()
    }

    #[test]
    fn the_seed_brings_the_same_losses_back_and_kinds_are_independent() {
        let (mut one, mut two, mut other) = (HopFaults::new([7; 32]), HopFaults::new([7; 32]), HopFaults::new([8; 32]));
        for faults in [&mut one, &mut two, &mut other] {
            faults.set_loss(Kinds::All, 0.3);
        }
        two.set_loss(Kinds::Only(Kind::Ack), 0.0);
        assert!(pattern(&mut two, Kind::Ack).iter().all(|passed| *passed));
        let data = pattern(&mut one, Kind::Data);
        assert_eq!(data, pattern(&mut two, Kind::Data));
        assert_ne!(data, pattern(&mut other, Kind::Data));
        let lost = data.iter().filter(|passed| !**passed).count();
        assert!((35..=85).contains(&lost), "{lost} of 200 at 30 %");
    }

    #[test]
    fn loss_of_all_and_of_none_are_exact_and_a_setting_shifts_no_later_decision() {
        let (mut one, mut two) = (HopFaults::new([1; 32]), HopFaults::new([1; 32]));
        one.set_loss(Kinds::All, 1.0);
        assert!(pattern(&mut one, Kind::Data).iter().all(|passed| !*passed));
        assert!(pattern(&mut two, Kind::Data).iter().all(|passed| *passed));
        one.set_loss(Kinds::All, 0.5);
        two.set_loss(Kinds::All, 0.5);
        assert_eq!(pattern(&mut one, Kind::Data), pattern(&mut two, Kind::Data));
    }

    #[test]
    fn a_delay_lies_between_its_bounds() {
        let mut faults = HopFaults::new([2; 32]);
        let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
        faults.set_delay(Kinds::Only(Kind::Data), delay, jitter);
        let waits: Vec<Duration> = (0..100).filter_map(|_| faults.pass(Kind::Data)).collect();
        assert_eq!(waits.len(), 100);
        assert!(waits.iter().all(|wait| (delay..=delay + jitter).contains(wait)));
        assert_eq!(faults.pass(Kind::Ack), Some(Duration::ZERO));
    }

    #[test]
    fn exact_drops_count_off_the_clients_own_rule_first() {
        let (a, b) = ([1; 32], [2; 32]);
        let mut drops = ExactDrops::default();
        drops.set(Kind::Data, None, 1);
        drops.set(Kind::Data, Some(a), 1);
        assert!(!drops.hits(Kind::Ack, &a));
        assert_eq!([drops.hits(Kind::Data, &a), drops.left() == 1], [true, true]);
        assert_eq!([drops.hits(Kind::Data, &b), drops.hits(Kind::Data, &a)], [true, false]);
        drops.set(Kind::Data, None, 5);
        drops.set(Kind::Data, None, 0);
        assert!(!drops.hits(Kind::Data, &b));
    }

    #[test]
    fn targets_and_kinds_are_read_from_text() {
        assert_eq!(Target::from("layer2"), Target::Layer(2));
        assert_eq!(Target::from("layer4"), Target::Node("layer4".into()));
        assert_eq!("acks".parse::<Kinds>().ok(), Some(Kinds::Only(Kind::Ack)));
        assert!("ack".parse::<Kinds>().is_err());
        assert!(check_loss(1.01).is_err() && check_loss(f64::NAN).is_err() && check_loss(1.0).is_ok());
    }
}
