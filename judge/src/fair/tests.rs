use super::{Asker, FairQueue};

fn asker(identity: &str, session: u64) -> Asker {
    Asker::new(identity, session)
}

/// Whoever floods, a client that comes new begins at once, and the one place that is kept free for it is its own.
#[test]
fn a_flood_leaves_a_place_free() {
    let mut queue = FairQueue::new(3);
    (0..100).for_each(|job| queue.push(&asker("flood", 1), job));
    let begun: Vec<i32> = std::iter::from_fn(|| queue.next().map(|(_, job)| job)).collect();
    assert_eq!(begun, [0, 1], "two of three places");
    queue.push(&asker("other", 2), 1_000);
    assert_eq!(queue.next().map(|(_, job)| job), Some(1_000));
    assert!(queue.next().is_none());
    assert_eq!((queue.running(), queue.waiting()), (3, 98));
}

/// With one place, three clients of which two flood get a third of the time each, whatever a job of theirs takes.
#[test]
fn time_is_shared_evenly() {
    for costs in [[10, 10, 10], [1, 10, 100], [100, 1, 7]] {
        let mut queue = FairQueue::new(1);
        let askers = [asker("a", 1), asker("b", 2), asker("c", 3)];
        let mut used = [0_u64; 3];
        for at in 0..3 {
            (0..2).for_each(|_| queue.push(&askers[at], at));
        }
        while used.iter().sum::<u64>() < 100_000 {
            let (who, at) = queue.next().expect("somebody waits");
            used[at] += costs[at];
            queue.push(&askers[at], at);
            queue.ended(&who, costs[at]);
            let largest = costs.iter().max().expect("three");
            let spread = used.iter().max().expect("three") - used.iter().min().expect("three");
            assert!(spread <= 2 * largest, "{used:?} of {costs:?}");
        }
    }
}

/// Many sessions of one identity weigh as much as one.
#[test]
fn sessions_of_one_identity_share_its_part() {
    let mut queue = FairQueue::new(1);
    (0..50).for_each(|session| (0..10).for_each(|_| queue.push(&asker("many", session), "many")));
    (0..500).for_each(|_| queue.push(&asker("one", 1_000), "one"));
    let mut begun = 0;
    for _ in 0..200 {
        let (who, job) = queue.next().expect("somebody waits");
        begun += usize::from(job == "one");
        queue.ended(&who, 1_000);
    }
    assert!((99..=101).contains(&begun), "{begun} of 200");
}

/// A day of idling saves nothing, and work that ended is not held against a client for ever.
#[test]
fn idling_gives_neither_credit_nor_debt() {
    let mut queue = FairQueue::new(1);
    (0..10).for_each(|_| queue.push(&asker("busy", 1), "busy"));
    for _ in 0..8 {
        let (who, _) = queue.next().expect("it waits");
        queue.ended(&who, 1_000);
    }
    (0..10).for_each(|_| queue.push(&asker("idle", 2), "idle"));
    let order: Vec<&str> = (0..4)
        .map(|_| {
            let (who, job) = queue.next().expect("somebody waits");
            queue.ended(&who, 1_000);
            job
        })
        .collect();
    assert_eq!(order.iter().filter(|job| **job == "busy").count(), 2, "{order:?}");
}

#[test]
fn what_is_withdrawn_is_not_begun() {
    let mut queue = FairQueue::new(1);
    queue.push(&asker("a", 1), 1);
    queue.push(&asker("a", 1), 2);
    assert!(queue.remove(&asker("a", 1), &1));
    assert!(!queue.remove(&asker("a", 1), &1));
    assert!(!queue.remove(&asker("b", 1), &2));
    let (who, job) = queue.next().expect("one is left");
    assert_eq!(job, 2);
    assert!(!queue.remove(&who, &job), "it runs");
    queue.ended(&who, 1);
    assert_eq!((queue.running(), queue.waiting()), (0, 0));
}

/// However many come and go, only those are remembered that owe something, up to a limit.
#[test]
fn the_past_takes_bounded_memory() {
    let mut queue = FairQueue::new(1);
    for session in 0..20_000 {
        queue.push(&asker(&format!("client-{}", session % 9_000), session), session);
        let (who, _) = queue.next().expect("it waits");
        queue.ended(&who, session % 50);
    }
    assert!(queue.sessions.len() <= super::REMEMBERED_MAX && queue.identities.len() <= super::REMEMBERED_MAX);
}
