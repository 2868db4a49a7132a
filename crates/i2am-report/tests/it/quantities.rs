//! What the runs of these tests measure, defined here, since a report knows no metric or score by name.

use i2am_quantity::{Better, Quantities, Quantity, Role};

const fn score_of_maps(name: &'static str, title: &'static str) -> Quantity {
    Quantity::new(name, title, Better::Higher)
        .version(2)
        .decimals(3)
        .headline()
        .correlated()
}

static IMACS_G: Quantity = score_of_maps("imacs_g", "IMACS_g");
static IMACS_R: Quantity = score_of_maps("imacs_r", "IMACS_r");
static FID: Quantity = Quantity::new("fid", "FID", Better::Lower)
    .decimals(2)
    .of_sets()
    .headline()
    .correlated();
static KID: Quantity = Quantity::new("kid", "KID", Better::Lower)
    .exponent(3)
    .decimals(2)
    .of_sets()
    .headline()
    .correlated();
static LPIPS: Quantity = Quantity::new("lpips", "LPIPS", Better::Lower)
    .headline()
    .correlated();
static PSNR: Quantity = Quantity::new("psnr", "PSNR", Better::Higher)
    .decimals(2)
    .headline()
    .correlated();
static IOU: Quantity = Quantity::new("iou", "IoU", Better::Higher)
    .decimals(3)
    .in_table("detection")
    .correlated();
static BOX_FOUND: Quantity =
    Quantity::new("box_found", "Box found", Better::Neither).part_of("detection", Role::Found);

const fn near_place(name: &'static str) -> Quantity {
    Quantity::new(name, "Near", Better::Higher)
        .decimals(3)
        .in_table("locality")
}

const fn part_of_near(
    name: &'static str,
    title: &'static str,
    better: Better,
    role: Role,
) -> Quantity {
    Quantity::new(name, title, better)
        .decimals(3)
        .part_of("locality", role)
}

const fn shuffled(name: &'static str) -> Quantity {
    part_of_near(name, "Shuffled", Better::Neither, Role::Control)
}

const fn uniform(name: &'static str) -> Quantity {
    part_of_near(name, "Uniform", Better::Neither, Role::Control)
}

const fn gain(name: &'static str) -> Quantity {
    part_of_near(name, "Gain", Better::Higher, Role::Gain)
}

static NEAR_R2G: Quantity = near_place("locality_r2g")
    .footnote("Radius in cells of the map looked at; 0 is the matching cell alone.");
static NEAR_G2R: Quantity = near_place("locality_g2r");
static SHUFFLED_R2G: Quantity = shuffled("locality_shuffled_r2g").footnote(
    "Shuffled: the same share around the matching place of any other position, as of a map that looks at the same places \
     whatever position asks.",
);
static SHUFFLED_G2R: Quantity = shuffled("locality_shuffled_g2r");
static UNIFORM_R2G: Quantity =
    uniform("locality_uniform_r2g").footnote("Uniform: of even attention.");
static UNIFORM_G2R: Quantity = uniform("locality_uniform_g2r");
static GAIN_R2G: Quantity =
    gain("locality_gain_r2g").footnote("Gain: 0 at shuffled, 1 with all attention near.");
static GAIN_G2R: Quantity = gain("locality_gain_g2r");

/// What the runs of these tests measure.
pub(crate) static QUANTITIES: Quantities<'static> = Quantities::new(ALL);

static ALL: &[&Quantity] = &[
    &IMACS_G,
    &IMACS_R,
    &FID,
    &KID,
    &LPIPS,
    &PSNR,
    &IOU,
    &BOX_FOUND,
    &NEAR_R2G,
    &NEAR_G2R,
    &SHUFFLED_R2G,
    &SHUFFLED_G2R,
    &UNIFORM_R2G,
    &UNIFORM_G2R,
    &GAIN_R2G,
    &GAIN_G2R,
];
