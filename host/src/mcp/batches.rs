//! What is owed to the client on standard output: answers one by one, and the answers to a batch as one array.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::Notify;

/// Requests that have no answer yet.
#[derive(Default)]
pub(super) struct Owed {
    state: Mutex<State>,
    paid: Notify,
}

#[derive(Default)]
struct State {
    ids: HashSet<RequestId>,
    batches: Vec<Batch>,
}

/// A batch some of whose requests have no answer yet.
struct Batch {
    waits_for: HashSet<RequestId>,
    answers: Vec<String>,
}

impl Batch {
    /// The answers as one message; nothing where there is none to give.
    fn text(self) -> Option<String> {
        (!self.answers.is_empty()).then(|| format!("[{}]", self.answers.join(",")))
    }
}

impl Owed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came in.
    pub(super) fn add(&self, id: RequestId) {
        self.state().ids.insert(id);
    }

    /// Whether a request of this id is being worked on.
    pub(super) fn has(&self, id: &RequestId) -> bool {
        self.state().ids.contains(id)
    }

    /// A batch came in: these requests of it get their answers later, these answers are there already. Gives what
    /// is to be written now.
    pub(super) fn batch(&self, waits_for: HashSet<RequestId>, answers: Vec<String>) -> Option<String> {
        let batch = Batch { waits_for, answers };
        if batch.waits_for.is_empty() {
            return batch.text();
        }
        self.state().batches.push(batch);
        None
    }

    /// An answer is there. Gives what is to be written now: the answer, or the batch that it completes; nothing
    /// where the request was cancelled meanwhile.
    pub(super) fn answer(&self, id: &RequestId, text: String) -> Option<String> {
        let mut state = self.state();
        if !state.ids.contains(id) {
            return None;
        }
        let Some(batch) = state.batches.iter_mut().find(|batch| batch.waits_for.contains(id)) else {
            return Some(text);
        };
        batch.answers.push(text);
        state.without(id)
    }

    /// A request was cancelled and gets no answer. Gives what is to be written now.
    pub(super) fn cancelled(&self, id: &RequestId) -> Option<String> {
        let whole = self.state().without(id);
        self.settle(id);
        whole
    }

    /// A request is done with.
    pub(super) fn settle(&self, id: &RequestId) {
        self.state().ids.remove(id);
        self.paid.notify_one();
    }

    /// Waits until every request is done with.
    pub(super) async fn all_settled(&self) {
        while !self.state().ids.is_empty() {
            self.paid.notified().await;
        }
    }
}

impl State {
    /// Waits for this request no more. Gives the batch that is complete by that.
    fn without(&mut self, id: &RequestId) -> Option<String> {
        let at = self.batches.iter_mut().position(|batch| batch.waits_for.remove(id))?;
        match self.batches.get(at).is_some_and(|batch| batch.waits_for.is_empty()) {
            true => self.batches.swap_remove(at).text(),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> RequestId {
        RequestId::Number(number)
    }

    #[test]
    fn a_batch_is_answered_once_and_whole() {
        let owed = Owed::default();
        for number in [1, 2, 7] {
            owed.add(id(number));
        }
        assert_eq!(owed.batch(HashSet::from([id(1), id(2)]), vec!["error".to_owned()]), None);
        assert_eq!(owed.answer(&id(7), "alone".to_owned()).as_deref(), Some("alone"));
        assert_eq!(owed.answer(&id(2), "two".to_owned()), None);
        assert_eq!(owed.answer(&id(1), "one".to_owned()).as_deref(), Some("[error,two,one]"));
    }

    #[test]
    fn what_gets_no_answer_has_no_place_in_a_batch() {
        let owed = Owed::default();
        assert_eq!(owed.batch(HashSet::new(), Vec::new()), None);
        assert_eq!(owed.batch(HashSet::new(), vec!["error".to_owned()]).as_deref(), Some("[error]"));
        for number in [1, 2, 3] {
            owed.add(id(number));
        }
        owed.batch(HashSet::from([id(1), id(2)]), Vec::new());
        assert_eq!(owed.answer(&id(1), "one".to_owned()), None);
        assert_eq!(owed.cancelled(&id(2)).as_deref(), Some("[one]"));
        assert_eq!(owed.answer(&id(2), "late".to_owned()), None, "no answer to a cancelled request");
        owed.batch(HashSet::from([id(3)]), Vec::new());
        assert_eq!(owed.cancelled(&id(3)), None);
        assert_eq!(owed.cancelled(&id(4)), None);
    }

    #[tokio::test]
    async fn all_is_settled_when_each_request_is() {
        let owed = Owed::default();
        owed.add(id(1));
        owed.add(id(2));
        assert!(owed.has(&id(1)) && !owed.has(&id(3)));
        owed.settle(&id(1));
        owed.cancelled(&id(2));
        owed.all_settled().await;
        assert!(!owed.has(&id(1)));
    }
}
