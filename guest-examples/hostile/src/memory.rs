//! Attacks on memory: too much of it, outside of it, and too deep a stack.

const MIB: usize = 1 << 20;
/// Near the end of the 4 GiB that a 32-bit memory can address, so outside any memory under a limit.
const OUTSIDE: usize = 0xfff0_0000;

pub(crate) fn read_outside() -> u8 {
    // SAFETY: none; the read is meant to trap.
    unsafe { core::ptr::read_volatile(OUTSIDE as *const u8) }
}

/// A list whose pointer and length lie outside the memory. The host must refuse to read it.
pub(crate) fn list_outside() -> Vec<u8> {
    // SAFETY: none; capacity equals length, so nothing touches the bytes on their way to the host.
    unsafe { Vec::from_raw_parts(OUTSIDE as *mut u8, 2 * MIB, 2 * MIB) }
}

pub(crate) fn allocate_without_end() {
    let mut held = Vec::new();
    loop {
        held.push(touched_mib());
        std::hint::black_box(&held);
    }
}

/// Holds `mib` MiB at once and returns their number of bytes.
pub(crate) fn allocate(mib: u32) -> u64 {
    let held: Vec<Vec<u8>> = (0..mib).map(|_| touched_mib()).collect();
    held.iter().map(|part| std::hint::black_box(part).len() as u64).sum()
}

fn touched_mib() -> Vec<u8> {
    vec![std::hint::black_box(1); MIB]
}

/// Never ends; the array and the use of the result keep it from becoming a loop.
#[allow(unconditional_recursion, reason = "that is the attack")]
pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 8]);
    recurse(depth + 1) + frame[(depth % 8) as usize]
}
