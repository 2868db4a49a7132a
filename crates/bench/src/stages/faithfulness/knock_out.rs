//! Do the maps of layers, heads and time groups say which of them matter? Each is switched off: it reads nothing of the reference.

use std::collections::BTreeSet;

use anyhow::Result;
use i2am_attribution::{Cell, Convention, Reading, cell_attention, cells};
use i2am_faithfulness::{KNOCK_OUT, KNOCK_OUT_EFFECT, KNOCK_OUT_FOUND, KNOCK_OUT_P};
use i2am_imaging::torch_adaptive_average;
use i2am_quantity::{Direction, Level, Measurement, Outcome};
use i2am_runner::families::{Moment, Question, Unit, Unread};
use i2am_stats::{Columns, Method, Permutations, Target, permutation_tests, spearman};

use super::answers::About;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;

/// Fewest units of which a correlation says something.
const FEWEST: usize = 4;
const PERMUTATIONS: usize = 2000;
const DIRECTION: Direction = Direction::ReferenceToGenerated;

/// What a unit's map claims.
#[derive(Clone, Copy)]
enum Claim {
    /// The part of the map over the image that lies in the masked region: what IMACS is made of.
    Mass,
    /// How much of what positions of the masked region read comes from the reference.
    Share,
    /// The same, every probability times the length of what its token hands on.
    Carried,
}

impl Claim {
    const ALL: [Self; 3] = [Self::Mass, Self::Share, Self::Carried];

    fn name(self) -> &'static str {
        match self {
            Self::Mass => "mass in the masked region",
            Self::Share => "share of the reference",
            Self::Carried => "carried share",
        }
    }

    fn convention(self, base: &Convention) -> Convention {
        let mut convention = base.clone();
        (convention.r2g.reading, convention.carried) = match self {
            Self::Mass => (Reading::ColumnSoftmax, false),
            Self::Share => (Reading::Share, false),
            Self::Carried => (Reading::Share, true),
        };
        convention
    }
}

/// Units of one kind, with the parts of the record that each is.
struct Units {
    kind: &'static str,
    levels: Vec<(Level, Vec<Cell>)>,
}

/// The effect of each unit, and its correlation with what the units' maps claim.
pub(super) fn rows(about: &About<'_>, scene: &mut Scene<'_>) -> Result<Vec<Measurement>> {
    let mut rows = Vec::new();
    let steps = about.asked.pipeline.steps();
    for units in units(about, scene.moment) {
        let conditional = scene.conditional();
        let probe = |(level, _): &(Level, Vec<Cell>)| Unread::new(unit(level), conditional);
        let mut probes: Vec<Unread> = units.levels.iter().map(probe).collect();
        let groups = about.record.groups();
        let during = |level: &Level| match (level, scene.moment) {
            (Level::Time(group), Moment::Whole) => {
                let first = |group: usize| (group * steps).div_ceil(groups);
                first(*group)..first(group + 1)
            }
            _ => 0..steps,
        };
        let asked = probes.iter_mut().zip(&units.levels);
        let mut questions: Vec<Question<'_>> = asked
            .map(|(probe, (level, _))| Question::During(during(level), probe))
            .collect();
        let latents = scene.ask(&mut questions)?;
        let effects = scene.effects_of(&latents)?;
        let name = Name::of(units.kind, scene);
        for ((level, _), effect) in units.levels.iter().zip(&effects) {
            let own = row(&KNOCK_OUT_EFFECT, Outcome::of(*effect), name.alone());
            rows.push(own.on_map(DIRECTION, level.clone()));
        }
        if units.levels.len() < FEWEST {
            continue;
        }
        for claim in Claim::ALL {
            let claimed = units
                .levels
                .iter()
                .map(|(_, cells)| claimed(about, scene, claim, cells));
            if let Some(claimed) = claimed.collect::<Option<Vec<f64>>>() {
                let seed = about.asked.seed(about.sample);
                rows.extend(compared(&claimed, &effects, seed, &name.map(claim.name()))?);
            }
        }
    }
    Ok(rows)
}

/// The units that can be switched off at `moment`: of a step, its layers and their heads; of a whole sampling, layers and time groups.
fn units(about: &About<'_>, moment: Moment) -> Vec<Units> {
    let record = about.record;
    let mut convention = about.asked.plan.config.convention.clone();
    convention.time_groups = record.groups();
    let mut all = cells(record, &convention, DIRECTION);
    if let Moment::Step(step) = moment {
        let group = step * record.groups() / about.asked.pipeline.steps();
        all.retain(|cell| cell.time == group);
    }
    let of = |kind, level: &dyn Fn(&Cell) -> Level| {
        let levels: BTreeSet<Level> = all.iter().map(level).collect();
        let own = |wanted: &Level| {
            all.iter()
                .filter(|c| level(c) == *wanted)
                .cloned()
                .collect()
        };
        let levels = levels.into_iter().map(|level| (level.clone(), own(&level)));
        Units {
            kind,
            levels: levels.collect(),
        }
    };
    let time = of("times", &|cell| Level::Time(cell.time));
    let layers = of("layers", &|cell| Level::Layer(cell.layer.clone()));
    let finest = match moment {
        Moment::Step(_) => Some(of("heads", &|cell| Level::Cell(cell.clone()))),
        Moment::Whole => None,
    };
    [Some(time), Some(layers), finest]
        .into_iter()
        .flatten()
        .collect()
}

fn unit(level: &Level) -> Unit {
    match level {
        Level::Layer(layer) => Unit {
            layers: vec![layer.clone()],
            head: None,
        },
        Level::Cell(cell) => Unit {
            layers: vec![cell.layer.clone()],
            head: Some(cell.head),
        },
        _ => Unit::default(),
    }
}

/// What the map of `cells` together claims; none if the record lacks the sums.
fn claimed(about: &About<'_>, scene: &Scene<'_>, claim: Claim, cells: &[Cell]) -> Option<f64> {
    let mut convention = claim.convention(&about.asked.plan.config.convention);
    convention.time_groups = about.record.groups();
    let (mut sum, mut steps) = (0.0, 0.0);
    for cell in cells {
        let map = cell_attention(about.record, &convention, DIRECTION, cell).ok()?;
        let mask = torch_adaptive_average(&scene.weights, map.height(), map.width());
        let weighted = map.data().iter().zip(mask.data());
        let inside: f64 = weighted
            .map(|(value, weight)| f64::from(value * weight))
            .sum();
        let of_all = match claim {
            Claim::Mass => map.sum(),
            Claim::Share | Claim::Carried => mask.sum(),
        };
        let own = f64::from(about.record.steps[cell.time]);
        // A mass is already a mean over steps.
        sum += match claim {
            Claim::Mass => own * inside / of_all,
            Claim::Share | Claim::Carried => inside / of_all,
        };
        steps += own;
    }
    let claimed = sum / steps;
    claimed.is_finite().then_some(claimed)
}

fn compared(claims: &[f64], effects: &[f64], seed: u64, variant: &str) -> Result<Vec<Measurement>> {
    let value = spearman(claims, effects).ok();
    let mut found = vec![row(&KNOCK_OUT, or_constant(value), variant.to_owned())];
    let columns = Columns::new(vec![claims, effects])?;
    let permutations = Permutations {
        count: PERMUTATIONS,
        seed,
    };
    let tested = permutation_tests(
        Method::Spearman,
        &columns,
        &[Target { x: 0, y: 1 }],
        permutations,
    )?;
    if let Some(Ok(p)) = tested.first() {
        let significant = f64::from(u8::from(p.value < 0.05));
        found.push(row(&KNOCK_OUT_P, Outcome::of(p.value), variant.to_owned()));
        found.push(row(
            &KNOCK_OUT_FOUND,
            Outcome::of(significant),
            variant.to_owned(),
        ));
    }
    Ok(found)
}
