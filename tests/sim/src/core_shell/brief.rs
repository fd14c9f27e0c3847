//! Events as one line each, for traces. Knows nothing of what they do.

use wasm_tasks_scheduler_core::Event;

/// An event without the parts of it that fill pages.
pub(super) fn brief(event: &Event) -> String {
    match event {
        Event::GraphSubmitted { graph, plan } => format!("GraphSubmitted {graph} of {} tasks", plan.functions.len()),
        Event::GraphExtended { graph, plan } => format!("GraphExtended {graph} by {} tasks", plan.functions.len()),
        Event::OutputsReleased { .. }
        | Event::GraphCancelled(_)
        | Event::ReplicasWanted { .. }
        | Event::TasksCancelled { .. }
        | Event::GraphReleased(_)
        | Event::WorkerJoined { .. }
        | Event::WorkerLost(_)
        | Event::ResultUnreadable { .. }
        | Event::WorkerLeaving(_)
        | Event::WorkerStored { .. }
        | Event::WorkerPaused { .. }
        | Event::WorkerDraining { .. }
        | Event::DrainWorker { .. }
        | Event::ReplicasMissing { .. }
        | Event::WorkerMeasured { .. }
        | Event::BytesFetched { .. }
        | Event::ResultSpilled { .. }
        | Event::ComponentLoaded { .. }
        | Event::ComponentUnloaded { .. }
        | Event::BytesGiven { .. }
        | Event::AttemptFinished { .. }
        | Event::AttemptFailed { .. }
        | Event::AttemptDelegated { .. }
        | Event::AttemptsStarted { .. }
        | Event::Retracted { .. }
        | Event::InputMissing { .. }
        | Event::ReplicasAdded { .. }
        | Event::Tick
        | Event::Settle => format!("{event:?}"),
    }
}
