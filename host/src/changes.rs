//! What changes in the cluster, for whoever wants to be told. However many they are, the cluster is asked once for
//! all of them, and only while there is somebody; figures such as CPU load do not count as changes.

mod snapshot;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proxmox_api::methods::{GET_CLUSTER_RESOURCES, GET_CLUSTER_TASKS};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::approvals::Consent;
use crate::calls::Tools;
use crate::watch::{Caller, Watch, called_by};
pub(crate) use snapshot::Topic;
use snapshot::{Seen, Snapshot};

/// How often the cluster is asked.
pub const EVERY: Duration = Duration::from_secs(10);
/// How many topics are watched at one time.
pub(crate) const MAX_TOPICS: usize = 256;
/// How long somebody new waits to learn how things are now.
const PATIENCE: Duration = Duration::from_secs(5);

/// The one that asks.
pub(crate) struct Feed {
    tools: Arc<Tools>,
    every: Duration,
    latest: watch::Sender<Option<Arc<Snapshot>>>,
    /// Whether somebody is asking at this time.
    asks: Mutex<bool>,
    /// Something is wanted that was not asked for the last time.
    hurry: Notify,
    places: Arc<Semaphore>,
    wanted: Wanted,
}

/// How many topics there are of what takes a request of its own.
#[derive(Default)]
struct Wanted {
    resources: AtomicUsize,
    tasks: AtomicUsize,
}

impl Wanted {
    fn of(&self, topic: &Topic) -> &AtomicUsize {
        match topic {
            Topic::Task(_) => &self.tasks,
            _ => &self.resources,
        }
    }
}

impl Feed {
    /// A feed that asks this often.
    pub(crate) fn new(tools: Arc<Tools>, every: Duration) -> Arc<Self> {
        Arc::new(Self {
            tools,
            every,
            latest: watch::Sender::new(None),
            asks: Mutex::new(false),
            hurry: Notify::new(),
            places: Arc::new(Semaphore::new(MAX_TOPICS)),
            wanted: Wanted::default(),
        })
    }

    /// How many topics more can be watched.
    pub(crate) fn room(&self) -> usize {
        self.places.available_permits()
    }

    /// Begins to watch these topics. `None` where that would be too many.
    pub(crate) async fn watch(self: &Arc<Self>, topics: Vec<Topic>) -> Option<Changes> {
        let count = u32::try_from(topics.len()).ok()?;
        let places = self.places.clone().try_acquire_many_owned(count).ok()?;
        for topic in &topics {
            self.wanted.of(topic).fetch_add(1, Ordering::SeqCst);
        }
        let topics = topics.into_iter().map(|topic| (topic, Seen::default())).collect();
        let mut changes =
            Changes { feed: self.clone(), updates: self.latest.subscribe(), topics, _places: places };
        self.ask();
        changes.begin().await;
        Some(changes)
    }

    fn asks(&self) -> MutexGuard<'_, bool> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that somebody asks.
    fn ask(self: &Arc<Self>) {
        let mut asks = self.asks();
        if std::mem::replace(&mut *asks, true) {
            return;
        }
        self.latest.send_replace(None);
        // On behalf of whoever came first.
        tokio::spawn(called_by(Caller::current(), self.clone().go_on_asking()));
    }

    async fn go_on_asking(self: Arc<Self>) {
        let eyes = self.tools.eyes(&Consent::impossible("nobody called"));
        loop {
            match self.snapshot(&eyes).await {
                Ok(snapshot) => drop(self.latest.send_replace(Some(Arc::new(snapshot)))),
                Err(error) => tracing::info!("what changed could not be found out: {error:#}"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = self.hurry.notified() => {}
            }
            let mut asks = self.asks();
            if self.latest.receiver_count() == 0 {
                *asks = false;
                return;
            }
        }
    }

    async fn snapshot(&self, eyes: &Watch) -> anyhow::Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        if self.wanted.resources.load(Ordering::SeqCst) > 0 {
            let body = self.tools.read(eyes, &GET_CLUSTER_RESOURCES, "/cluster/resources").await?;
            snapshot.add_resources(&body)?;
        }
        if self.wanted.tasks.load(Ordering::SeqCst) > 0 {
            let body = self.tools.read(eyes, &GET_CLUSTER_TASKS, "/cluster/tasks").await?;
            snapshot.add_tasks(&body)?;
        }
        Ok(snapshot)
    }
}

/// Some topics under watch. Dropping it ends that.
pub(crate) struct Changes {
    feed: Arc<Feed>,
    updates: watch::Receiver<Option<Arc<Snapshot>>>,
    topics: Vec<(Topic, Seen)>,
    _places: OwnedSemaphorePermit,
}

impl Changes {
    /// Learns how things are now.
    async fn begin(&mut self) {
        let topics = &self.topics;
        let knows = |snapshot: &Option<Arc<Snapshot>>| {
            snapshot.as_ref().is_some_and(|snapshot| topics.iter().all(|(topic, _)| snapshot.knows(topic)))
        };
        if self.updates.borrow().is_some() && !knows(&self.updates.borrow()) {
            self.feed.hurry.notify_one();
        }
        // Where the cluster does not answer, what it says first counts as how things were.
        drop(tokio::time::timeout(PATIENCE, self.updates.wait_for(knows)).await);
        self.look();
    }

    /// Waits for a change, and gives the places of the topics that changed.
    pub(crate) async fn next(&mut self) -> Vec<usize> {
        loop {
            if self.updates.changed().await.is_err() {
                return std::future::pending().await;
            }
            let changed = self.look();
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    fn look(&mut self) -> Vec<usize> {
        let Some(snapshot) = self.updates.borrow_and_update().clone() else { return Vec::new() };
        let topics = self.topics.iter_mut().enumerate();
        topics.filter_map(|(at, (topic, seen))| snapshot.differs(topic, seen).then_some(at)).collect()
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        for (topic, _) in &self.topics {
            self.feed.wanted.of(topic).fetch_sub(1, Ordering::SeqCst);
        }
    }
}
