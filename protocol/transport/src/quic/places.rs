//! Places of handshakes that have not finished. Decides who gets one and who makes room; knows no socket and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// Number of a place. A later handshake has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PlaceId(u64);

/// Places of unfinished handshakes, by source address.
///
/// A peer with credentials finishes within a round trip or two, an attacker without them never does. So the newest
/// handshake always gets a place, and the oldest one makes room: of the same source when that has all that a source may
/// have, else of the source that has most.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    per_source_max: usize,
    next: u64,
    sources: BTreeMap<PlaceId, IpAddr>,
    by_source: BTreeMap<IpAddr, BTreeSet<PlaceId>>,
}

impl Places {
    pub(super) fn new(max: usize, per_source_max: usize) -> Places {
        assert!(0 < per_source_max && per_source_max <= max, "the newest always gets a place");
        Places { max, per_source_max, next: 0, sources: BTreeMap::new(), by_source: BTreeMap::new() }
    }

    /// Whether a peer at an address has to prove first that it receives there.
    pub(super) fn is_pressed(&self, address: IpAddr) -> bool {
        self.sources.len() >= self.max / 2 || self.held(source(address)) >= self.per_source_max / 2
    }

    /// A place for a new handshake, and the handshake that has to make room for it.
    pub(super) fn take(&mut self, address: IpAddr) -> (PlaceId, Option<PlaceId>) {
        let source = source(address);
        let giver = if self.held(source) >= self.per_source_max {
            Some(source)
        } else if self.sources.len() >= self.max {
            self.by_source.iter().max_by_key(|(_, places)| places.len()).map(|(source, _)| *source)
        } else {
            None
        };
        let evicted = giver.and_then(|giver| self.by_source.get(&giver)?.first().copied());
        if let Some(evicted) = evicted {
            self.leave(evicted);
        }
        let place = PlaceId(self.next);
        self.next += 1;
        self.sources.insert(place, source);
        self.by_source.entry(source).or_default().insert(place);
        assert!(self.sources.len() <= self.max && self.held(source) <= self.per_source_max, "places are bounded");
        (place, evicted)
    }

    /// Gives a place back, when its handshake has finished or failed. Does nothing when it was taken away.
    pub(super) fn leave(&mut self, place: PlaceId) {
        let Some(source) = self.sources.remove(&place) else { return };
        if let Some(places) = self.by_source.get_mut(&source) {
            places.remove(&place);
            if places.is_empty() {
                self.by_source.remove(&source);
            }
        }
    }

    /// Whether a handshake still has its place.
    pub(super) fn holds(&self, place: PlaceId) -> bool {
        self.sources.contains_key(&place)
    }

    fn held(&self, source: IpAddr) -> usize {
        self.by_source.get(&source).map_or(0, BTreeSet::len)
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 network of 64 bits, which one host may have to itself.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::{FIRST_FLIGHT_TIMEOUT, HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX};
    use super::{PlaceId, Places};
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::IpAddr;
    use std::time::Duration;

    const ATTACKER: &str = "192.0.2.1";

    fn at(address: &str) -> IpAddr {
        address.parse().expect("an address")
    }

    /// How many of 20 peers at `honest` finish, one every half second and each within `takes`, while others begin
    /// `rate` handshakes a second from each of `attackers` and finish none.
    fn served(attackers: &[IpAddr], rate: u32, honest: IpAddr, takes: Duration) -> usize {
        let mut places = Places::new(HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX);
        let step = Duration::from_secs(1) / rate;
        let mut deadlines: BTreeSet<(Duration, PlaceId)> = BTreeSet::new();
        let mut open: BTreeMap<PlaceId, Duration> = BTreeMap::new();
        let (mut now, mut begun, mut finished) = (Duration::ZERO, 0, 0);
        while now < Duration::from_secs(15) {
            now += step;
            while let Some((_, late)) = deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
                deadlines.pop_first();
                places.leave(late);
                open.remove(&late);
            }
            let done: Vec<PlaceId> = open.iter().filter(|(_, end)| **end <= now).map(|(place, _)| *place).collect();
            for place in done {
                open.remove(&place);
                places.leave(place);
                finished += 1;
            }
            let is_due = begun < 20 && now >= Duration::from_millis(500) * begun;
            let arriving = attackers.iter().map(|address| (*address, false)).chain(is_due.then_some((honest, true)));
            for (address, is_honest) in arriving {
                let (place, evicted) = places.take(address);
                if let Some(evicted) = evicted {
                    open.remove(&evicted);
                }
                if is_honest {
                    open.insert(place, now + takes);
                    begun += 1;
                }
                deadlines.insert((now + FIRST_FLIGHT_TIMEOUT, place));
            }
        }
        finished
    }

    #[test]
    fn a_flood_of_unfinished_handshakes_keeps_nobody_out() {
        let takes = Duration::from_millis(500);
        assert_eq!(served(&[at(ATTACKER)], 150, at(ATTACKER), takes), 20, "from the same address");
        assert_eq!(served(&[at(ATTACKER)], 150, at("192.0.2.2"), takes), 20, "from another address");
        assert_eq!(served(&[at(ATTACKER)], 20_000, at("192.0.2.2"), takes), 20, "at any rate of one address");
        let many: Vec<IpAddr> = (0..8).map(|host| at(&format!("198.51.100.{host}"))).collect();
        assert_eq!(served(&many, 1_000, at("192.0.2.2"), takes), 20, "from eight addresses");
    }

    #[test]
    fn the_oldest_of_the_fullest_source_makes_room() {
        let mut places = Places::new(4, 3);
        let (a, b) = (at("192.0.2.1"), at("192.0.2.2"));
        let [first, second, third] = [(); 3].map(|()| places.take(a).0);
        assert_eq!(places.take(a).1, Some(first), "a source has no more than its share");
        assert_eq!(places.take(b).1, None);
        assert_eq!(places.take(b).1, Some(second), "the fullest source gives");
        places.leave(third);
        places.leave(third);
        assert_eq!(places.take(b).1, None, "a place that was given back is free, once");
        assert!(places.is_pressed(a) && places.is_pressed(at("192.0.2.3")));
    }

    #[test]
    fn a_network_of_one_host_is_one_source() {
        let mut places = Places::new(8, 1);
        let (first, _) = places.take(at("2001:db8::1"));
        assert_eq!(places.take(at("2001:db8::ffff:2")).1, Some(first));
        assert_eq!(places.take(at("2001:db8:0:1::1")).1, None);
        let (mapped, _) = places.take(at("::ffff:192.0.2.1"));
        assert_eq!(places.take(at("192.0.2.1")).1, Some(mapped));
    }
}
