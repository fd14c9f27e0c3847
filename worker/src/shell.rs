//! The worker's loop: one task of the runtime that owns the core and everything that it decides over.
//!
//! A turn takes in all that happened, lets the core settle, does what the core wants, and sends one batch.

use crate::graphs::Graphs;
use crate::inbox::{Inbox, Message};
use crate::job::Completion;
use crate::lanes::Lanes;
use crate::logs::Logs;
use crate::memory::MemoryWatch;
use crate::peers::Peers;
use crate::runner::Runner;
use crate::settings::{WorkerSettings, resident_bytes};
use crate::spiller::Spiller;
use crate::store::Store;
use crate::worker::WorkerError;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::message::{FromWorker, ToWorker};
use wasm_tasks_transport::{ControlReceiver, ControlSender, Incoming, Link, LinkError, Peer};
use wasm_tasks_worker_core::{Actions, ComponentId, Event, FetchId, LaneId, ResultId, WorkerCore};

/// The state of a worker's loop.
pub(crate) struct Shell<R: Runner> {
    pub(crate) core: WorkerCore,
    pub(crate) runner: Arc<R>,
    pub(crate) lanes: Lanes<R>,
    pub(crate) graphs: Graphs<R>,
    pub(crate) modules: Vec<Option<(ComponentId, Arc<R::Module>)>>,
    pub(crate) store: Store,
    pub(crate) spiller: Spiller,
    /// The spilled result that a peer read last: the next piece of it is likely asked for next.
    pub(crate) last_read: Option<(ResultId, Bytes)>,
    /// Pieces of results that are on their way to others.
    pub(crate) giving: u32,
    pub(crate) logs: Logs,
    pub(crate) peers: Peers,
    pub(crate) scheduler: Peer,
    pub(crate) fetches: Vec<Option<(FetchId, AbortHandle)>>,
    pub(crate) inbox: Inbox<R>,
    pub(crate) is_leaving: bool,
    out: Actions,
    start: Instant,
    memory: MemoryWatch,
}

/// What the loop waits for.
struct Sources<R: Runner> {
    orders: ControlReceiver<ToWorker>,
    lanes: Arc<Notify>,
    messages: mpsc::Receiver<Message<R>>,
    incoming: Incoming,
}

impl<R: Runner> Shell<R> {
    pub(crate) fn new(
        settings: &WorkerSettings,
        runner: Arc<R>,
        lanes: Lanes<R>,
        peers: Peers,
        scheduler: Peer,
        inbox: Inbox<R>,
    ) -> Shell<R> {
        Shell {
            core: WorkerCore::new(settings.core()),
            runner,
            lanes,
            graphs: Graphs::new(),
            modules: Vec::new(),
            store: Store::default(),
            spiller: Spiller::new(settings.spill_dir.clone(), settings.spill_above_bytes()),
            last_read: None,
            giving: 0,
            logs: Logs::new(settings.log_bytes_max),
            peers,
            scheduler,
            fetches: Vec::new(),
            inbox,
            is_leaving: false,
            out: Actions::default(),
            start: Instant::now(),
            memory: MemoryWatch::start(),
        }
    }

    /// Runs until the worker leaves or the link is lost. Then every task is stopped and every thread has ended.
    pub(crate) async fn run(
        mut self,
        link: Link<FromWorker, ToWorker>,
        messages: mpsc::Receiver<Message<R>>,
        lanes: Arc<Notify>,
        offer: FromWorker,
    ) -> Result<(), WorkerError> {
        let Link { mut sender, receiver, peer, incoming } = link;
        let mut sources = Sources { orders: receiver, lanes, messages, incoming };
        let mut ended = sender.send(vec![offer]).await;
        while ended.is_ok() && !self.is_leaving {
            ended = self.turn(&mut sources, &mut sender).await;
        }
        if ended.is_ok() {
            ended = sender.finish().await;
        }
        peer.close(if ended.is_ok() { "the worker left" } else { "the worker ended" });
        self.end().await;
        ended.map_err(WorkerError::Link)
    }

    async fn turn(&mut self, sources: &mut Sources<R>, sender: &mut ControlSender<FromWorker>) -> Result<(), LinkError> {
        let wake = self.core.next_timeout().map(|(at, _)| self.start + Duration::from_micros(at.0));
        let timeout = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            orders = sources.orders.recv() => self.obey(orders?),
            () = sources.lanes.notified() => {}
            Some(message) = sources.messages.recv() => self.hear(message),
            Some(request) = sources.incoming.next() => self.serve(request),
            () = timeout => {}
        }
        while let Some(orders) = sources.orders.try_recv() {
            self.obey(orders);
        }
        while let Ok(message) = sources.messages.try_recv() {
            self.hear(message);
        }
        self.settle();
        self.send(sources, sender).await
    }

    /// Everything that is here is taken in; now things are decided and done, until nothing is left to do.
    fn settle(&mut self) {
        loop {
            self.take_completions();
            let now = self.now();
            if self.core.next_timeout().is_some_and(|(at, _)| at <= now) {
                self.feed(Event::TimedOut);
            }
            self.measure_memory();
            self.feed(Event::Settle);
            if self.out.perform.is_empty() {
                return;
            }
            for action in std::mem::take(&mut self.out.perform) {
                self.perform(action);
            }
        }
    }

    fn take_completions(&mut self) {
        let now = self.now();
        // What the core takes for late may have ended.
        let of_all = self.core.next_timeout().is_some_and(|(at, _)| at <= now);
        let Shell { lanes, core, logs, out, .. } = self;
        lanes.drain(of_all, |lane: LaneId, completions: Vec<Completion>| {
            let mut ended = Vec::with_capacity(completions.len());
            for completion in completions {
                if let Some(written) = completion.logs {
                    logs.add(*written);
                }
                ended.push(completion.ended);
            }
            core.handle(now, Event::AttemptsEnded { lane, ended }, out);
        });
    }

    /// Sends what the core wants said. The other side may be behind because it waits for us to take its orders, so those
    /// are taken in meanwhile.
    async fn send(&mut self, sources: &mut Sources<R>, sender: &mut ControlSender<FromWorker>) -> Result<(), LinkError> {
        let batch = std::mem::take(&mut self.out.send);
        if batch.is_empty() {
            return Ok(());
        }
        let mut waiting = Vec::new();
        let sent = {
            let mut sending = std::pin::pin!(sender.send(batch));
            loop {
                tokio::select! {
                    biased;
                    sent = &mut sending => break sent,
                    orders = sources.orders.recv() => waiting.push(orders?),
                }
            }
        };
        waiting.into_iter().for_each(|orders| self.obey(orders));
        if !self.out.perform.is_empty() || !self.out.send.is_empty() {
            // What came meanwhile is settled in the next turn, which must not wait for something else.
            sources.lanes.notify_one();
        }
        sent
    }

    fn obey(&mut self, orders: Vec<ToWorker>) {
        orders.into_iter().for_each(|order| self.feed(Event::Ordered(order)));
    }

    fn hear(&mut self, message: Message<R>) {
        match message {
            Message::Asked(request) => self.serve(request),
            Message::Fetched { fetch, value } => {
                if let Some(entry) =
                    self.fetches.get_mut(fetch.index()).filter(|entry| entry.as_ref().is_some_and(|(at, _)| *at == fetch))
                {
                    *entry = None;
                }
                let bytes = value.as_ref().map_or(0, |value| value.len() as u64);
                self.feed(Event::FetchEnded { fetch, value, bytes });
            }
            Message::DataLoaded { graph, position, result } => self.feed(Event::DataLoaded { graph, position, result }),
            Message::ComponentLoaded { component, took, result } => {
                let result = result.map(|module| self.keep_module(component, module));
                self.feed(Event::ComponentLoaded { component, took, result });
            }
            Message::Spilled { result, took, file } => self.on_spilled(result, took, file),
            Message::ReadBack { result, bytes } => {
                if self.store.get(result).is_some() {
                    self.last_read = Some((result, bytes));
                }
            }
            Message::Gave { bytes } => {
                self.giving -= 1;
                self.feed(Event::Gave { bytes, going_on: self.giving });
            }
            Message::Drain(within) => self.feed(Event::Drain { within }),
        }
    }

    fn keep_module(&mut self, component: ComponentId, module: Arc<R::Module>) {
        if self.modules.len() <= component.index() {
            self.modules.resize_with(component.index() + 1, || None);
        }
        self.modules[component.index()] = Some((component, module));
    }

    pub(crate) fn feed(&mut self, event: Event) {
        let now = self.now();
        self.core.handle(now, event, &mut self.out);
    }

    /// The heartbeat's numbers.
    pub(crate) fn send_heartbeat(&mut self) {
        self.out.send.push(FromWorker::Heartbeat {
            stored_bytes: self.store.memory_bytes(),
            spilled_bytes: self.store.spilled_bytes(),
            resident_bytes: resident_bytes(),
            instantiations: self.runner.instantiations(),
        });
    }

    /// Tells the core of the memory, when that is news.
    fn measure_memory(&mut self) {
        if let Some((stored_bytes, process_bytes)) = self.memory.look(self.store.memory_bytes()) {
            self.feed(Event::MemoryMeasured { stored_bytes, process_bytes });
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Stops errands and threads.
    async fn end(mut self) {
        self.fetches.iter().flatten().for_each(|(_, fetch)| fetch.abort());
        self.spiller.close();
        let lanes = self.lanes;
        if tokio::task::spawn_blocking(move || lanes.close()).await.is_err() {
            tracing::error!("the threads that run tasks could not be ended");
        }
    }
}
