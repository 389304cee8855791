//! Answers of Proxmox VE as they may be handed on: received whole, bounded in size and time, without the API token
//! and other [`secrets`].
//!
//! What one request of a client reads more than once at the same time is asked for once: by one call, or by the calls
//! that a prompt is made of. Requests of their own share nothing: they would wait for each other and go on all at
//! once, which leaves the processor idle first and makes a queue then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use proxmox_api::Method;
use proxmox_gate::Permit;

use crate::crew;
use crate::echo::Echo;
use crate::egress::{Egress, SendError, is_repeatable};
use crate::secrets;

/// An answer about 20,000 guests is 8 MiB.
pub(crate) const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Longest wait for the body of an answer whose head has come.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<HeaderValue>,
    /// The reason phrase, printable and short.
    pub(crate) reason: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// Why there is none.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Not even the head of one came.
    #[error(transparent)]
    Unanswered(#[from] SendError),
    /// It is larger than [`MAX_ANSWER`].
    #[error("the answer is larger than {} MiB", MAX_ANSWER >> 20)]
    TooLarge(StatusCode),
    /// It came too slowly.
    #[error("the answer did not come to its end in time")]
    TooSlow(StatusCode),
    /// It broke off.
    #[error("the answer breaks off")]
    Broken(StatusCode),
}

impl Failure {
    /// The status of what came, if anything did.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Failure::Unanswered(_) => None,
            Failure::TooLarge(status) | Failure::TooSlow(status) | Failure::Broken(status) => Some(*status),
        }
    }
}

type Outcome = Result<Received, Failure>;
type UnderWay = BoxFuture<'static, Outcome>;

/// Reads that are under way for one request of a client, by path and query.
#[derive(Default)]
pub(crate) struct Reads(Mutex<HashMap<String, WeakShared<UnderWay>>>);

tokio::task_local! {
    // As the caller is: nothing between a prompt and the boundary has a say in it.
    static TOGETHER: Arc<Reads>;
}

/// The answer that is to come, for who asks now. What has come is of the past, even if nobody has looked at it yet.
fn to_come(read: &WeakShared<UnderWay>) -> Option<Shared<UnderWay>> {
    read.upgrade().filter(|answer| answer.peek().is_none())
}

impl Reads {
    /// Those of the work at hand; where it shares with no other work, new ones.
    pub(crate) fn current() -> Arc<Self> {
        TOGETHER.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does this work, whose calls share reads with whatever else is done so.
    pub(crate) async fn shared_by<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        TOGETHER.scope(self, work).await
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, WeakShared<UnderWay>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The read of this that is under way, or else the one that `begin` gives.
    fn join(&self, target: &str, begin: impl FnOnce() -> UnderWay) -> Shared<UnderWay> {
        let mut all = self.all();
        if let Some(answer) = all.get(target).and_then(to_come) {
            return answer;
        }
        all.retain(|_, read| to_come(read).is_some());
        let answer = begin().shared();
        if let Some(weak) = answer.downgrade() {
            all.insert(target.to_owned(), weak);
        }
        answer
    }

    /// Nobody joins from here on what is under way now.
    fn part(&self) {
        self.all().clear();
    }
}

impl Egress {
    /// Sends what the gate permitted, and receives the answer, shared with whoever of these reads the same.
    ///
    /// # Errors
    /// [`Failure`] where there is none. An answer of any status is not an error.
    pub(crate) async fn receive(self: &Arc<Self>, permit: Permit, reads: &Reads) -> Outcome {
        let method = permit.method();
        if !method.verb.reads() {
            reads.part();
            let outcome = self.receive_own(permit).await;
            reads.part();
            return outcome;
        }
        if !is_repeatable(method) {
            return self.receive_own(permit).await;
        }
        let target = permit.path_and_query().to_owned();
        let egress = self.clone();
        reads.join(&target, || async move { egress.receive_own(permit).await }.boxed()).await
    }

    /// The same, sharing it with nobody: for what the host decides by.
    ///
    /// # Errors
    /// As [`Egress::receive`].
    pub(crate) async fn receive_own(self: &Arc<Self>, permit: Permit) -> Outcome {
        let Some(home) = self.home_of_others() else { return self.receive_here(permit).await };
        let egress = self.clone();
        crew::work_at(home, async move { egress.receive_here(permit).await }).await
    }

    async fn receive_here(&self, permit: Permit) -> Outcome {
        let method = permit.method();
        let answer = self.send(permit).await?;
        whole(method, answer, self.echo()).await
    }
}

async fn whole(method: &Method, answer: Response<Incoming>, echo: &Echo) -> Outcome {
    let status = answer.status();
    let content_type =
        answer.headers().get(CONTENT_TYPE).filter(|value| !echo.is_in(value.as_bytes())).cloned();
    let reason = answer.extensions().get::<ReasonPhrase>();
    let reason = reason.and_then(|reason| reason_header(reason.as_bytes(), echo));
    let body = echo.taken_out(body_of(answer).await?);
    let body = secrets::taken_out(method, status, &body).map(Bytes::from).unwrap_or(body);
    Ok(Received { status, content_type, reason, body })
}

/// The body of an answer, bounded in size and time.
async fn body_of(answer: Response<Incoming>) -> Result<Bytes, Failure> {
    let status = answer.status();
    let announced = answer.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_ANSWER) {
        return Err(Failure::TooLarge(status));
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::TooLarge(status)),
        Ok(Err(_)) => Err(Failure::Broken(status)),
        Err(_) => Err(Failure::TooSlow(status)),
    }
}

/// Reason phrases may hold Latin-1 and, in theory, anything; what is not printable ASCII becomes `?`.
fn reason_header(reason: &[u8], echo: &Echo) -> Option<HeaderValue> {
    let reason = echo.taken_out(Bytes::copy_from_slice(reason));
    let printable = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '?' };
    let reason: String = reason.iter().take(500).map(printable).collect();
    HeaderValue::from_str(&secrets::text(&reason).unwrap_or(reason)).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn a_reason_phrase_cannot_smuggle_control_characters() {
        let echo = Echo::of(&HeaderValue::from_static("PVEAPIToken=a@b!c=d-e-f"));
        let header =
            reason_header(b"no \xe9 such\r\nX-Evil: 1", &echo).map(|v| v.to_str().map(str::to_owned));
        assert_eq!(header.unwrap().unwrap(), "no ? such??X-Evil: 1");
    }

    /// Reads that end when told to, each with the number of those that had begun before it.
    #[derive(Default)]
    struct Slow {
        reads: Reads,
        begun: AtomicU32,
        end: Arc<Notify>,
    }

    impl Slow {
        fn read(&self, target: &str) -> Shared<UnderWay> {
            let begin = || {
                let number = self.begun.fetch_add(1, Ordering::SeqCst);
                let end = self.end.clone();
                let answer = async move {
                    end.notified().await;
                    let body = Bytes::from(number.to_string());
                    Ok(Received { status: StatusCode::OK, content_type: None, reason: None, body })
                };
                answer.boxed()
            };
            self.reads.join(target, begin)
        }

        fn begun(&self) -> u32 {
            self.begun.load(Ordering::SeqCst)
        }
    }

    async fn body(read: Shared<UnderWay>) -> Bytes {
        read.await.unwrap().body
    }

    #[tokio::test]
    async fn who_reads_the_same_at_the_same_time_shares_one_request() {
        let slow = Slow::default();
        let (first, second, other) = (slow.read("/a"), slow.read("/a"), slow.read("/b"));
        assert_eq!(slow.begun(), 2);
        // Whoever began it may go away.
        drop(first);
        let ends = async {
            tokio::task::yield_now().await;
            slow.end.notify_waiters();
        };
        let ((second, other), ()) = tokio::join!(async { tokio::join!(body(second), body(other)) }, ends);
        assert_eq!((&*second, &*other), (&b"0"[..], &b"1"[..]));
    }

    #[tokio::test]
    async fn what_has_come_or_was_given_up_is_asked_for_anew() {
        let slow = Slow::default();
        let (first, kept) = (slow.read("/a"), slow.read("/a"));
        slow.end.notify_one();
        assert_eq!(body(first).await, "0");
        // One of those who shared it has not looked yet.
        let second = slow.read("/a");
        assert_eq!((slow.begun(), &*body(kept).await), (2, &b"0"[..]));
        drop(second);
        let _third = slow.read("/a");
        assert_eq!(slow.begun(), 3);
    }

    #[tokio::test]
    async fn only_what_is_done_together_shares() {
        assert!(!Arc::ptr_eq(&Reads::current(), &Reads::current()));
        let both = Arc::new(Reads::default());
        let reads = |both: &Arc<Reads>| both.clone().shared_by(async { Reads::current() });
        assert!(Arc::ptr_eq(&reads(&both).await, &reads(&both).await));
    }

    #[test]
    fn after_a_change_nobody_gets_what_was_read_before() {
        let slow = Slow::default();
        let _before = slow.read("/a");
        slow.reads.part();
        let _after = slow.read("/a");
        assert_eq!(slow.begun(), 2);
    }
}
