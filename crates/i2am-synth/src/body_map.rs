//! The colored map of body parts, in the place of a `DensePose` picture.

use super::canvas::Canvas;
use super::color::{BLACK, Color};
use super::geometry::TORSO;
use super::scene::Scene;

const LEGS: [Color; 2] = [Color::bytes(60, 150, 60), Color::bytes(150, 190, 60)];
const UPPER_ARMS: [Color; 2] = [Color::bytes(230, 140, 30), Color::bytes(210, 60, 160)];
const FOREARMS: [Color; 2] = [Color::bytes(250, 210, 60), Color::bytes(250, 140, 210)];
const HANDS: [Color; 2] = [Color::bytes(250, 240, 160), Color::bytes(250, 210, 240)];
const HEAD: Color = Color::bytes(235, 80, 60);
const TORSO_LEFT: Color = Color::bytes(20, 40, 190);
const TORSO_RIGHT: Color = Color::bytes(30, 150, 235);

/// Paints the body without clothes, each part in its own color; the torso's color also tells the place on it.
pub(super) fn paint(scene: &Scene<'_>) -> Canvas {
    let person = scene.person;
    let mut canvas = Canvas::filled(scene.size, BLACK);
    for (field, color) in scene.legs.iter().zip(LEGS) {
        canvas.paint(field, 0.0, |_| color);
    }
    canvas.paint(&scene.neck, 0.0, |_| HEAD);
    let torso = |canvas: &mut Canvas| {
        canvas.paint(&scene.trunk, 0.0, |p| {
            let flat = person.frame.locate(p);
            TORSO_LEFT
                .mixed(TORSO_RIGHT, (flat.x + 0.5).clamp(0.0, 1.0))
                .lit(1.0 - 0.5 * (flat.y / TORSO).clamp(0.0, 1.0))
        });
    };
    torso(&mut canvas);
    for which in [0, 1] {
        let arm = &person.arms[which];
        let elbow = (arm.limb.joints[1] - arm.limb.joints[0]).length();
        canvas.paint(&scene.arms[which].limb, 0.0, |p| {
            if arm.limb.locate(p).along < elbow {
                UPPER_ARMS[which]
            } else {
                FOREARMS[which]
            }
        });
        canvas.paint(&scene.arms[which].hand, 0.0, |_| HANDS[which]);
    }
    canvas.paint(&scene.head, 0.0, |_| HEAD);
    canvas
}
