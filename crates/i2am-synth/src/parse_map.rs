//! The parse map: which pixel shows what, in the labels of the published human parsing.

use image::GrayImage;

use super::body::Lower;
use super::canvas::{Field, LabelMap};
use super::portrait;
use super::scene::Scene;

const HAIR: u8 = 2;
const UPPER_CLOTHES: u8 = 5;
const TROUSERS: u8 = 9;
const NECK: u8 = 10;
const SKIRT: u8 = 12;
const FACE: u8 = 13;
/// By side of the picture: left and right of a label are the person's.
const ARMS: [u8; 2] = [15, 14];
const LEGS: [u8; 2] = [17, 16];

/// The colors by which the published maps show their 20 labels.
pub(super) const PALETTE: [[u8; 3]; 20] = [
    [0, 0, 0],
    [128, 0, 0],
    [255, 0, 0],
    [0, 85, 0],
    [170, 0, 51],
    [255, 85, 0],
    [0, 0, 85],
    [0, 119, 221],
    [85, 85, 0],
    [0, 85, 85],
    [85, 51, 0],
    [52, 86, 128],
    [0, 128, 0],
    [0, 0, 255],
    [51, 170, 221],
    [0, 255, 255],
    [85, 255, 170],
    [170, 255, 85],
    [255, 255, 0],
    [255, 170, 0],
];

/// Labels every pixel by what is painted there last, in the order of [`portrait::paint`].
pub(super) fn paint(scene: &Scene<'_>, front_hair: &[Field]) -> GrayImage {
    let person = scene.person;
    let mut map = LabelMap::empty(scene.size);
    if let Some(hair) = portrait::back_hair(scene.size, person) {
        map.put(&hair, HAIR);
    }
    map.put(&scene.trunk, NECK);
    for (leg, label) in scene.legs.iter().zip(LEGS) {
        map.put(leg, label);
    }
    if person.lower == Lower::Skirt {
        map.put(&portrait::skirt(scene.size, person), SKIRT);
    } else {
        for legwear in &scene.legwear {
            map.put(legwear, TROUSERS);
        }
        map.put(&portrait::belt(scene), TROUSERS);
    }
    for (arm, label) in scene.arms.iter().zip(ARMS) {
        map.put(&arm.limb, label);
    }
    map.put(&scene.chest, NECK);
    map.put(&scene.neck, NECK);
    for sleeve in scene.arms.iter().filter_map(|arm| arm.sleeve.as_ref()) {
        map.put(&sleeve.field, UPPER_CLOTHES);
    }
    map.put(&scene.shirt, UPPER_CLOTHES);
    for (arm, label) in scene.arms.iter().zip(ARMS) {
        if let Some(crossing) = &arm.crossing {
            map.put(&crossing.limb, label);
            if let Some(sleeve) = &crossing.sleeve {
                map.put(sleeve, UPPER_CLOTHES);
            }
        }
    }
    for (arm, label) in scene.arms.iter().zip(ARMS) {
        map.put(&arm.hand, label);
    }
    map.put(&scene.head, FACE);
    for hair in front_hair {
        map.put(hair, HAIR);
    }
    map.to_gray()
}

/// The map with 0 in the masked region: of the arms, hands are left.
pub(super) fn without(parse: &GrayImage, hole: &GrayImage) -> GrayImage {
    let mut agnostic = parse.clone();
    for (label, hole) in agnostic.iter_mut().zip(hole.iter()) {
        if *hole == 255 {
            *label = 0;
        }
    }
    agnostic
}
