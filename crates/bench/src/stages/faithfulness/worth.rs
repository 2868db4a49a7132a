//! Does it matter where attention goes in the reference, or only that it goes there? Values of the reference change places, or all become
//! their mean: the map stays, what it fetches does not.

use anyhow::Result;
use i2am_faithfulness::{
    SCRAMBLED_BY_WHETHER, WHERE_BY_WHETHER, WORTH_PLACE, WORTH_PRESENCE, WORTH_SCRAMBLED, Worth,
};
use i2am_quantity::{Direction, Level, Measurement, Outcome};
use i2am_runner::families::{Exchange, Exchanged, Question, Unit, Unread};
use i2am_runner::noise::NoiseSource;

use super::answers::About;
use super::rows::{Name, row};
use super::scene::Scene;

/// Least worth of *whether* that can be divided by.
const LEAST: f64 = 0.01;
/// Why there is no ratio.
const NO_WORTH: &str =
    "switched off, the layer changes less than a hundredth of what the reference does";

/// What three changes do, in each layer whose reference has several tokens, and in all of them.
pub(super) fn rows(about: &About<'_>, scene: &mut Scene<'_>) -> Result<Vec<Measurement>> {
    let record = about.record;
    let several = record
        .layers
        .iter()
        .filter(|layer| layer.source.tokens() > 1);
    let mut levels: Vec<Level> = Vec::new();
    let mut most = 0;
    for layer in several {
        most = most.max(layer.source.tokens());
        let level = Level::Layer(layer.name.clone());
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    if levels.is_empty() {
        return Ok(Vec::new());
    }
    levels.push(Level::Unified);
    let named = |level: &Level| match level {
        Level::Layer(layer) => Some(layer.clone()),
        _ => None,
    };
    let all: Vec<String> = levels.iter().filter_map(named).collect();
    let unit = |level: &Level| Unit {
        layers: named(level).map_or_else(|| all.clone(), |layer| vec![layer]),
        head: None,
    };
    let order = order(about, most)?;
    let conditional = scene.conditional();
    let mut probes: Vec<(Exchanged, Exchanged, Unread)> = levels
        .iter()
        .map(|level| {
            let unit = unit(level);
            let exchanged = |exchange| Exchanged::new(unit.clone(), exchange, conditional);
            (
                exchanged(Exchange::Permuted(order.clone())),
                exchanged(Exchange::Mean),
                Unread::new(unit.clone(), conditional),
            )
        })
        .collect();
    let mut questions: Vec<Question<'_>> = Vec::new();
    for (scrambled, mean, none) in &mut probes {
        questions.extend([
            Question::Probed(scrambled),
            Question::Probed(mean),
            Question::Probed(none),
        ]);
    }
    let effects = scene.ask(&mut questions)?;
    let effects = scene.effects_of(&effects)?;
    let name = Name::of("values of the reference", scene).alone();
    let mut rows = Vec::new();
    for (level, effects) in levels.into_iter().zip(effects.chunks(3)) {
        let worth = Worth {
            scrambled: effects[0],
            place: effects[1],
            presence: effects[2],
        };
        let ratio =
            |value: Option<f64>| value.map_or_else(|| Outcome::empty(NO_WORTH), Outcome::of);
        let found = [
            (&WORTH_PRESENCE, Outcome::of(worth.presence)),
            (&WORTH_PLACE, Outcome::of(worth.place)),
            (&WORTH_SCRAMBLED, Outcome::of(worth.scrambled)),
            (&WHERE_BY_WHETHER, ratio(worth.where_by_whether(LEAST))),
            (
                &SCRAMBLED_BY_WHETHER,
                ratio(worth.scrambled_by_whether(LEAST)),
            ),
        ];
        rows.extend(found.map(|(quantity, outcome)| {
            let own = row(quantity, outcome, name.clone());
            own.on_map(Direction::GeneratedToReference, level.clone())
        }));
    }
    Ok(rows)
}

/// Numbers whose order is that of the tokens after the exchange, the sample's own.
fn order(about: &About<'_>, tokens: usize) -> Result<Vec<f64>> {
    let source = NoiseSource::Seeded {
        seed: about.asked.plan.config.seed,
        dataset: about.asked.plan.dataset.name().to_owned(),
        sample: about.sample.id.clone(),
    };
    let drawn = source.draw("faithfulness.order", &[tokens as i64])?;
    Ok(Vec::try_from(drawn.to_kind(tch::Kind::Double))?)
}
