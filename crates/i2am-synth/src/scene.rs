//! The shapes of a dressed person, each traced once, and what is derived from them.

use super::body::{Arm, FACE, HAND, Lower, Person};
use super::canvas::{Field, Size, Stencil};
use super::garment::{Cut, Garment, INK};
use super::geometry::{Bounds, Frame, Point, TORSO, at};
use super::shapes::{Limb, ellipse};

/// How far the masked region reaches beyond the body, in chest widths. It must cover the longest shirt and the widest sleeve, so
/// that it does not show what was worn.
const HOLE_TORSO: f32 = 0.19;
const HOLE_ARM: f32 = 0.13;

/// Where a crossing arm starts to be drawn over the torso, in chest widths from the shoulder.
const CROSSING_FROM: f32 = 0.34;

/// How far the cloth around a print belongs to it, in chest widths: a print is known by its contour.
const PRINT_RIM: f32 = 0.06;

/// The traced shapes of one person in one garment.
pub(super) struct Scene<'a> {
    pub(super) size: Size,
    pub(super) person: &'a Person,
    pub(super) garment: &'a Garment,
    pub(super) head: Field,
    pub(super) neck: Field,
    pub(super) trunk: Field,
    /// The trunk above the waistband.
    pub(super) chest: Field,
    pub(super) shirt: Field,
    pub(super) arms: [ArmFields; 2],
    pub(super) legs: [Field; 2],
    /// What the lower garment covers of each leg.
    pub(super) legwear: [Field; 2],
}

/// The shapes of one arm.
pub(super) struct ArmFields {
    pub(super) limb: Field,
    pub(super) hand: Field,
    pub(super) sleeve: Option<WornSleeve>,
    pub(super) crossing: Option<Crossing>,
}

/// The part of an arm that lies over the torso. `rim` is the part with its contour: the cut end has none.
pub(super) struct Crossing {
    pub(super) rim: Field,
    pub(super) limb: Field,
    pub(super) sleeve: Option<Field>,
    pub(super) sleeve_rim: Option<Field>,
}

/// A sleeve on an arm.
pub(super) struct WornSleeve {
    pub(super) limb: Limb,
    pub(super) field: Field,
}

impl<'a> Scene<'a> {
    pub(super) fn trace(size: Size, person: &'a Person, garment: &'a Garment) -> Self {
        let frame = &person.frame;
        let head = person.head;
        let local = |low, high, distance: &dyn Fn(Point) -> f32| {
            Field::trace_flat(size, frame, [low, high], 0.0, distance)
        };
        let trunk_box = [at(-0.5, -0.1), at(0.5, TORSO + 0.2)];
        let trunk = Field::trace_flat(size, frame, trunk_box, HOLE_TORSO, |p| {
            person.trunk.distance(p)
        });
        Self {
            size,
            person,
            garment,
            head: local(head - FACE, head + FACE, &|p| ellipse(p - head, FACE)),
            neck: local(at(-0.2, -0.3), at(0.2, 0.3), &|p| {
                (p.x.abs() - 0.105).max(ellipse(p - at(0.0, -0.05), at(0.3, 0.3)))
            }),
            chest: trunk.map(|p, distance| distance.max((frame.locate(p).y - 0.9) * frame.scale)),
            trunk,
            shirt: local(at(-0.6, 0.0), at(0.6, 1.6), &|p| {
                garment.outline.distance(p)
            }),
            arms: [0, 1].map(|i| ArmFields::trace(size, frame, &person.arms[i], garment)),
            legs: [0, 1].map(|i| limb(size, &person.legs[i], 0.0)),
            legwear: [0, 1].map(|i| legwear(size, person, i)),
        }
    }

    /// The region to repaint: torso and arms with a generous margin; head and hands stay.
    pub(super) fn hole(&self, front_hair: &[Field]) -> Stencil {
        let scale = self.person.frame.scale;
        // A pixel that a contour only grazes has its center up to half a pixel further out.
        let half_pixel = 0.5 * self.size.pixel();
        let mut hole = Stencil::empty(self.size);
        hole.add(&self.trunk, HOLE_TORSO * scale + half_pixel);
        hole.add(&self.neck, 0.03 * scale);
        for arm in &self.arms {
            hole.add(&arm.limb, HOLE_ARM * scale + half_pixel);
        }
        // A pixel that head or hand cover only in part shows some of the garment next to it, so it belongs to the masked region.
        self.cut_head_and_hands(&mut hole, front_hair, -half_pixel);
        hole
    }

    /// Where the garment is seen on the person.
    pub(super) fn worn(&self, front_hair: &[Field]) -> Stencil {
        let mut worn = Stencil::empty(self.size);
        worn.add(&self.shirt, 0.0);
        for arm in &self.arms {
            if let Some(sleeve) = &arm.sleeve {
                worn.add(&sleeve.field, 0.0);
            }
        }
        self.cut_what_is_before(&mut worn, front_hair, |worn, sleeve| worn.add(sleeve, 0.0));
        worn
    }

    /// Where the print is seen on the person, with a rim of cloth.
    pub(super) fn printed(&self, front_hair: &[Field]) -> Stencil {
        let mut printed = Stencil::empty(self.size);
        let Some(print) = &self.garment.texture.print else {
            return printed;
        };
        let frame = &self.person.frame;
        let around = |p, shirt: f32| {
            let distance = print.distance(frame.locate(p)) - PRINT_RIM;
            shirt.max(distance * frame.scale)
        };
        printed.add(&self.shirt.map(around), 0.0);
        self.cut_what_is_before(&mut printed, front_hair, |printed, sleeve| {
            printed.cut(sleeve, 0.0);
        });
        printed
    }

    /// Cuts what lies before the torso: arms that cross it, on whose sleeves `sleeve` decides, head and hands.
    fn cut_what_is_before(
        &self,
        stencil: &mut Stencil,
        front_hair: &[Field],
        sleeve: impl Fn(&mut Stencil, &Field),
    ) {
        for crossing in self.arms.iter().filter_map(|arm| arm.crossing.as_ref()) {
            stencil.cut(&crossing.limb, 0.0);
            if let Some(field) = &crossing.sleeve {
                sleeve(stencil, field);
            }
        }
        self.cut_head_and_hands(stencil, front_hair, 0.0);
    }

    fn cut_head_and_hands(&self, stencil: &mut Stencil, front_hair: &[Field], grow: f32) {
        let hands = self.arms.iter().map(|arm| &arm.hand);
        for field in hands.chain([&self.head]).chain(front_hair) {
            stencil.cut(field, grow);
        }
    }
}

/// Traces a limb with room for `margin` picture heights around it.
fn limb(size: Size, limb: &Limb, margin: f32) -> Field {
    Field::trace(size, limb.bounds().grown(margin + 2.0 * INK), |p| {
        limb.distance(p)
    })
}

fn legwear(size: Size, person: &Person, which: usize) -> Field {
    let scale = person.frame.scale;
    let leg = person.legs[which].eased(0.03 * scale);
    let length = match person.lower {
        Lower::Trousers => 9.0,
        Lower::Shorts => person.lower_length,
        Lower::Skirt => 0.0,
    };
    Field::trace(size, leg.bounds().grown(2.0 * INK), |p| {
        let spot = leg.locate(p);
        spot.distance.max(spot.along - length * scale)
    })
}

impl ArmFields {
    fn trace(size: Size, frame: &Frame, arm: &Arm, garment: &Garment) -> Self {
        let scale = frame.scale;
        let room = HOLE_ARM * scale;
        let hand_bounds = Bounds::around([arm.hand]).grown(HAND * scale + 2.0 * INK);
        let sleeve = worn_sleeve(frame, arm, garment);
        let sleeve_distance = |p: Point| {
            sleeve.map_or(f32::INFINITY, |(limb, length)| {
                let spot = limb.locate(p);
                spot.distance.max(spot.along - length)
            })
        };
        let before = |p: Point| CROSSING_FROM * scale - arm.limb.locate(p).along;
        let trace = |bounds: Bounds, distance: &dyn Fn(Point) -> f32| {
            Field::trace(size, bounds.grown(2.0 * INK), distance)
        };
        let crossing = arm.in_front.then(|| Crossing {
            rim: trace(arm.limb.bounds(), &|p| {
                (arm.limb.distance(p) - INK).max(before(p))
            }),
            limb: trace(arm.limb.bounds(), &|p| arm.limb.distance(p).max(before(p))),
            sleeve: sleeve
                .map(|(limb, _)| trace(limb.bounds(), &|p| sleeve_distance(p).max(before(p)))),
            sleeve_rim: sleeve.map(|(limb, _)| {
                trace(limb.bounds(), &|p| {
                    (sleeve_distance(p) - INK).max(before(p))
                })
            }),
        });
        Self {
            limb: limb(size, &arm.limb, room),
            hand: Field::trace(size, hand_bounds, |p| {
                (p - arm.hand).length() - HAND * scale
            }),
            sleeve: sleeve.map(|(limb, _)| WornSleeve {
                limb,
                field: trace(limb.bounds(), &sleeve_distance),
            }),
            crossing,
        }
    }
}

/// The sleeve as a limb in the picture, and its length in picture heights.
fn worn_sleeve(frame: &Frame, arm: &Arm, garment: &Garment) -> Option<(Limb, f32)> {
    let sleeve = garment.sleeve?;
    let [top, cuff] = sleeve.radii.map(|r| r * frame.scale);
    let length = sleeve.length * frame.scale;
    let [shoulder, elbow, wrist] = arm.limb.joints;
    let limb = if garment.cut == Cut::Long {
        Limb {
            joints: [shoulder, elbow, wrist],
            radii: [top, (top + cuff) * 0.5, cuff],
        }
    } else {
        // Short sleeves end on the upper arm and widen to their cuff there.
        let direction = (elbow - shoulder) * (1.0 / (elbow - shoulder).length());
        Limb {
            joints: [
                shoulder,
                shoulder + direction * length,
                shoulder + direction * (length * 1.1),
            ],
            radii: [top, cuff, cuff],
        }
    };
    Some((limb, length))
}
