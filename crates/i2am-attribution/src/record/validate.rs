//! Shape and range checks of a record.

use std::collections::BTreeSet;

use crate::{AttentionRecord, AttributionError, LayerRecord, LocalityConfig, Near};

impl AttentionRecord {
    /// Checks that every array has the length its description says and holds finite, non-negative sums, that counts add up, and
    /// that names are unique.
    ///
    /// # Errors
    /// [`AttributionError::Record`] or [`AttributionError::Layer`], naming layer, field, expected and found.
    pub fn validate(&self) -> Result<(), AttributionError> {
        let record = |field, expected: &str, found: String| AttributionError::Record {
            field,
            expected: expected.to_owned(),
            found,
        };
        if self.latent_grid().is_empty() {
            let found = self.latent_grid().to_string();
            return Err(record("latent size", "at least 1x1", found));
        }
        if self.steps.is_empty() || self.steps.contains(&0) {
            let found = format!("{:?}", self.steps);
            return Err(record("steps", "at least 1 in each group", found));
        }
        if self.layers.is_empty() {
            return Err(record("layers", "at least 1", "none".to_owned()));
        }
        let mut names = BTreeSet::new();
        for layer in &self.layers {
            if !names.insert(layer.name.as_str()) {
                let found = format!("`{}` twice", layer.name);
                return Err(record("layers", "unique names", found));
            }
            LayerCheck { layer }.run(self.groups())?;
        }
        let mut radii = self
            .layers
            .iter()
            .filter_map(|layer| Some(&layer.near.as_ref()?.radii));
        if let Some(first) = radii.next()
            && let Some(other) = radii.find(|radii| *radii != first)
        {
            let found = format!("{first:?} and {other:?}");
            return Err(record("near radii", "the same in all layers", found));
        }
        Ok(())
    }
}

struct LayerCheck<'a> {
    layer: &'a LayerRecord,
}

impl LayerCheck<'_> {
    fn run(&self, groups: usize) -> Result<(), AttributionError> {
        let layer = self.layer;
        let generated = layer.generated_grid();
        self.at_least_one("generated size", generated.len())?;
        self.at_least_one("heads", layer.heads)?;
        self.at_least_one("reference size", layer.source.tokens())?;

        let sums = 2 * groups * layer.heads;
        self.length("r2g", layer.r2g.len(), sums * generated.len())?;
        self.sums("r2g", layer.r2g.iter().copied())?;
        self.counts("r2g_counts", layer.r2g_counts, layer.source.tokens())?;

        let tokens = match layer.reference_grid() {
            Some(grid) => grid.len(),
            None => return self.no_reference_positions(),
        };
        if let Some(g2r) = &layer.g2r {
            self.length("g2r", g2r.len(), sums * tokens)?;
            self.sums("g2r", g2r.iter().copied())?;
            self.counts("g2r_counts", layer.g2r_counts, generated.len())?;
        }
        if let Some(specific) = &layer.specific {
            self.length("specific", specific.len(), generated.len() * tokens)?;
            self.sums("specific", specific.iter().map(|value| value.to_f32()))?;
        }
        if let Some(near) = &layer.near {
            self.near(near, groups * layer.heads)?;
        }
        Ok(())
    }

    /// `rows` is the number of sums at each radius.
    fn near(&self, near: &Near, rows: usize) -> Result<(), AttributionError> {
        let radii = &near.radii;
        let large = |radius: &usize| *radius > LocalityConfig::MAX_RADIUS;
        if radii.is_empty() || !radii.is_sorted_by(|a, b| a < b) || radii.iter().any(large) {
            let expected = format!("ascending, up to {}", LocalityConfig::MAX_RADIUS);
            return Err(self.error("near radii", expected, format!("{radii:?}")));
        }
        if self.layer.g2r.is_none() {
            return Err(self.error("near", "none without g2r", "sums"));
        }
        for (field, sums) in [("near r2g", &near.r2g), ("near g2r", &near.g2r)] {
            self.length(field, sums.len(), radii.len() * rows)?;
            if let Some(value) = sums.iter().find(|sum| !(sum.is_finite() && **sum >= 0.0)) {
                return Err(self.error(field, "finite values, at least 0", value.to_string()));
            }
            let wider = &sums[rows..];
            if let Some((small, large)) = sums.iter().zip(wider).find(|(a, b)| a > b) {
                let found = format!("{large} after {small}");
                return Err(self.error(field, "sums that grow with the radius", found));
            }
        }
        Ok(())
    }

    fn no_reference_positions(&self) -> Result<(), AttributionError> {
        for (field, present) in [
            ("g2r", self.layer.g2r.is_some()),
            ("specific", self.layer.specific.is_some()),
            ("near", self.layer.near.is_some()),
        ] {
            if present {
                return Err(self.error(field, "none for one pooled token", "an array"));
            }
        }
        Ok(())
    }

    fn at_least_one(&self, field: &'static str, found: usize) -> Result<(), AttributionError> {
        if found == 0 {
            return Err(self.error(field, "at least 1", "0"));
        }
        Ok(())
    }

    fn length(
        &self,
        field: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), AttributionError> {
        if found != expected {
            return Err(self.error(field, format!("{expected} values"), found.to_string()));
        }
        Ok(())
    }

    fn sums(
        &self,
        field: &'static str,
        mut values: impl Iterator<Item = f32>,
    ) -> Result<(), AttributionError> {
        match values.find(|value| !(value.is_finite() && *value >= 0.0)) {
            Some(value) => Err(self.error(field, "finite values, at least 0", value.to_string())),
            None => Ok(()),
        }
    }

    fn counts(
        &self,
        field: &'static str,
        counts: [u64; 2],
        expected: usize,
    ) -> Result<(), AttributionError> {
        if counts[0].checked_add(counts[1]) != Some(expected as u64) {
            return Err(self.error(
                field,
                format!("{expected} in all"),
                format!("{} + {}", counts[0], counts[1]),
            ));
        }
        Ok(())
    }

    fn error(
        &self,
        field: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> AttributionError {
        AttributionError::Layer {
            layer: self.layer.name.clone(),
            field,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
