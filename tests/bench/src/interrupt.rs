//! What happens when somebody ends a run early: the fleet and the peer are in process groups of their own and
//! must be ended too.

use crate::{fleet, peer};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT and SIGTERM on a thread of its own; then ends what was started in the folder `run`, and this process.
pub(crate) fn watch(run: PathBuf) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listen = || Ok::<_, std::io::Error>((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?));
    let (mut interrupt, mut terminate) = runtime.block_on(async { listen() })?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        fleet::end(&run);
        peer::end(&run);
        // Processes that are ending may still write their logs there.
        drop(std::fs::remove_dir_all(&run));
        std::process::exit(130);
    });
    Ok(())
}
