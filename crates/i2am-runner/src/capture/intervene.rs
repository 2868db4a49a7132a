//! What to change in a network's attention while it samples: to try a repair without training.

use i2am_attribution::layer_matches;
use i2am_nets::CrossAttention;
use serde::{Deserialize, Serialize};

use super::Layer;
use crate::RunnerError;

/// Changes to cross-attentions while sampling; none by default. Both halves of a guided pass are changed: it is the network that is
/// repaired.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InterveneConfig {
    /// Heads whose output is multiplied by a factor.
    pub scale: Vec<ScaleRule>,
    /// Parts of the reference that positions may not attend to.
    pub forbid: Vec<ForbidRule>,
}

/// Multiplies the output of heads, before the heads are merged by `to_out`. Rules for the same head multiply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleRule {
    /// Names of the models that it holds for; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Layers by name, where `*` stands for any text.
    pub layers: Vec<String>,
    /// Heads, counted from 0; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// Groups of steps as they are recorded, counted from the noisiest; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_groups: Option<Vec<usize>>,
    /// The factor: 0 switches off, 1 changes nothing.
    pub factor: f64,
}

/// Takes reference tokens away from positions of the generated picture. Layers with one pooled token are left as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbidRule {
    /// Names of the models that it holds for; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Layers by name, where `*` stands for any text.
    pub layers: Vec<String>,
    /// Heads, counted from 0; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// Groups of steps as they are recorded, counted from the noisiest; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_groups: Option<Vec<usize>>,
    /// The positions that may not.
    #[serde(default)]
    pub from: Positions,
    /// The part of the reference that they may not attend to.
    pub region: Region,
}

/// Positions of the generated picture. One belongs to the masked region if at least half of it is masked, as in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// Those inside the masked region.
    #[default]
    Masked,
    /// All.
    All,
}

/// A part of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// What is not the object, by the sample's reference mask.
    OutsideReferenceMask,
    /// The object.
    InsideReferenceMask,
    /// Tokens whose center lies in `[top, left, bottom, right]`, as fractions of the reference's height and width.
    Box([f64; 4]),
}

/// What the two kinds of rules have in common.
pub(super) struct Place<'a> {
    /// As the configuration spells it: `scale.0`.
    pub(super) rule: String,
    pub(super) layers: &'a [String],
    heads: Option<&'a [usize]>,
    time_groups: Option<&'a [usize]>,
}

impl InterveneConfig {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.scale.is_empty() && self.forbid.is_empty()
    }

    /// The rules that hold for `model`.
    #[must_use]
    pub fn of_model(&self, model: &str) -> Self {
        let holds = |models: &Option<Vec<String>>| {
            let models = models.as_ref();
            models.is_none_or(|models| models.iter().any(|name| name == model))
        };
        let mut own = self.clone();
        own.scale.retain(|rule| holds(&rule.models));
        own.forbid.retain(|rule| holds(&rule.models));
        own
    }

    /// Every model that a rule names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let scale = self.scale.iter().map(|rule| &rule.models);
        let forbid = self.forbid.iter().map(|rule| &rule.models);
        scale.chain(forbid).flatten().flatten().map(String::as_str)
    }

    /// Checks what needs no model: factors, boxes, and that every rule names a layer and time groups that are recorded.
    ///
    /// # Errors
    /// [`RunnerError::Intervene`] with the first rule that cannot work.
    pub fn check(&self, recorded_groups: usize) -> Result<(), RunnerError> {
        for place in self.places() {
            if place.layers.is_empty() {
                return Err(place.refuse("expected at least one layer, found none".to_owned()));
            }
            if place.heads.is_some_and(<[usize]>::is_empty) {
                return Err(place.refuse("expected at least one head, found none".to_owned()));
            }
            let groups = place.time_groups.unwrap_or_default();
            if let Some(group) = groups.iter().find(|&&group| group >= recorded_groups) {
                let reason =
                    format!("time group {group} does not exist: {recorded_groups} are recorded");
                return Err(place.refuse(reason));
            }
        }
        for (index, rule) in self.scale.iter().enumerate() {
            if !rule.factor.is_finite() {
                let reason = format!("factor: expected a finite number, found {}", rule.factor);
                return Err(refuse(format!("scale.{index}"), reason));
            }
        }
        for (index, rule) in self.forbid.iter().enumerate() {
            if let Region::Box([top, left, bottom, right]) = rule.region
                && !(0.0 <= top
                    && top < bottom
                    && bottom <= 1.0
                    && 0.0 <= left
                    && left < right
                    && right <= 1.0)
            {
                let reason = format!(
                    "box: expected [top, left, bottom, right] from 0 to 1, top above bottom and left of right, found [{top}, {left}, {bottom}, {right}]"
                );
                return Err(refuse(format!("forbid.{index}"), reason));
            }
        }
        Ok(())
    }

    /// Checks the rules against the layers of a network.
    ///
    /// # Errors
    /// [`RunnerError::Intervene`] for a layer that does not exist, a head beyond a layer's last, or a part forbidden of one token.
    pub fn check_layers(&self, layers: &[Layer]) -> Result<(), RunnerError> {
        let attentions = || layers.iter().map(|layer| &layer.attention);
        for place in self.places() {
            for pattern in place.layers {
                let mut named = attentions()
                    .filter(|layer| layer_matches(pattern, &layer.name))
                    .peekable();
                if named.peek().is_none() {
                    let names: Vec<&str> = attentions().map(|layer| layer.name.as_str()).collect();
                    let names = names.join(", ");
                    let reason = format!("no layer `{pattern}`; the model has {names}");
                    return Err(place.refuse(reason));
                }
                for layer in named {
                    place.check_heads(layer)?;
                }
            }
        }
        for place in self.places().skip(self.scale.len()) {
            let spatial = |layer: &Layer| layer.spatial && place.names(&layer.attention.name);
            if !layers.iter().any(spatial) {
                let reason =
                    "its layers see the reference as one token, of which no part can be forbidden";
                return Err(place.refuse(reason.to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let scale = self.scale.iter().enumerate().map(|(index, rule)| Place {
            rule: format!("scale.{index}"),
            layers: &rule.layers,
            heads: rule.heads.as_deref(),
            time_groups: rule.time_groups.as_deref(),
        });
        let forbid = self.forbid.iter().enumerate().map(|(index, rule)| Place {
            rule: format!("forbid.{index}"),
            layers: &rule.layers,
            heads: rule.heads.as_deref(),
            time_groups: rule.time_groups.as_deref(),
        });
        scale.chain(forbid)
    }
}

impl Place<'_> {
    /// Whether the rule holds for `layer` in time group `group`.
    pub(super) fn holds(&self, layer: &str, group: usize) -> bool {
        self.names(layer)
            && self
                .time_groups
                .is_none_or(|groups| groups.contains(&group))
    }

    /// Whether the rule names `layer`.
    pub(super) fn names(&self, layer: &str) -> bool {
        let mut patterns = self.layers.iter();
        patterns.any(|pattern| layer_matches(pattern, layer))
    }

    /// Whether the rule holds for head `head` of its layers.
    pub(super) fn has_head(&self, head: usize) -> bool {
        self.heads.is_none_or(|heads| heads.contains(&head))
    }

    pub(super) fn refuse(&self, reason: String) -> RunnerError {
        refuse(self.rule.clone(), reason)
    }

    fn check_heads(&self, layer: &CrossAttention) -> Result<(), RunnerError> {
        let heads = self.heads.unwrap_or_default();
        match heads.iter().find(|&&head| head as i64 >= layer.heads) {
            None => Ok(()),
            Some(head) => Err(self.refuse(format!(
                "head {head} does not exist: layer `{}` has {}, counted from 0",
                layer.name, layer.heads
            ))),
        }
    }
}

fn refuse(rule: String, reason: String) -> RunnerError {
    RunnerError::Intervene { rule, reason }
}
