//! The person: build, pose and looks.

use super::canvas::Size;
use super::color::{Color, dye, hair, skin};
use super::dice::Dice;
use super::garment::{SHOULDER, width_limit};
use super::geometry::{Frame, Point, TORSO, Turn, at};
use super::shapes::{Limb, Outline, Path};

/// Below the waist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lower {
    Trousers,
    Shorts,
    Skirt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hair {
    Short,
    Bob,
    Long,
    Bun,
    Shaved,
}

/// One arm, in picture coordinates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub(super) limb: Limb,
    pub(super) hand: Point,
    /// -1 on the picture's left, 1 on its right.
    pub(super) side: f32,
    /// Lies across the torso, so that forearm and hand are drawn over it.
    pub(super) in_front: bool,
}

/// Everything about a person but the garment.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) frame: Frame,
    pub(super) arms: [Arm; 2],
    pub(super) legs: [Limb; 2],
    /// Torso without garment, in the flat garment's coordinates.
    pub(super) trunk: Outline,
    pub(super) head: Point,
    pub(super) skin: Color,
    pub(super) hair_color: Color,
    pub(super) hair: Hair,
    /// Slant of the fringe.
    pub(super) parting: f32,
    pub(super) lower: Lower,
    pub(super) lower_color: Color,
    /// Length of skirt or shorts below the hip, in chest widths.
    pub(super) lower_length: f32,
    pub(super) smile: f32,
}

/// Half width and half height of the face in chest widths.
pub(super) const FACE: Point = at(0.225, 0.285);

/// Half thickness of the arm at shoulder, elbow and wrist.
const ARM: [f32; 3] = [0.115, 0.095, 0.075];
const UPPER_ARM: f32 = 0.58;
const FOREARM: f32 = 0.5;
pub(super) const HAND: f32 = 0.1;

impl Person {
    pub(super) fn draw(looks: &mut Dice, pose: &mut Dice, size: Size) -> Self {
        let frame = stance(pose, size);
        let slim = looks.between(0.9, 1.0);
        Self {
            frame,
            arms: [-1.0, 1.0].map(|side| Arm::draw(pose, &frame, side)),
            legs: [-1.0, 1.0].map(|side| leg(pose, &frame, side)),
            trunk: trunk(slim),
            head: at(pose.around_zero(0.04), -0.42),
            skin: skin(looks),
            hair_color: hair(looks),
            hair: looks.pick(&[Hair::Short, Hair::Bob, Hair::Long, Hair::Bun, Hair::Shaved]),
            parting: looks.between(-0.5, 0.5),
            lower: looks.pick(&[
                Lower::Trousers,
                Lower::Trousers,
                Lower::Shorts,
                Lower::Skirt,
            ]),
            lower_color: dye(looks),
            lower_length: looks.between(0.45, 0.75),
            smile: looks.between(0.3, 1.0),
        }
    }
}

/// Where the torso stands and how it leans.
fn stance(pose: &mut Dice, size: Size) -> Frame {
    let scale = pose.between(0.238, 0.285) * width_limit(size);
    let lean = pose.around_zero(0.24) + pose.around_zero(0.11);
    let turn = Turn::by(lean);
    // The hip goes the other way, so that a leaning head stays in the picture.
    let hip = at(
        -0.16 * lean + pose.around_zero(0.045),
        0.665 + pose.around_zero(0.03),
    );
    let shear = pose.around_zero(0.08);
    let mut frame = Frame {
        origin: at(0.0, 0.0),
        scale,
        turn,
        shear,
        bend: pose.around_zero(0.1),
    };
    frame.origin = hip - frame.place(at(0.0, TORSO));
    frame
}

impl Arm {
    fn draw(pose: &mut Dice, frame: &Frame, side: f32) -> Self {
        // Angles from straight down, outwards positive: upper arm, forearm.
        let (upper, fore, in_front) = match pose.below(8) {
            // Hand on the hip.
            0 | 1 => (pose.between(0.65, 0.85), pose.between(-0.75, -0.5), false),
            // Waving.
            2 => (pose.between(0.8, 1.2), pose.between(2.3, 2.9), false),
            // Across the belly.
            3 => (pose.between(0.15, 0.35), pose.between(-1.75, -1.2), true),
            // Held out.
            4 => (pose.between(0.5, 0.8), pose.between(0.6, 1.4), false),
            // Hanging.
            _ => (pose.between(0.12, 0.4), pose.between(-0.05, 0.4), false),
        };
        let shoulder = frame.place(SHOULDER.on_side(side));
        // Arms hang straight down however the torso leans.
        let reach = |angle: f32, length: f32| {
            let down = at(0.0, length * frame.scale);
            down.turned(Turn::by(-angle * side))
        };
        let elbow = shoulder + reach(upper, UPPER_ARM);
        let wrist = elbow + reach(fore, FOREARM);
        let hand = elbow + reach(fore, FOREARM + HAND * 0.7);
        Self {
            limb: Limb {
                joints: [shoulder, elbow, wrist],
                radii: ARM.map(|r| r * frame.scale),
            },
            hand,
            side,
            in_front,
        }
    }
}

fn leg(pose: &mut Dice, frame: &Frame, side: f32) -> Limb {
    let hip = frame.place(at(0.21 * side, TORSO + 0.02));
    let step = pose.around_zero(0.1) + 0.05 * side;
    let knee = hip + at(step * frame.scale, 1.0 * frame.scale);
    let foot = knee + at(step * frame.scale, 1.2 * frame.scale);
    Limb {
        joints: [hip, knee, foot],
        radii: [0.235, 0.165, 0.12].map(|r| r * frame.scale),
    }
}

fn trunk(slim: f32) -> Outline {
    Path::from(at(0.0, -0.05))
        .line(at(0.11, -0.05))
        .curve(at(0.12, 0.06), at(0.34, 0.075))
        .curve(at(0.47, 0.09), at(0.475 * slim, 0.22))
        .line(at(0.45 * slim, 0.45))
        .curve(at(0.37 * slim, 0.85), at(0.44 * slim, TORSO))
        .line(at(0.36, TORSO + 0.14))
        .line(at(0.0, TORSO + 0.16))
        .mirrored()
}
