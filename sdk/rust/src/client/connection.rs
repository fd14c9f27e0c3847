//! One link to a scheduler: sends, and hands what comes in to whoever it is for. Knows no graph files.

use super::follow::Followed;
use crate::error::ClientError;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{mpsc, oneshot};
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::message::{FromClient, Query, Refusal, ReplyHead, Request, ToClient};
use wasm_tasks_transport::{ControlReceiver, ControlSender, Link, LinkError, Peer};

/// The connection. Dropping it closes the link.
pub(super) struct Connection {
    sender: tokio::sync::Mutex<ControlSender<FromClient>>,
    peer: Peer,
    routes: Arc<Mutex<Routes>>,
    reader: tokio::task::JoinHandle<()>,
}

/// Who waits for what.
#[derive(Default)]
struct Routes {
    graphs: HashMap<GraphId, Weak<Followed>>,
    /// Graphs of which every message is wanted, as it came.
    listeners: HashMap<GraphId, mpsc::UnboundedSender<Result<ToClient, ClientError>>>,
    /// How many parts of this client need each graph: the last one to let go tells the scheduler.
    holders: HashMap<GraphId, usize>,
    questions: HashMap<u64, oneshot::Sender<Result<String, Refusal>>>,
    last_question: u64,
    /// Why nothing more will come.
    lost: Option<LinkError>,
}

fn lock(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Says hello and begins to listen.
    pub(super) async fn open(link: Link<FromClient, ToClient>) -> Result<Connection, ClientError> {
        let Link { sender, receiver, peer, incoming, .. } = link;
        let routes = Arc::new(Mutex::new(Routes::default()));
        let reader = tokio::spawn({
            let routes = routes.clone();
            async move {
                // A scheduler asks nothing of its clients, but the link's requests must have an owner.
                let _incoming = incoming;
                read(receiver, &routes).await;
            }
        });
        let connection = Connection { sender: tokio::sync::Mutex::new(sender), peer, routes, reader };
        connection.send(FromClient::Opened { name: format!("wasm-tasks {}", env!("CARGO_PKG_VERSION")) }).await?;
        Ok(connection)
    }

    /// Sends one message.
    pub(super) async fn send(&self, message: FromClient) -> Result<(), ClientError> {
        self.sender.lock().await.send(vec![message]).await.map_err(|error| self.why(error))
    }

    /// Makes a request on a stream of its own.
    pub(super) async fn request(&self, request: Request, body: Bytes) -> Result<(ReplyHead, Bytes), ClientError> {
        self.peer.request(request, body).await.map_err(|error| self.why(error))
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&self, query: Query) -> Result<String, ClientError> {
        self.answered(|number| FromClient::Ask { number, query }).await
    }

    /// Sends a message that is answered once, under the number that it is made with.
    pub(super) async fn answered(&self, make: impl FnOnce(u64) -> FromClient) -> Result<String, ClientError> {
        let (answer, receiver) = oneshot::channel();
        let number = {
            let mut routes = lock(&self.routes);
            if let Some(error) = &routes.lost {
                return Err(ClientError::Lost(error.clone()));
            }
            routes.last_question += 1;
            let number = routes.last_question;
            routes.questions.insert(number, answer);
            number
        };
        self.send(make(number)).await?;
        match receiver.await {
            Ok(answer) => answer.map_err(ClientError::Refused),
            Err(_) => Err(self.why(LinkError::Closed { reason: "the connection ended".to_owned() })),
        }
    }

    /// Begins to keep what is said of a graph; without the number of outputs there are none.
    pub(super) fn follow(&self, graph: GraphId, outputs: Option<usize>) -> Arc<Followed> {
        let mut routes = lock(&self.routes);
        if let Some(followed) = routes.graphs.get(&graph).and_then(Weak::upgrade) {
            return followed;
        }
        routes.graphs.retain(|_, followed| followed.strong_count() > 0);
        let followed = Arc::new(Followed::new(outputs.unwrap_or_default()));
        match &routes.lost {
            Some(error) => followed.end(ClientError::Lost(error.clone())),
            None => drop(routes.graphs.insert(graph, Arc::downgrade(&followed))),
        }
        followed
    }

    /// Everything that is said of a graph from now on. Not bounded: it is what the client asked for, output by output.
    pub(super) fn listen(&self, graph: GraphId) -> mpsc::UnboundedReceiver<Result<ToClient, ClientError>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut routes = lock(&self.routes);
        routes.listeners.retain(|_, listener| !listener.is_closed());
        match &routes.lost {
            // The receiver is here, so this cannot fail.
            Some(error) => drop(sender.send(Err(ClientError::Lost(error.clone())))),
            None => drop(routes.listeners.insert(graph, sender)),
        }
        receiver
    }

    /// Somebody of this client needs the graph's results.
    pub(super) fn hold(&self, graph: GraphId) {
        *lock(&self.routes).holders.entry(graph).or_default() += 1;
    }

    /// The opposite of [`Connection::hold`]. Whether nobody needs them any more.
    pub(super) fn let_go(&self, graph: GraphId) -> bool {
        let mut routes = lock(&self.routes);
        let Some(holders) = routes.holders.get_mut(&graph) else { return false };
        *holders -= 1;
        if *holders > 0 {
            return false;
        }
        routes.holders.remove(&graph);
        true
    }

    /// The first reason why the link ended says more than what failed because of it.
    fn why(&self, error: LinkError) -> ClientError {
        ClientError::Lost(lock(&self.routes).lost.clone().unwrap_or(error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // With its last part the link closes, after what was sent has arrived.
        self.reader.abort();
    }
}

async fn read(mut receiver: ControlReceiver<ToClient>, routes: &Mutex<Routes>) {
    let error = loop {
        match receiver.recv().await {
            Ok(batch) => batch.into_iter().for_each(|message| handle(message, routes)),
            Err(error) => break error,
        }
    };
    let (graphs, questions, listeners) = {
        let mut routes = lock(routes);
        routes.lost = Some(error.clone());
        let Routes { graphs, questions, listeners, .. } = &mut *routes;
        (std::mem::take(graphs), std::mem::take(questions), std::mem::take(listeners))
    };
    drop(questions);
    // Who listened may have gone.
    listeners.into_values().for_each(|listener| drop(listener.send(Err(ClientError::Lost(error.clone())))));
    graphs.values().filter_map(Weak::upgrade).for_each(|followed| followed.end(ClientError::Lost(error.clone())));
}

fn handle(message: ToClient, routes: &Mutex<Routes>) {
    let graph = match &message {
        ToClient::Progress { graph, .. }
        | ToClient::Outputs { graph, .. }
        | ToClient::TaskFailed { graph, .. }
        | ToClient::Finished { graph, .. }
        | ToClient::UnknownGraph(graph) => *graph,
        ToClient::Welcome { name } => return tracing::debug!(scheduler = %name, "connected"),
        ToClient::Answer { .. } => return answer(message, routes),
    };
    let (listener, followed) = {
        let routes = lock(routes);
        (routes.listeners.get(&graph).cloned(), routes.graphs.get(&graph).and_then(Weak::upgrade))
    };
    if let Some(listener) = listener {
        // Who listened may have gone.
        return drop(listener.send(Ok(message)));
    }
    if let Some(followed) = followed {
        followed.handle(message);
    }
}

fn answer(message: ToClient, routes: &Mutex<Routes>) {
    if let ToClient::Answer { number, answer } = message
        && let Some(asker) = lock(routes).questions.remove(&number)
    {
        // Who asked may have gone.
        drop(asker.send(answer));
    }
}
