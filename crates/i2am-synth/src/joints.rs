//! The joints of a drawn person, in the place of an `OpenPose` file.

use super::body::{FACE, Person};
use super::canvas::Size;
use super::geometry::{Point, at};
use crate::pose::{JOINTS, Joint, Pose};

/// The joints that lie in the picture; the others are not found, as of a photograph that ends at the hip.
pub(super) fn of(person: &Person, size: Size) -> Pose {
    let mut points = [[0.0; 2]; JOINTS];
    let mut put = |joint: Joint, point: Point| {
        // A thousandth of a pixel is what such files hold.
        let [x, y] = size
            .to_pixels(point)
            .map(|value| (value * 1000.0).round() / 1000.0);
        let inside =
            (0.0..size.width as f64).contains(&x) && (0.0..size.height as f64).contains(&y);
        if inside {
            points[joint as usize] = [x, y];
        }
    };
    // The person's right is on the picture's left.
    let [right_arm, left_arm] = person.arms.map(|arm| arm.limb.joints);
    let [right_leg, left_leg] = person.legs.map(|leg| leg.joints);
    let in_face = |x: f32, y: f32| person.frame.place(person.head + at(x, y));
    for (joint, point) in [
        (Joint::Nose, in_face(0.0, 0.05)),
        (Joint::Neck, (right_arm[0] + left_arm[0]) * 0.5),
        (Joint::RightShoulder, right_arm[0]),
        (Joint::RightElbow, right_arm[1]),
        (Joint::RightWrist, right_arm[2]),
        (Joint::LeftShoulder, left_arm[0]),
        (Joint::LeftElbow, left_arm[1]),
        (Joint::LeftWrist, left_arm[2]),
        (Joint::MiddleHip, (right_leg[0] + left_leg[0]) * 0.5),
        (Joint::RightHip, right_leg[0]),
        (Joint::RightKnee, right_leg[1]),
        (Joint::RightAnkle, right_leg[2]),
        (Joint::LeftHip, left_leg[0]),
        (Joint::LeftKnee, left_leg[1]),
        (Joint::LeftAnkle, left_leg[2]),
        (Joint::RightEye, in_face(-0.088, 0.0)),
        (Joint::LeftEye, in_face(0.088, 0.0)),
        (Joint::RightEar, in_face(-FACE.x, 0.03)),
        (Joint::LeftEar, in_face(FACE.x, 0.03)),
    ] {
        put(joint, point);
    }
    Pose::new(points)
}
