//! Dials a peer that is known by name: finds the addresses of the name and tries them as RFC 8305 ("Happy Eyeballs
//! Version 2") says. Knows no messages.

use super::dialer::Dialer;
use crate::error::DialError;
use crate::identity::Role;
use crate::link::Link;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Time that an address has to itself before the next one is tried beside it: RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The addresses of `HOST:PORT`, at least one, in the order in which they are to be tried: the families of addresses take
/// turns, so that one that leads nowhere costs one delay (RFC 8305, section 4).
///
/// # Errors
/// Those of the system's resolver; also where the name has no address.
pub async fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host(name).await?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(interleaved(&found))
}

/// The addresses with their families in turns, beginning with the family that the system prefers.
fn interleaved(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_preferred = |address: &&SocketAddr| address.is_ipv4() == found[0].is_ipv4();
    let mut preferred = found.iter().filter(is_preferred);
    let mut other = found.iter().filter(|address| !is_preferred(address));
    let mut out = Vec::with_capacity(found.len());
    while out.len() < found.len() {
        out.extend(preferred.next());
        out.extend(other.next());
    }
    out
}

impl Dialer {
    /// Makes a link to a peer of a role that may be at any of some addresses, at least one. An address is tried when the one
    /// before it failed, or has not answered within 250 ms; the first that answers wins.
    ///
    /// # Errors
    /// [`DialError`] when all failed: the first that says more than that nobody answers, otherwise that of the first address.
    ///
    /// # Panics
    /// When there is no address.
    pub async fn dial_any<S, R>(&self, addresses: &[SocketAddr], expect: Role) -> Result<Link<S, R>, DialError>
    where
        S: Send + 'static,
        R: Send + 'static,
    {
        assert!(!addresses.is_empty(), "a peer has an address");
        let mut waiting = addresses.iter().copied().enumerate();
        let mut attempts = JoinSet::new();
        let mut failures: Vec<(usize, DialError)> = Vec::new();
        loop {
            if let Some((order, address)) = waiting.next() {
                let dialer = self.clone();
                attempts.spawn(async move { (order, dialer.dial(address, expect).await) });
            }
            let more = waiting.len() > 0;
            let ended = tokio::select! {
                biased;
                ended = attempts.join_next() => ended,
                () = sleep(ATTEMPT_DELAY), if more => continue,
            };
            match ended {
                Some(Ok((_, Ok(link)))) => return Ok(link),
                Some(Ok((order, Err(error)))) => failures.push((order, error)),
                Some(Err(error)) => {
                    let reason = error.to_string();
                    failures.push((usize::MAX, DialError::Local { address: addresses[0], reason }));
                }
                None => break,
            }
        }
        failures.sort_by_key(|(order, _)| *order);
        let telling = failures.iter().position(|(_, error)| !matches!(error, DialError::Unreachable { .. }));
        Err(failures.swap_remove(telling.unwrap_or(0)).1)
    }
}

#[cfg(test)]
mod tests {
    use super::interleaved;
    use std::net::SocketAddr;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        let found = addresses(&["[::1]:7", "[::2]:7", "[::3]:7", "1.1.1.1:7", "2.2.2.2:7"]);
        assert_eq!(interleaved(&found), addresses(&["[::1]:7", "1.1.1.1:7", "[::2]:7", "2.2.2.2:7", "[::3]:7"]));
        let found = addresses(&["1.1.1.1:7", "2.2.2.2:7"]);
        assert_eq!(interleaved(&found), found);
    }
}
