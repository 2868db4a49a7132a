//! The garment brought into the shape it has on the person, in the place of a warping network's result.

use super::canvas::{Canvas, Stencil};
use super::color::WHITE;
use super::garment::{INK, ink_for};
use super::portrait::sleeve_cloth;
use super::scene::Scene;

/// The worn garment on white, flat as in its shop picture: carried over by the frame that dresses the person, without folds and
/// without what hides it. Also where it is.
pub(super) fn paint(scene: &Scene<'_>) -> (Canvas, Stencil) {
    let (garment, frame) = (scene.garment, scene.person.frame);
    let mut canvas = Canvas::filled(scene.size, WHITE);
    let mut stencil = Stencil::empty(scene.size);
    let ink = ink_for(garment.texture.base);
    let blur = scene.size.pixel() / frame.scale;
    let sleeves = scene.arms.iter().filter_map(|arm| arm.sleeve.as_ref());
    for field in sleeves.map(|sleeve| &sleeve.field).chain([&scene.shirt]) {
        canvas.paint(field, INK, |_| ink);
        stencil.add(field, INK);
    }
    for (which, arm) in scene.arms.iter().enumerate() {
        if let Some(sleeve) = &arm.sleeve {
            canvas.paint(&sleeve.field, 0.0, |p| sleeve_cloth(scene, which, p).0);
        }
    }
    canvas.paint(&scene.shirt, 0.0, |p| garment.front(frame.locate(p), blur));
    for (which, arm) in scene.arms.iter().enumerate() {
        let crossing = arm.crossing.as_ref();
        if let Some((rim, sleeve)) =
            crossing.and_then(|c| Some((c.sleeve_rim.as_ref()?, c.sleeve.as_ref()?)))
        {
            canvas.paint(rim, 0.0, |_| ink);
            canvas.paint(sleeve, 0.0, |p| sleeve_cloth(scene, which, p).0);
        }
    }
    (canvas, stencil)
}
