//! Who is told of documents since when, and by which filter.
//!
//! What a subscriber has is implied by when it subscribed and by the filters that it has had since. So a configuration that is taken
//! is numbered, and that number is the generation of those of its subscriptions that are new, or have another filter.

use crate::config::{ResourceConfig, SubscriptionConfig, key_path};
use crate::problem::Problem;
use crate::router::{FormerFilter, RoutingInterest};
use serde::{Deserialize, Serialize};

/// How many subscriptions a resource may have: what each of them is to be told is written with the document.
pub const MOST_FOLLOWERS: usize = 200;

/// How often a subscription's filter may be changed. Nobody looks through the documents here, so that each one that it has had
/// may be what has looked at some of them last.
pub const MOST_FORMER: usize = 16;

/// What stands between a subscription's id and its generation, and in no id.
const MARK: char = '~';

/// A subscription of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The resource.
    pub(super) resource: String,
    /// The configuration with which it came.
    pub(super) generation: u64,
    /// The filter that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    /// The configuration with which that came, if it had another one before.
    #[serde(default)]
    pub(super) filter_since: u64,
    /// Those before, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) former: Vec<FormerFilter>,
}

impl Enrolled {
    /// A subscription as it is read, as if it came with the first configuration; `None` if it is of no resource.
    pub(super) fn new(subscription: &SubscriptionConfig) -> Option<Self> {
        let notification = subscription.notification.as_ref()?;
        Some(Self {
            resource: notification.resource.clone(),
            generation: 1,
            filter: subscription.filter.clone(),
            filter_since: 0,
            former: Vec::new(),
        })
    }

    /// The same in the configuration of this number, after what it was in the one before.
    pub(super) fn after(self, before: Option<&Self>, number: u64) -> Result<Self, Problem> {
        let Some(before) = before.filter(|before| before.resource == self.resource) else {
            return Ok(Self { generation: number, ..self });
        };
        let Self { generation, filter_since, mut former, filter: had, .. } = before.clone();
        if had == self.filter {
            return Ok(before.clone());
        }
        if former.len() >= MOST_FORMER {
            let message =
                format!("the filter of a subscription of a resource can be changed {MOST_FORMER} times here");
            return Err(Problem::new("filter", message).with_hint(
                "give the subscription another id: it is told of everything that is put from then on",
            ));
        }
        former.push(FormerFilter { until: number, filter: had });
        Ok(Self { generation, filter_since: number.max(filter_since), former, ..self })
    }

    /// What the component is told of it.
    pub(super) fn interest(&self) -> RoutingInterest {
        RoutingInterest {
            resource: self.resource.clone(),
            generation: self.generation,
            every: false,
            filter_since: self.filter_since,
            former: self.former.clone(),
        }
    }

    /// What the component knows it by: what is kept of one that had its id before is not its.
    pub(super) fn name(&self, id: &str) -> String {
        format!("{id}{MARK}{}", self.generation)
    }
}

/// The id of a subscription that the component names. Those of no resource are named by their ids.
#[must_use]
pub fn subscription_of(name: &str) -> &str {
    name.split_once(MARK).map_or(name, |(id, _)| id)
}

/// What is wrong with subscriptions of resources, beside what is wrong with each by itself.
pub(super) fn review(
    resources: &[(String, ResourceConfig)],
    subscriptions: &[(String, SubscriptionConfig)],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, subscription) in subscriptions {
        let (Some(notification), Some(endpoint)) = (&subscription.notification, &subscription.endpoint)
        else {
            continue;
        };
        let Some((_, resource)) = resources.iter().find(|(_, known)| known.id == notification.resource)
        else {
            let message = format!("there is no resource {:?}", notification.resource);
            problems.push(Problem::new(key_path(path, "resource"), message));
            continue;
        };
        for (place, name) in notification.unknown_wildcards(endpoint, &resource.pattern) {
            let message = format!("has a wildcard '{name}' that is not at the resource");
            problems.push(Problem::new(format!("{path}.{place}"), message));
        }
    }
    for (path, resource) in resources {
        let is_its = |subscription: &SubscriptionConfig| {
            subscription
                .notification
                .as_ref()
                .is_some_and(|notification| notification.resource == resource.id)
        };
        let count = subscriptions.iter().filter(|(_, subscription)| is_its(subscription)).count();
        if count > MOST_FOLLOWERS {
            let message =
                format!("{count} subscriptions are of this resource, and {MOST_FOLLOWERS} can be here");
            problems.push(Problem::new(path, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolled(resource: &str, filter: Option<&str>) -> Enrolled {
        Enrolled {
            resource: resource.to_owned(),
            generation: 1,
            filter: filter.map(str::to_owned),
            filter_since: 0,
            former: Vec::new(),
        }
    }

    #[test]
    fn a_subscription_keeps_its_generation_and_one_that_is_new_gets_the_configurations() {
        let new = enrolled("users", None).after(None, 7).unwrap();
        assert_eq!(new.name("crm"), "crm~7");
        assert_eq!(subscription_of("crm~7"), "crm");
        assert_eq!(subscription_of("crm"), "crm");
        assert_eq!(enrolled("users", None).after(Some(&new), 8).unwrap(), new);
        // Of another resource it is another one.
        assert_eq!(enrolled("orders", None).after(Some(&new), 9).unwrap().name("crm"), "crm~9");
    }

    #[test]
    fn every_filter_that_a_subscription_has_had_is_remembered_and_there_is_an_end_to_it() {
        let mut now = enrolled("users", Some("0")).after(None, 1).unwrap();
        for number in 2..=17 {
            let filter = number.to_string();
            now = enrolled("users", Some(&filter)).after(Some(&now), number).unwrap();
            assert_eq!((now.generation, now.filter_since), (1, number));
        }
        let until: Vec<u64> = now.former.iter().map(|former| former.until).collect();
        assert_eq!(until, (2..=17).collect::<Vec<_>>());
        assert_eq!(now.former.first().unwrap().filter.as_deref(), Some("0"));
        let problem = enrolled("users", None).after(Some(&now), 18).unwrap_err();
        assert_eq!(problem.path, "filter");
        assert_eq!(enrolled("users", Some("17")).after(Some(&now), 18).unwrap(), now);
    }
}
