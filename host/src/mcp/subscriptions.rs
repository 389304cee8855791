//! Subscriptions to what resources show. Up to 2025-11-25 a client subscribes to one URI after the other and is told
//! by notifications; since 2026-07-28 it sends a request that stays open. [`crate::changes`] finds out what changed.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::SubscriptionContext;
use rmcp::{Peer, RoleServer};
use serde_json::json;
use tokio::task::AbortHandle;

use super::Server;
use crate::changes::{MAX_TOPICS, Topic};

/// What a connection has subscribed to, by URI. It ends with the connection.
#[derive(Default)]
pub(super) struct Subscribed(Mutex<HashMap<String, AbortHandle>>);

impl Subscribed {
    fn all(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.all().values().for_each(AbortHandle::abort);
    }
}

impl Server {
    /// The topic of a URI, as far as the operator left the tool that shows it.
    fn topic(&self, uri: &str) -> Option<Topic> {
        let topic = Topic::parse(uri)?;
        let entry = self.tools.find(topic.tool())?;
        self.tools.selection().admits(entry).is_ok().then_some(topic)
    }

    /// `resources/subscribe`.
    pub(super) async fn subscribe_to(&self, uri: String, peer: Peer<RoleServer>) -> Result<(), ErrorData> {
        let about = || Some(json!({"uri": uri}));
        let Some(topic) = self.topic(&uri) else {
            let message = "Changes of this resource are not told. They are of proxmox://guests, \
                           proxmox://guests/{vmid}, proxmox://nodes, proxmox://nodes/{node} and \
                           proxmox://tasks/{upid}, as far as the tools that show them are not turned off.";
            return Err(ErrorData::invalid_params(message, about()));
        };
        if self.subscribed.all().contains_key(&uri) {
            return Ok(());
        }
        let Some(mut changes) = self.feed.watch(vec![topic]).await else {
            let message =
                format!("There are {MAX_TOPICS} subscriptions, and that is the limit. Give one up before.");
            return Err(ErrorData::invalid_params(message, about()));
        };
        let its_uri = uri.clone();
        let teller = tokio::spawn(async move {
            loop {
                changes.next().await;
                let update = ResourceUpdatedNotificationParam::new(its_uri.clone());
                if peer.notify_resource_updated(update).await.is_err() {
                    return;
                }
            }
        });
        // Asked for twice at the same time, it is told once.
        if let Some(other) = self.subscribed.all().insert(uri, teller.abort_handle()) {
            other.abort();
        }
        Ok(())
    }

    /// `resources/unsubscribe`. To give up what was not subscribed to is no error.
    pub(super) fn unsubscribe_from(&self, uri: &str) {
        if let Some(teller) = self.subscribed.all().remove(uri) {
            teller.abort();
        }
    }

    /// What of this a client can be told, in its order.
    pub(super) fn acceptable(&self, requested: &SubscriptionFilter) -> SubscriptionFilter {
        let uris = requested.resource_subscriptions.iter().flatten();
        let known = uris.filter(|uri| self.topic(uri).is_some()).take(self.feed.room());
        SubscriptionFilter::builder().resource_subscriptions(known.cloned()).build()
    }

    /// `subscriptions/listen`: tells what changes until the client ends it or goes away.
    pub(super) async fn tell_changes(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut hung_up = self.hung_up.subscribe();
        tokio::select! {
            told = self.tell_all(&context) => told,
            () = context.cancelled() => Ok(()),
            _ = hung_up.wait_for(|gone| *gone) => Ok(()),
        }
    }

    async fn tell_all(&self, context: &SubscriptionContext) -> Result<(), ErrorData> {
        let mut names = HashSet::new();
        let accepted =
            context.accepted().resource_subscriptions.iter().flatten().filter(|uri| names.insert(*uri));
        let (uris, topics): (Vec<&String>, Vec<Topic>) =
            accepted.filter_map(|uri| Some((uri, self.topic(uri)?))).unzip();
        if topics.is_empty() {
            return std::future::pending().await;
        }
        let Some(mut changes) = self.feed.watch(topics).await else {
            let message = format!("There are {MAX_TOPICS} subscriptions, and that is the limit.");
            return Err(ErrorData::internal_error(message, None));
        };
        loop {
            for uri in changes.next().await.into_iter().filter_map(|at| uris.get(at)) {
                if context.sink().notify_resource_updated(uri.as_str()).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
