//! Metrics made from text, and the pairs of the fixture.

use std::path::Path;

use i2am_imaging::RgbImage;
use i2am_metrics::{Configured, Pair, PairMetric, PairValue, Prepared, Resources, Session, find};
use i2am_testkit::{FixtureDir, Tensors, fixtures};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The metric `name` with the settings in `table`.
pub(crate) fn configured(name: &str, table: &str) -> Result<Box<dyn Configured>, toml::de::Error> {
    let table = DeTable::parse(table).expect("TOML");
    let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    find(name).expect("a registered name").configure(table)
}

/// The same, ready to measure.
pub(crate) fn metric(name: &str, table: &str, resources: &Resources) -> Box<dyn PairMetric> {
    let configured = configured(name, table).expect("settings that can be");
    match configured
        .prepare(&Session::new(resources.clone()))
        .expect("everything at hand")
    {
        Prepared::Pairs(metric) => metric,
        Prepared::Sets(_) => panic!("{name} compares sets"),
    }
}

pub(crate) fn measure(metric: &dyn PairMetric, pair: &Pair<'_>) -> PairValue {
    metric
        .measure(&[*pair])
        .expect("a pair large enough")
        .remove(0)
}

#[track_caller]
pub(crate) fn value(metric: &dyn PairMetric, pair: &Pair<'_>) -> f64 {
    match measure(metric, pair) {
        PairValue::Value(value) => value,
        none => panic!("{none:?}"),
    }
}

/// A pair of the fixture and the values that the peers give it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) generated: RgbImage,
    pub(crate) real: RgbImage,
    values: Value,
}

impl Case {
    pub(crate) fn pair(&self) -> Pair<'_> {
        Pair::new(&self.generated, &self.real).expect("one size")
    }

    pub(crate) fn expected(&self, metric: &str) -> Option<f64> {
        self.values.get(metric).and_then(Value::as_f64)
    }
}

pub(crate) fn folders() -> Vec<FixtureDir> {
    fixtures(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")),
        "pairs",
    )
}

/// The pairs of every fixture folder.
pub(crate) fn families() -> Vec<Vec<Case>> {
    folders().iter().map(cases).collect()
}

pub(crate) fn cases(folder: &FixtureDir) -> Vec<Case> {
    let (inputs, expected) = (folder.tensors("inputs"), folder.json("expected"));
    let values = expected["pairs"].as_object().expect("values by pair");
    let case = |(name, values): (&String, &Value)| Case {
        name: name.clone(),
        generated: picture(&inputs, &format!("{name}.generated")),
        real: picture(&inputs, &format!("{name}.real")),
        values: values.clone(),
    };
    values.iter().map(case).collect()
}

fn picture(inputs: &Tensors, name: &str) -> RgbImage {
    let &[height, width, 3] = inputs.shape(name) else {
        panic!("{name} is no RGB picture");
    };
    RgbImage::from_raw(width as u32, height as u32, inputs.u8(name))
        .expect("as many levels as pixels")
}
