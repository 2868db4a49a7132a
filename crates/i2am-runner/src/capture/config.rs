//! What is to be recorded, and whether a network can show it.

use i2am_attribution::LocalityConfig;
use i2am_nets::AttentionLayer;
use serde::{Deserialize, Serialize};

use super::intervene::InterveneConfig;
use crate::RunnerError;

/// What to record while sampling, and what to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureConfig {
    /// Groups of consecutive steps that are summed apart; the authors' number is 5.
    pub time_groups: usize,
    /// Layers whose position-by-position attention is kept, by name; `*` stands for any text, and may then name nothing.
    pub specific: Vec<String>,
    /// Bound on the scores held at a time, in MiB.
    pub chunk_mib: usize,
    /// Whether sums are recorded a second time, with every probability multiplied by the length of what its token hands on.
    pub carried_sums: bool,
    /// What is recorded of attention near the matching place; nothing by default.
    pub locality: Option<LocalityConfig>,
    /// Changes to the attention. The record is of the attention as changed: what is forbidden has none, while a scaled head is
    /// recorded as it attends, whatever becomes of its output.
    pub intervene: InterveneConfig,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            time_groups: 5,
            specific: Vec::new(),
            chunk_mib: 64,
            carried_sums: false,
            locality: None,
            intervene: InterveneConfig::default(),
        }
    }
}

/// A layer of a network that attends to a context, as it is known before the network runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name and number of heads.
    pub attention: AttentionLayer,
    /// Whether its tokens are the positions of a reference image; otherwise they are pooled tokens, or a text's.
    pub spatial: bool,
}

impl CaptureConfig {
    /// Checks what needs no network: the time groups of a run of `steps`, the rings of the locality and the rules of interventions.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if there are more time groups than steps, or none; [`RunnerError::Attribution`] for the locality;
    /// [`RunnerError::Intervene`] for a rule that can never work.
    pub fn check(&self, steps: usize) -> Result<(), RunnerError> {
        if self.time_groups == 0 || self.time_groups > steps {
            return Err(RunnerError::Setting {
                key: "attribution.time_groups",
                expected: format!("1 to the number of steps, {steps}"),
                found: self.time_groups.to_string(),
            });
        }
        self.intervene.check(self.time_groups)?;
        if let Some(locality) = &self.locality {
            locality.check()?;
        }
        Ok(())
    }

    /// Checks the names of layers against those that are recorded, given as name and whether the layer is spatial.
    ///
    /// # Errors
    /// [`RunnerError::Specific`] for a name without `*` that no recorded layer has, or one whose reference is pooled.
    pub fn check_specific(&self, recorded: &[(&str, bool)]) -> Result<(), RunnerError> {
        let exact = |name: &&String| !name.contains('*');
        for name in self.specific.iter().filter(exact) {
            let reason = match recorded.iter().find(|(layer, _)| layer == name) {
                Some((_, true)) => continue,
                Some((_, false)) => {
                    "its reference is pooled, so there is no map over it".to_owned()
                }
                None => {
                    let names: Vec<&str> = recorded.iter().map(|(layer, _)| *layer).collect();
                    format!("no such layer; the model has {}", names.join(", "))
                }
            };
            return Err(RunnerError::Specific {
                layer: name.clone(),
                reason,
            });
        }
        Ok(())
    }
}
