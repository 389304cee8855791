//! The tasks that this process knows: what it follows, and what came of what it followed. It is a convenience:
//! what is not in it is found out from the id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rmcp::model::JsonObject;
use tokio::task::AbortHandle;

use crate::watch::Watch;

/// How many tasks are followed at one time. A call that would be one more is waited for as if there were no tasks.
const MAX_FOLLOWED: usize = 64;
/// How many tasks are known at one time. Of those that are not followed, the oldest goes first.
const MAX_KNOWN: usize = 256;

/// How far a task is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It goes on, with how far it is in a line, and what the tool left behind where nobody here follows it.
    Working { message: String, continuation: Option<String> },
    /// It came to this result.
    Over(JsonObject),
    /// It was stopped by the client.
    Cancelled,
}

struct Known {
    state: State,
    changed: SystemTime,
    follower: Option<(AbortHandle, Arc<Watch>)>,
    /// Its place in the order in which they came.
    number: u64,
}

#[derive(Default)]
struct Pages {
    known: HashMap<String, Known>,
    next: u64,
}

/// All tasks that are known.
#[derive(Default)]
pub(in crate::mcp) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more can be followed.
    pub(super) fn has_room(&self) -> bool {
        self.pages().known.values().filter(|known| known.follower.is_some()).count() < MAX_FOLLOWED
    }

    /// How far a task is, and since when; nothing where that is not known.
    pub(super) fn look_up(&self, id: &str) -> Option<(State, SystemTime)> {
        self.pages().known.get(id).map(|known| (known.state.clone(), known.changed))
    }

    /// The eyes of a call that is followed.
    pub(super) fn eyes(&self, id: &str) -> Option<Arc<Watch>> {
        self.pages().known.get(id)?.follower.as_ref().map(|(_, eyes)| eyes.clone())
    }

    /// A task is followed by this from now on, unless it is over already.
    pub(super) fn follow(&self, id: &str, follower: AbortHandle, eyes: Arc<Watch>) {
        if let Some(known) = self.pages().known.get_mut(id).filter(|known| !known.state.is_over()) {
            known.follower = Some((follower, eyes));
        }
    }

    /// Notes how far a task is. What is over stays as it is.
    pub(super) fn note(&self, id: &str, state: State) {
        let mut pages = self.pages();
        if let Some(known) = pages.known.get_mut(id) {
            known.note(state);
            return;
        }
        pages.make_room();
        let number = pages.next;
        pages.next += 1;
        let known = Known { state, changed: SystemTime::now(), follower: None, number };
        pages.known.insert(id.to_owned(), known);
    }

    /// Notes that a task was stopped by the client, and follows it no more. That the follower may have seen it end
    /// by that a moment before makes no difference.
    pub(super) fn cancel(&self, id: &str) {
        self.note(id, State::Cancelled);
        if let Some(known) = self.pages().known.get_mut(id) {
            known.state = State::Cancelled;
        }
    }
}

impl State {
    fn is_over(&self) -> bool {
        !matches!(self, State::Working { .. })
    }
}

impl Known {
    fn note(&mut self, state: State) {
        if self.state.is_over() {
            return;
        }
        if self.state != state {
            self.changed = SystemTime::now();
        }
        self.state = state;
        if self.state.is_over()
            && let Some((follower, _)) = self.follower.take()
            && self.state == State::Cancelled
        {
            follower.abort();
        }
    }
}

impl Pages {
    fn make_room(&mut self) {
        while self.known.len() >= MAX_KNOWN {
            let idle = self.known.iter().filter(|(_, known)| known.follower.is_none());
            let Some(oldest) = idle.min_by_key(|(_, known)| known.number).map(|(id, _)| id.clone()) else {
                return;
            };
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn working(message: &str) -> State {
        State::Working { message: message.to_owned(), continuation: None }
    }

    #[test]
    fn what_is_over_stays_over() {
        let book = Book::default();
        assert_eq!(book.look_up("a"), None);
        book.note("a", working("1"));
        book.note("a", working("2"));
        assert_eq!(book.look_up("a").unwrap().0, working("2"));
        book.cancel("a");
        book.note("a", State::Over(JsonObject::new()));
        book.note("a", working("3"));
        assert_eq!(book.look_up("a").unwrap().0, State::Cancelled);
    }

    #[tokio::test]
    async fn the_number_of_tasks_has_its_limits() {
        let book = Book::default();
        let watch = Arc::new(crate::watch::Safeguards::default()).watch(None);
        let followers: Vec<_> = (0..MAX_FOLLOWED)
            .map(|number| {
                assert!(book.has_room());
                let id = number.to_string();
                book.note(&id, working(""));
                let follower = tokio::spawn(std::future::pending::<()>());
                book.follow(&id, follower.abort_handle(), watch.clone());
                follower
            })
            .collect();
        assert!(!book.has_room());
        for number in MAX_FOLLOWED..2 * MAX_KNOWN {
            book.note(&number.to_string(), working(""));
        }
        let known = |number: usize| book.look_up(&number.to_string()).is_some();
        assert_eq!(book.pages().known.len(), MAX_KNOWN);
        assert!(known(0) && !known(MAX_FOLLOWED) && known(2 * MAX_KNOWN - 1), "what is followed stays");
        book.cancel("0");
        assert!(book.has_room());
        let mut followers = followers.into_iter();
        assert!(followers.next().unwrap().await.unwrap_err().is_cancelled());
        followers.for_each(|follower| follower.abort());
    }
}
