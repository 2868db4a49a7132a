//! Shape and range checks of a record.

use std::collections::BTreeSet;

use crate::{AttentionRecord, AttributionError, LayerRecord, LocalityConfig, Near, Source};

/// The longest name of a layer in bytes; the published ones have up to 70.
const LONGEST_NAME: usize = 200;

/// How much larger than its largest map a latent may be; published families have 1 or 2.
const MOST_ENLARGED: usize = 64;

/// By how much of itself a sum of probabilities may be above 1.
const SUM_ERROR: f64 = 1e-3;

impl AttentionRecord {
    /// Checks that every array has the length its description says and holds finite, non-negative sums, that counts add up, and
    /// that names are unique and can stand in a table.
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
        let largest = |side: fn(&LayerRecord) -> usize| self.layers.iter().map(side).max();
        let sides = [
            (self.latent_height, largest(|layer| layer.height)),
            (self.latent_width, largest(|layer| layer.width)),
        ];
        // Maps are as large as the latent, whatever the file claims.
        if let Some((side, _)) = sides.iter().find(|(side, layer)| {
            layer.is_some_and(|layer| *side > MOST_ENLARGED.saturating_mul(layer))
        }) {
            let expected = format!("at most {MOST_ENLARGED} times the largest map");
            return Err(record("latent size", &expected, side.to_string()));
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
            // Tables and file names hold them.
            let bad = layer.name.is_empty() || layer.name.contains(char::is_control);
            if bad || layer.name.len() > LONGEST_NAME {
                let expected = format!("names of 1 to {LONGEST_NAME} bytes on one line");
                let found = format!("{:?}", layer.name);
                return Err(record("layers", &expected, found));
            }
            if !names.insert(layer.name.as_str()) {
                let found = format!("`{}` twice", layer.name);
                return Err(record("layers", "unique names", found));
            }
            LayerCheck { layer }.run(&self.steps)?;
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
    fn run(&self, steps: &[u32]) -> Result<(), AttributionError> {
        let layer = self.layer;
        let groups = steps.len();
        let generated = layer.generated_grid();
        self.at_least_one("generated size", generated.len())?;
        self.at_least_one("heads", layer.heads)?;
        self.at_least_one("reference size", layer.source.tokens())?;

        let sums = 2 * groups * layer.heads;
        self.length("r2g", layer.r2g.len(), sums * generated.len())?;
        self.sums("r2g", layer.r2g.iter().copied())?;
        self.counts("r2g_counts", layer.r2g_counts, layer.source.tokens())?;

        self.shares(steps)?;
        if let Some(carried) = &layer.carried {
            for (field, values) in [
                ("carried r2g", &carried.r2g),
                ("carried share", &carried.share),
            ] {
                self.length(field, values.len(), sums * generated.len())?;
                self.sums(field, values.iter().copied())?;
            }
            if carried.g2r.is_some() != layer.g2r.is_some() {
                return Err(self.error("carried g2r", "as g2r", "the other way round"));
            }
        }
        let tokens = match layer.reference_grid() {
            Some(grid) => grid.len(),
            None => return self.no_reference_positions(),
        };
        let carried = layer
            .carried
            .as_ref()
            .and_then(|carried| carried.g2r.as_ref());
        for (field, values) in [
            ("g2r", layer.g2r.as_ref()),
            ("relative", layer.relative.as_ref()),
            ("carried g2r", carried),
        ] {
            if let Some(values) = values {
                self.length(field, values.len(), sums * tokens)?;
                self.sums(field, values.iter().copied())?;
            }
        }
        if layer.g2r.is_some() {
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

    /// What the reference has of the attention, and what others have, in groups of `steps`.
    fn shares(&self, steps: &[u32]) -> Result<(), AttributionError> {
        let layer = self.layer;
        let rows = steps.len() * layer.heads;
        let most = |row: usize| (f64::from(steps[row / layer.heads]) * (1.0 + SUM_ERROR)) as f32;
        if layer.share.is_some() == layer.others.is_empty() {
            return Err(self.error(
                "share",
                "there with other keys, and only then",
                "the opposite",
            ));
        }
        if layer.relative.is_some() && (layer.share.is_none() || layer.g2r.is_none()) {
            return Err(self.error("relative", "none without share and g2r", "sums"));
        }
        let mut roles = BTreeSet::new();
        for other in &layer.others {
            self.length("others", other.share.len(), rows)?;
            self.sums("others", other.share.iter().copied())?;
            if let Some(row) = (0..rows).find(|&row| other.share[row] > most(row)) {
                let found = format!("{} of {}", other.share[row], other.role);
                return Err(self.error("others", "at most the number of steps", found));
            }
            if !roles.insert(other.role) {
                return Err(self.error("others", "each role once", other.role.to_string()));
            }
        }
        self.readers(rows, most)?;
        let Some(share) = &layer.share else {
            return Ok(());
        };
        let positions = layer.generated_grid().len();
        self.length("share", share.len(), 2 * rows * positions)?;
        self.sums("share", share.iter().copied())?;
        let (inside, outside) = share.split_at(rows * positions);
        let mut both = inside.iter().zip(outside).map(|(a, b)| a + b).enumerate();
        match both.find(|(index, sum)| *sum > most(index / positions)) {
            None => Ok(()),
            Some((_, sum)) => {
                let expected = "at most the number of steps";
                Err(self.error("share", expected, sum.to_string()))
            }
        }
    }

    /// What queries of other roles read of the reference, of which a row of sums has at most `most`.
    fn readers(&self, rows: usize, most: impl Fn(usize) -> f32) -> Result<(), AttributionError> {
        let mut roles = BTreeSet::new();
        for reader in &self.layer.readers {
            self.length("readers", reader.share.len(), rows)?;
            self.sums("readers", reader.share.iter().copied())?;
            if let Some(row) = (0..rows).find(|&row| reader.share[row] > most(row)) {
                let found = format!("{} of {}", reader.share[row], reader.role);
                return Err(self.error("readers", "at most the number of steps", found));
            }
            if !roles.insert(reader.role) {
                return Err(self.error("readers", "each role once", reader.role.to_string()));
            }
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
        if self.layer.g2r.is_none() || matches!(self.layer.source, Source::Mixed { .. }) {
            let expected = "none without g2r of positions";
            return Err(self.error("near", expected, "sums"));
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
            ("relative", self.layer.relative.is_some()),
            ("specific", self.layer.specific.is_some()),
            ("near", self.layer.near.is_some()),
        ] {
            if present {
                return Err(self.error(field, "none for pooled tokens", "an array"));
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
