//! What the plugins of the configuration say of an event that is explained.

use crate::cli::Failure;
use crate::cli::table::plain;
use crate::engine::InboundRequest;
use crate::gateway::{Config, credentials};
use crate::ingress::{Credentials, keep};
use crate::plugin::{PluginVerdict, Plugins, Question};
use anglerfish_core::config::PluginUse;
use anglerfish_core::event::Event;
use anglerfish_core::router::{Explanation, Verdict, VerdictOutcome};
use std::collections::{BTreeMap, HashMap};

/// The plugins of a configuration, and who uses them.
pub(super) struct Judges {
    plugins: Plugins,
    uses: HashMap<String, Vec<PluginUse>>,
    /// What is not kept of a source's requests, and so not shown to plugins.
    credentials: HashMap<String, Credentials>,
}

/// What plugins say, by the position of the event in its batch and the subscription.
#[derive(Default)]
pub(super) struct Judgements(BTreeMap<(usize, String), Vec<PluginVerdict>>);

impl Judgements {
    /// What the plugins of one subscription say.
    pub(super) fn of(&self, position: usize, subscription: &str) -> &[PluginVerdict] {
        self.0.get(&(position, subscription.to_owned())).map_or(&[], Vec::as_slice)
    }
}

impl Judges {
    /// Loads the plugins, if any subscription has one.
    pub(super) fn load(config: &Config) -> Result<Self, Failure> {
        let subscriptions = config.document.subscriptions.iter();
        let uses: HashMap<_, _> = subscriptions
            .filter(|(_, subscription)| !subscription.plugins.is_empty())
            .map(|(_, subscription)| (subscription.id.clone(), subscription.plugins.clone()))
            .collect();
        let cache = Some(config.server.data_dir.join("cache")).filter(|directory| directory.is_dir());
        let (plugins, mut known) = (Plugins::default().with_cache(cache), HashMap::new());
        if !uses.is_empty() {
            let loaded = plugins.load(&config.plugins);
            plugins.replace(loaded.map_err(|problems| config.locate(problems))?);
            for (path, source) in &config.document.sources {
                let found = credentials(path, source).map_err(|problems| config.locate(problems))?;
                known.insert(source.name.clone(), found);
            }
        }
        Ok(Self { plugins, uses, credentials: known })
    }

    /// Asks about each event of a request, for each subscription that wants it.
    pub(super) async fn judge(&self, request: &InboundRequest, explanation: &Explanation) -> Judgements {
        let mut judgements = Judgements::default();
        if self.uses.is_empty() {
            return judgements;
        }
        if let Some(event) = &explanation.event {
            self.judge_one(0, request, event, None, &explanation.subscriptions, &mut judgements).await;
        }
        for (position, part) in explanation.parts.iter().enumerate() {
            let data = Some(&part.data);
            self.judge_one(position, request, &part.event, data, &part.subscriptions, &mut judgements).await;
        }
        judgements
    }

    async fn judge_one(
        &self,
        position: usize,
        request: &InboundRequest,
        event: &Event,
        part: Option<&Vec<u8>>,
        verdicts: &[Verdict],
        judgements: &mut Judgements,
    ) {
        let none = Credentials::default();
        let credentials = self.credentials.get(&request.source).unwrap_or(&none);
        for verdict in verdicts.iter().filter(|verdict| verdict.outcome == VerdictOutcome::Match) {
            let Some(uses) = self.uses.get(&verdict.subscription) else { continue };
            let (record, data) = keep(request, credentials, part.cloned());
            let question = Question {
                subscription: verdict.subscription.clone(),
                event: event.clone(),
                headers: record.headers.into(),
                data,
            };
            let said = self.plugins.explain(uses, question).await;
            judgements.0.insert((position, verdict.subscription.clone()), said);
        }
    }
}

/// What a plugin says, on a line.
pub(super) fn told(verdict: &PluginVerdict) -> String {
    let PluginVerdict { plugin, outcome, reason, duration_ms } = verdict;
    let reason = reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    format!("plugin {plugin}: {outcome}{reason} ({duration_ms} ms)")
}
