//! What to change in a network's attention while it samples: to try a repair without training.

use i2am_attribution::layer_matches;
use i2am_nets::AttentionLayer;
use serde::{Deserialize, Serialize};

use super::Layer;
use crate::RunnerError;

/// Changes to attention while sampling; none by default. Both halves of a guided pass are changed: it is the network that is
/// repaired.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InterveneConfig {
    /// Heads whose output is multiplied by a factor.
    pub scale: Vec<ScaleRule>,
    /// Keys that queries may not attend to.
    pub forbid: Vec<ForbidRule>,
    /// Keys whose probabilities are multiplied by a factor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weaken: Vec<WeakenRule>,
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

/// Takes keys away from queries, so that the others get what these had. A region of the reference's image leaves layers alone whose
/// reference tokens have no places.
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
    /// The queries that may not.
    #[serde(default)]
    pub from: Positions,
    /// The keys that they may not attend to.
    pub region: Region,
}

/// Multiplies probabilities after the softmax, which is not renormalized: queries read less, and nothing in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeakenRule {
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
    /// The queries that read less.
    #[serde(default)]
    pub from: Positions,
    /// The keys that they read less of.
    pub region: Region,
    /// The factor, 0 to 1.
    pub factor: f64,
}

/// Queries. A position of the generated image belongs to the masked region if at least half of it is masked, as in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// Positions of the generated image inside the masked region.
    #[default]
    Masked,
    /// All positions of the generated image.
    All,
    /// Positions of reference images, in layers where they ask too.
    Reference,
    /// The image that is edited, in layers where its tokens ask too.
    Source,
    /// Tokens of the prompt and of its padding, in layers where they ask too.
    Text,
    /// The padding of the prompt, in layers where it asks too.
    Padding,
}

/// Keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// What is not the object, by the sample's reference mask.
    OutsideReferenceMask,
    /// The object.
    InsideReferenceMask,
    /// All tokens of reference images.
    Reference,
    /// The generated image itself.
    Generated,
    /// The image that is edited, where the network is shown it as tokens.
    Source,
    /// The prompt and its padding.
    Text,
    /// The padding of the prompt.
    Padding,
    /// Tokens whose center lies in `[top, left, bottom, right]`, as fractions of the reference's height and width.
    Box([f64; 4]),
}

impl Region {
    /// Whether it is a part of the reference's image, which tokens without a place do not have.
    fn needs_places(self) -> bool {
        matches!(
            self,
            Self::OutsideReferenceMask | Self::InsideReferenceMask | Self::Box(_)
        )
    }
}

/// What the kinds of rules have in common.
pub(super) struct Place<'a> {
    /// As the configuration spells it: `scale.0`.
    pub(super) rule: String,
    pub(super) layers: &'a [String],
    heads: Option<&'a [usize]>,
    time_groups: Option<&'a [usize]>,
    /// Queries and keys, if the rule is about some of them.
    pub(super) pairs: Option<(Positions, Region)>,
    pub(super) effect: Effect,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Effect {
    Scale(f64),
    Forbid,
    Weaken(f64),
}

impl InterveneConfig {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.scale.is_empty() && self.forbid.is_empty() && self.weaken.is_empty()
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
        own.weaken.retain(|rule| holds(&rule.models));
        own
    }

    /// Every model that a rule names.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let scale = self.scale.iter().map(|rule| &rule.models);
        let forbid = self.forbid.iter().map(|rule| &rule.models);
        let weaken = self.weaken.iter().map(|rule| &rule.models);
        let all = scale.chain(forbid).chain(weaken);
        all.flatten().flatten().map(String::as_str)
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
        for place in self.places() {
            let expected = match place.effect {
                Effect::Scale(factor) if !factor.is_finite() => Some(("a finite number", factor)),
                Effect::Weaken(factor) if !(0.0..=1.0).contains(&factor) => {
                    Some(("0 to 1", factor))
                }
                _ => None,
            };
            if let Some((expected, found)) = expected {
                let reason = format!("factor: expected {expected}, found {found}");
                return Err(place.refuse(reason));
            }
            if let Some((_, Region::Box([top, left, bottom, right]))) = place.pairs
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
                return Err(place.refuse(reason));
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
        let in_places =
            |place: &Place<'_>| place.pairs.is_some_and(|(_, region)| region.needs_places());
        for place in self.places().filter(in_places) {
            let spatial = |layer: &Layer| layer.spatial && place.names(&layer.attention.name);
            if !layers.iter().any(spatial) {
                let reason = "its layers see the reference as pooled tokens, which have no place in a region";
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
            pairs: None,
            effect: Effect::Scale(rule.factor),
        });
        let forbid = self.forbid.iter().enumerate().map(|(index, rule)| Place {
            rule: format!("forbid.{index}"),
            layers: &rule.layers,
            heads: rule.heads.as_deref(),
            time_groups: rule.time_groups.as_deref(),
            pairs: Some((rule.from, rule.region)),
            effect: Effect::Forbid,
        });
        let weaken = self.weaken.iter().enumerate().map(|(index, rule)| Place {
            rule: format!("weaken.{index}"),
            layers: &rule.layers,
            heads: rule.heads.as_deref(),
            time_groups: rule.time_groups.as_deref(),
            pairs: Some((rule.from, rule.region)),
            effect: Effect::Weaken(rule.factor),
        });
        scale.chain(forbid).chain(weaken)
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

    fn check_heads(&self, layer: &AttentionLayer) -> Result<(), RunnerError> {
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
