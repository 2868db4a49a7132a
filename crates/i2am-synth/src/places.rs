//! From where in the shop picture every pixel of the worn garment comes.

use i2am_imaging::Correspondence;

use super::canvas::{Field, PlaceMap};
use super::geometry::{Frame, Point};
use super::portrait::sleeve_place;
use super::scene::Scene;

/// For every pixel that shows the garment on the person the place in the shop picture where the same spot of cloth is seen; `shop` says
/// where that picture has the garment. Spots that the shop picture does not show, sleeves behind the torso, have none.
pub(super) fn trace(scene: &Scene<'_>, front_hair: &[Field], shop: &Frame) -> Correspondence {
    let (garment, frame) = (scene.garment, &scene.person.frame);
    let on_sleeve = |which: usize, p: Point| {
        let side = scene.person.arms[which].side;
        let (spot, _across) = sleeve_place(scene, which, p)?;
        let shown = garment.sleeve?.covers(spot, side) && garment.outline.distance(spot) >= 0.0;
        shown.then(|| shop.place(spot))
    };
    // In the order of painting, as [`Scene::worn`] has it.
    let mut places = PlaceMap::empty(scene.size);
    for (which, arm) in scene.arms.iter().enumerate() {
        if let Some(sleeve) = &arm.sleeve {
            places.put(&sleeve.field, |p| on_sleeve(which, p));
        }
    }
    places.put(&scene.shirt, |p| Some(shop.place(frame.locate(p))));
    for (which, arm) in scene.arms.iter().enumerate() {
        if let Some(crossing) = &arm.crossing {
            places.cut(&crossing.limb);
            if let Some(sleeve) = &crossing.sleeve {
                places.put(sleeve, |p| on_sleeve(which, p));
            }
        }
    }
    let hands = scene.arms.iter().map(|arm| &arm.hand);
    for field in hands.chain([&scene.head]).chain(front_hair) {
        places.cut(field);
    }
    places.to_correspondence()
}
