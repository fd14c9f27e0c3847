//! Control messages and heads of requests: every variant there is, with lists of everything at every offset.
//!
//! Nothing here knows what is in a message: a variant is its number, and numbers are tried until the reader knows none. Lists
//! that begin at any of the first bytes are met so, whichever messages are added.

use super::Kind;

/// postcard's number of any length.
fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// More variants than any enum has: further numbers are refused at once.
const VARIANTS: u8 = 24;

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for reader in ["to-worker", "from-worker", "to-client", "from-client", "request", "reply"] {
        let is_batch = !matches!(reader, "request" | "reply");
        for variant in 0..VARIANTS {
            // Where ids of 16 bytes and numbers of one byte leave a list to begin.
            for before in [0_usize, 1, 2, 3, 4, 16, 17, 18, 19, 20] {
                for (name, fill) in [("zeroes", 0_u8), ("ones", 1)] {
                    let bytes = move |count: usize| {
                        let mut out = if is_batch { vec![1] } else { Vec::new() };
                        out.push(variant);
                        out.extend(std::iter::repeat_n(1, before));
                        out.extend(varint(count));
                        out.extend(std::iter::repeat_n(fill, count));
                        out
                    };
                    kinds.push(Kind::new(format!("{reader} {variant} after {before}: {name}"), reader, 4_000, bytes));
                }
            }
            if is_batch {
                let bytes = move |count: usize| {
                    let one = [vec![variant], vec![0; 17]].concat();
                    [varint(count), one.repeat(count)].concat()
                };
                kinds.push(Kind::new(format!("{reader} {variant}: many"), reader, 1_000, bytes));
            }
        }
    }
    kinds
}
