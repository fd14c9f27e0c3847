//! The numbers with which connections are closed and streams are given up.

use quinn::VarInt;

/// A connection is closed because it is no longer needed.
pub(crate) const CLOSE_DONE: VarInt = VarInt::from_u32(0);
/// A connection is closed because the peer does not keep to the protocol.
pub(crate) const CLOSE_VIOLATION: VarInt = VarInt::from_u32(1);
/// A connection is closed because it was made only to ask for our version, which is the reason given.
pub(crate) const CLOSE_VERSION: VarInt = VarInt::from_u32(2);

/// Why a stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiveUp {
    /// Whoever asked, or was asked, dropped the request.
    Dropped = 0,
    /// What came is no message.
    Malformed = 1,
    /// What came, or would have to be sent, is larger than its limit.
    TooLarge = 2,
    /// Nothing moved for too long.
    Stalled = 3,
    /// Nobody answers requests here.
    NotServed = 4,
}

impl GiveUp {
    pub(crate) fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// What a code means, for people. Codes of later versions are possible.
    pub(crate) fn reason(code: VarInt) -> &'static str {
        match code.into_inner() {
            0 => "it did not answer",
            1 => "it cannot read it",
            2 => "it or its answer is too large",
            3 => "nothing moved for too long",
            4 => "it does not answer requests",
            _ => "for a reason that this version does not know",
        }
    }
}
