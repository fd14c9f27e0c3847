//! The allocator of the programs: [mimalloc](https://microsoft.github.io/mimalloc/). Whoever links this package allocates with it.
//!
//! Three things are hard on an allocator here. What a lane's thread makes the thread of the loop frees, and the other way
//! round; in glibc's both then wait for one lock (10 % of the lane's time in a hop of a chain, and 5,000 sleeps in 200,000 hops).
//! A large result comes and goes with every task, and must not be taken from the system anew each time. And a graph of a
//! million tasks is released, after which its memory should go back; glibc's gives back what is free at the end of a heap.
//! glibc's settings for the second make the third worse, and nothing helps with the first.
//!
//! Knows nothing of what is allocated. Other allocators, and what they were measured at: docs/architecture.md, "Measuring".

/// Every allocation of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
