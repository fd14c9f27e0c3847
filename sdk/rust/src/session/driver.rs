//! Joins a session's ledger with its graph in the cluster: sends what is to be sent, hears what became of it.

use super::Shared;
use super::error::FutureError;
use super::ledger::Prepared;
use crate::client::{Growing, Grown, Growth};
use crate::error::ClientError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Appending = Pin<Box<dyn Future<Output = Result<(), ClientError>> + Send>>;

/// Runs until the session is over.
pub(super) async fn drive(shared: Arc<Shared>, growing: Growing, mut growth: Growth) {
    let error = match serve(&shared, &growing, &mut growth).await {
        Ok(()) => ClientError::Answer("the session is over"),
        Err(error) => error,
    };
    shared.ledger().end(FutureError::Client(error));
    if !shared.is_published.load(Ordering::Acquire) {
        // Without a connection the scheduler has let go of it already.
        drop(growing.release_all().await);
    }
}

async fn serve(shared: &Shared, growing: &Growing, growth: &mut Growth) -> Result<(), ClientError> {
    let mut appending: Option<Appending> = None;
    while !shared.is_over.load(Ordering::Acquire) {
        let (releases, cancels) = shared.ledger().take_orders();
        if !releases.is_empty() && !shared.is_published.load(Ordering::Acquire) {
            growing.release(releases).await?;
        }
        if !cancels.is_empty() {
            growing.cancel(cancels).await?;
        }
        if appending.is_none() {
            let prepared = shared.ledger().next_fragment();
            appending = prepared.map(|prepared| append(growing.clone(), prepared));
        }
        tokio::select! {
            () = shared.changed.notified() => {}
            result = async { appending.as_mut().expect("it is under way").await }, if appending.is_some() => {
                appending = None;
                match result {
                    Ok(()) => shared.ledger().appended(),
                    Err(error) if error.is_connection() => return Err(error),
                    Err(error) => shared.ledger().refused(error),
                }
            }
            grown = growth.next() => match grown? {
                Grown::Output(output, result) => shared.ledger().output(output, result),
                Grown::Failed(failure) => shared.ledger().failed(*failure),
                Grown::Quiet => shared.ledger().quiet(),
            },
        }
    }
    Ok(())
}

fn append(growing: Growing, prepared: Prepared) -> Appending {
    Box::pin(async move {
        for component in prepared.uploads {
            growing.upload(component).await?;
        }
        growing.append(&prepared.tables).await.map(drop)
    })
}
