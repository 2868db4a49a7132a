//! Which pixels are repainted: from the parse map, or painted along the joints.

use i2am_datasets::{Joint, Pose};
use i2am_imaging::{
    GrayImage, opencv_dilate, opencv_erode, pillow_ellipse, pillow_polygon, pillow_rectangle,
    pillow_wide_line,
};

/// Labels whose pixels are repainted: upper clothes, dress, coat, both arms.
const REPAINTED: [u8; 5] = [5, 6, 7, LEFT_ARM, RIGHT_ARM];
/// Labels that stay whatever was painted over them: sunglasses, face, trousers, skirt, legs, shoes.
const STAYING: [u8; 8] = [4, 13, 9, 12, 16, 17, 18, 19];
const LEFT_ARM: u8 = 14;
const RIGHT_ARM: u8 = 15;

/// Of [`GrayImage`] masks.
const SET: u8 = 255;

/// The first version's masked region, 255 in it: the repainted labels, grown by three squares and shrunk by one. The square's side is
/// 5 pixels at a width of 256.
pub(super) fn of_parse(parse: &GrayImage) -> GrayImage {
    let side = (5.0 * (f64::from(parse.width()) / 256.0)) as usize;
    let side = side.max(1);
    let hole = labelled(parse, &REPAINTED);
    opencv_erode(&opencv_dilate(&hole, side, 3), side, 1)
}

/// Where hands are in a parse map of which the rest of the arms is taken out, 255 there.
pub(super) fn hands(agnostic_parse: &GrayImage) -> GrayImage {
    labelled(agnostic_parse, &[LEFT_ARM, RIGHT_ARM])
}

fn labelled(parse: &GrayImage, labels: &[u8]) -> GrayImage {
    let mut mask = parse.clone();
    for pixel in mask.iter_mut() {
        *pixel = if labels.contains(pixel) { SET } else { 0 };
    }
    mask
}

/// What is painted over torso, neck and arms to hide what was worn, 255 there; of the size of `parse`. Face, lower body and hands
/// stay.
///
/// # Errors
/// What is wrong with the joints.
pub(super) fn of_joints(pose: &Pose, parse: &GrayImage) -> Result<GrayImage, &'static str> {
    let body = Body::of(pose)?;
    let mut hole = GrayImage::new(parse.width(), parse.height());
    body.paint_torso(&mut hole);
    body.paint_arms(&mut hole);
    let keep = labelled(parse, &STAYING);
    let arms = [
        (
            LEFT_ARM,
            [Joint::LeftShoulder, Joint::LeftElbow, Joint::LeftWrist],
        ),
        (
            RIGHT_ARM,
            [Joint::RightShoulder, Joint::RightElbow, Joint::RightWrist],
        ),
    ]
    .map(|(label, joints)| (labelled(parse, &[label]), body.sleeve(joints, parse)));
    for (index, pixel) in hole.iter_mut().enumerate() {
        // An arm beyond where a sleeve could reach is a hand.
        let is_hand = |(arm, sleeve): &(GrayImage, GrayImage)| {
            arm.as_raw()[index] == SET && sleeve.as_raw()[index] == 0
        };
        if keep.as_raw()[index] == SET || arms.iter().any(is_hand) {
            *pixel = 0;
        }
    }
    Ok(hole)
}

/// The joints, hips set as far apart as the shoulders, and the unit of all thicknesses: a sixteenth of that.
struct Body<'a> {
    pose: &'a Pose,
    hips: [[f64; 2]; 2],
    unit: f64,
}

impl<'a> Body<'a> {
    fn of(pose: &'a Pose) -> Result<Self, &'static str> {
        let between = |[ax, ay]: [f64; 2], [bx, by]: [f64; 2]| (ax - bx).hypot(ay - by);
        let [right, left] = [Joint::RightHip, Joint::LeftHip].map(|joint| pose.at(joint));
        let shoulders = between(pose.at(Joint::LeftShoulder), pose.at(Joint::RightShoulder));
        let hips = between(left, right);
        if hips == 0.0 {
            return Err("both hips are at one place, or neither was found");
        }
        let middle = [0, 1].map(|axis| f64::midpoint(right[axis], left[axis]));
        let spread = |hip: [f64; 2]| {
            [0, 1].map(|axis| middle[axis] + (hip[axis] - middle[axis]) / hips * shoulders)
        };
        Ok(Self {
            pose,
            hips: [spread(right), spread(left)],
            unit: (shoulders / 16.0).floor() + 1.0,
        })
    }

    fn at(&self, joint: Joint) -> [f64; 2] {
        self.pose.at(joint)
    }

    fn found(&self, joint: Joint) -> bool {
        self.at(joint).iter().any(|&place| place != 0.0)
    }

    /// An ellipse around `center`, half axes in units.
    fn blot(&self, mask: &mut GrayImage, [x, y]: [f64; 2], [across, down]: [f64; 2]) {
        let (across, down) = (across * self.unit, down * self.unit);
        pillow_ellipse(mask, [x - across, y - down, x + across, y + down], SET);
    }

    /// A line, its width in units.
    fn stroke(&self, mask: &mut GrayImage, from: [f64; 2], to: [f64; 2], width: f64) {
        pillow_wide_line(mask, from, to, (width * self.unit) as u32, SET);
    }

    fn paint_torso(&self, mask: &mut GrayImage) {
        let [right_hip, left_hip] = self.hips;
        let [right, left] = [Joint::RightShoulder, Joint::LeftShoulder].map(|joint| self.at(joint));
        for hip in self.hips {
            self.blot(mask, hip, [3.0, 6.0]);
        }
        self.stroke(mask, right, right_hip, 6.0);
        self.stroke(mask, left, left_hip, 6.0);
        self.stroke(mask, right_hip, left_hip, 12.0);
        pillow_polygon(mask, &[right, left, left_hip, right_hip], SET);
        let [x, y] = self.at(Joint::Neck);
        let unit = self.unit;
        pillow_rectangle(
            mask,
            [x - unit * 5.0, y - unit * 9.0, x + unit * 5.0, y],
            SET,
        );
    }

    fn paint_arms(&self, mask: &mut GrayImage) {
        let shoulders = [Joint::RightShoulder, Joint::LeftShoulder].map(|joint| self.at(joint));
        self.stroke(mask, shoulders[0], shoulders[1], 12.0);
        for shoulder in shoulders {
            self.blot(mask, shoulder, [5.0, 6.0]);
        }
        for (from, to) in [
            (Joint::RightShoulder, Joint::RightElbow),
            (Joint::RightElbow, Joint::RightWrist),
            (Joint::LeftShoulder, Joint::LeftElbow),
            (Joint::LeftElbow, Joint::LeftWrist),
        ] {
            if self.found(from) && self.found(to) {
                self.stroke(mask, self.at(from), self.at(to), 10.0);
                self.blot(mask, self.at(to), [5.0, 5.0]);
            }
        }
    }

    /// What a long sleeve could cover of one arm: it ends, rounded, at the last joint found.
    fn sleeve(&self, [shoulder, elbow, wrist]: [Joint; 3], size: &GrayImage) -> GrayImage {
        let mut mask = GrayImage::new(size.width(), size.height());
        let mut end = self.at(shoulder);
        self.blot(&mut mask, end, [5.0, 6.0]);
        for (from, to) in [(shoulder, elbow), (elbow, wrist)] {
            if self.found(from) && self.found(to) {
                self.stroke(&mut mask, self.at(from), self.at(to), 10.0);
                end = self.at(to);
                if to == elbow {
                    self.blot(&mut mask, end, [5.0, 5.0]);
                }
            }
        }
        self.blot(&mut mask, end, [4.0, 4.0]);
        mask
    }
}
