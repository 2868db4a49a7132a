//! How much attention falls near the matching place, from records that hold it.

use i2am_attribution::{LocalityConfig, localities};
use i2am_quantity::{Better, Bound, Direction, Measurement, Outcome, Quantity, Role};

use super::{Enabled, Recorded, ScoreInfo, ScoreInput, Scored, Settings};

/// The share of attention within a radius, two controls, and the gain over the first.
struct Parts {
    near: Quantity,
    shuffled: Quantity,
    uniform: Quantity,
    gain: Quantity,
}

static R2G: Parts = Parts {
    near: near("locality_r2g")
        .footnote("Radius in cells of the map looked at; 0 is the matching cell alone."),
    shuffled: shuffled("locality_shuffled_r2g").footnote(
        "Shuffled: the same share around the matching place of any other position, as of a map that looks at the same places \
         whatever position asks.",
    ),
    uniform: uniform("locality_uniform_r2g").footnote("Uniform: of even attention."),
    gain: gain("locality_gain_r2g")
        .footnote("Gain: 0 at shuffled, 1 with all attention near."),
};
static G2R: Parts = Parts {
    near: near("locality_g2r"),
    shuffled: shuffled("locality_shuffled_g2r"),
    uniform: uniform("locality_uniform_g2r"),
    gain: gain("locality_gain_g2r"),
};

const fn near(name: &'static str) -> Quantity {
    quantity(name, "Near", Better::Higher, Role::Value)
}

const fn shuffled(name: &'static str) -> Quantity {
    quantity(name, "Shuffled", Better::Neither, Role::Control)
}

const fn uniform(name: &'static str) -> Quantity {
    quantity(name, "Uniform", Better::Neither, Role::Control)
}

const fn gain(name: &'static str) -> Quantity {
    quantity(name, "Gain", Better::Higher, Role::Gain)
}

/// Shares of attention, 0 to 1.
const fn quantity(name: &'static str, title: &'static str, better: Better, role: Role) -> Quantity {
    Quantity::new(name, title, better)
        .decimals(3)
        .tolerance(Bound::absolute(1e-4), Some(Bound::absolute(5e-4)))
        .part_of("locality", role)
}

impl Settings for LocalityConfig {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "locality",
        enabled: Enabled::ByTable,
        needs_objects: false,
        recorded: true,
        quantities: &[
            &R2G.near,
            &G2R.near,
            &R2G.shuffled,
            &G2R.shuffled,
            &R2G.uniform,
            &G2R.uniform,
            &R2G.gain,
            &G2R.gain,
        ],
        summary: "share of attention near the matching place, with its gain over chance and two controls, for each radius",
    };

    fn check(&self) -> Result<(), String> {
        self.check().map_err(|error| error.to_string())
    }

    fn record(&self, wanted: &mut Recorded) {
        wanted.locality = Some(self.clone());
    }

    /// Four rows for each direction, level and radius.
    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let mut rows = Vec::new();
        for (direction, parts) in [
            (Direction::ReferenceToGenerated, &R2G),
            (Direction::GeneratedToReference, &G2R),
        ] {
            for found in localities(input.record, direction) {
                let gain = match found.gain() {
                    Some(gain) => Outcome::of(gain),
                    None => Outcome::empty("the windows cover the whole map"),
                };
                let measured = [
                    (&parts.near, Outcome::of(found.near)),
                    (&parts.gain, gain),
                    (&parts.shuffled, Outcome::of(found.shuffled)),
                    (&parts.uniform, Outcome::of(found.uniform)),
                ];
                rows.extend(measured.map(|(quantity, outcome)| {
                    Measurement::of(quantity, outcome)
                        .on_map(direction, found.level.clone())
                        .under(format!("r={}", found.radius))
                }));
            }
        }
        Scored::rows(rows)
    }
}
