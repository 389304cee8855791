//! Threads beside the first one, for a client that asks many things at a time.
//!
//! The first thread has the client's messages and the connections to Proxmox VE, and runs the instances too as long as
//! they are few: handing a lone call to another thread costs more than it gives. Others run in the crew.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// Threads of a crew at most.
const MAX_THREADS: usize = 3;

/// The threads. They are started when they are first needed.
#[derive(Default)]
pub struct Crew(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    NotNeeded,
    Running(Runtime),
    Ended,
}

impl Crew {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it works. `None` where the system gives no threads, and after the end.
    pub(crate) fn at_work(&self) -> Option<Handle> {
        let mut state = self.state();
        if let State::NotNeeded = *state {
            // The first thread goes on with what it has, so it counts.
            let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let threads = cores.saturating_sub(1).clamp(1, MAX_THREADS);
            let runtime =
                Builder::new_multi_thread().worker_threads(threads).thread_name("crew").enable_all().build();
            *state = match runtime {
                Ok(runtime) => State::Running(runtime),
                Err(error) => {
                    tracing::info!(%error, "no further threads");
                    State::Ended
                }
            };
        }
        match &*state {
            State::Running(runtime) => Some(runtime.handle().clone()),
            State::NotNeeded | State::Ended => None,
        }
    }

    /// Drops what still runs there, and waits for that, but no longer than `within`. Not to be called from
    /// asynchronous code.
    pub fn end(&self, within: Duration) {
        if let State::Running(runtime) = std::mem::replace(&mut *self.state(), State::Ended) {
            runtime.shutdown_timeout(within);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // Whoever drops it last may not wait.
        if let State::Running(runtime) = std::mem::replace(&mut *self.state(), State::Ended) {
            runtime.shutdown_background();
        }
    }
}

/// Does the work elsewhere. Dropping the future ends the work; a panic of the work is one here.
pub(crate) async fn work_at<T: Send + 'static>(
    place: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut running = JoinSet::new();
    running.spawn_on(work, place);
    match running.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        // The place is being shut down, and so will be whoever waits here.
        Some(Err(_)) | None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_on_threads_of_the_crew() {
        let crew = Crew::default();
        let place = crew.at_work().unwrap();
        let name = work_at(&place, async { std::thread::current().name().map(str::to_owned) }).await;
        assert_eq!(name.as_deref(), Some("crew"));
        assert_eq!(crew.at_work().unwrap().id(), place.id(), "one crew");
    }

    #[tokio::test]
    async fn whoever_goes_away_ends_the_work() {
        struct Tells(Option<oneshot::Sender<()>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let crew = Crew::default();
        let ((begun, has_begun), (ended, has_ended)) = (oneshot::channel(), oneshot::channel());
        let tells = Tells(Some(ended));
        let work = async move {
            let _tells = tells;
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        };
        let place = crew.at_work().unwrap();
        tokio::select! {
            () = work_at(&place, work) => unreachable!(),
            begun = has_begun => begun.unwrap(),
        }
        tokio::time::timeout(Duration::from_secs(30), has_ended).await.unwrap().unwrap();
    }

    #[test]
    fn the_end_drops_what_runs_and_is_the_end() {
        let crew = Crew::default();
        let held = Arc::new(());
        let work = held.clone();
        let (begun, has_begun) = oneshot::channel();
        crew.at_work().unwrap().spawn(async move {
            let _held = work;
            let _ = begun.send(());
            std::future::pending::<()>().await;
        });
        has_begun.blocking_recv().unwrap();
        crew.end(Duration::from_secs(10));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(crew.at_work().is_none());
    }

    #[tokio::test]
    #[should_panic(expected = "of the work")]
    async fn a_panic_is_not_lost() {
        let crew = Crew::default();
        work_at(&crew.at_work().unwrap(), async { panic!("of the work") }).await
    }
}
