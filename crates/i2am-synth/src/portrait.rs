//! Paints a traced scene.

use super::body::{FACE, Hair, Lower, Person};
use super::canvas::{Canvas, Field, Size};
use super::color::{BLACK, Color, WHITE};
use super::folds::Folds;
use super::garment::{INK, ink_for};
use super::geometry::{Bounds, Point, TORSO, at};
use super::scene::Scene;
use super::shapes::{Path, ellipse, rounded_box};

/// Paints the person in the garment over a background.
pub(super) fn paint(canvas: &mut Canvas, scene: &Scene<'_>, folds: &Folds, front_hair: &[Field]) {
    paint_back_hair(canvas, scene.person);
    paint_skin_and_lower(canvas, scene);
    paint_shirt(canvas, scene, folds);
    for which in [0, 1] {
        paint_crossing(canvas, scene, folds, which);
    }
    // Hands are in front of everything but the head: they stay visible next to the masked region.
    let [left, right] = &scene.arms;
    fill_joined(canvas, &[&left.hand, &right.hand], scene.person.skin);
    paint_head(canvas, scene, front_hair);
}

/// Ink around all shapes first, then their fills: joined shapes get one contour.
fn fill_joined(canvas: &mut Canvas, fields: &[&Field], color: Color) {
    let ink = ink_for(color);
    for field in fields {
        canvas.paint(field, INK, |_| ink);
    }
    for field in fields {
        canvas.paint(field, 0.0, |_| color);
    }
}

fn paint_skin_and_lower(canvas: &mut Canvas, scene: &Scene<'_>) {
    let skin = scene.person.skin;
    let [left, right] = &scene.arms;
    fill_joined(canvas, &[&scene.trunk], skin);
    for which in [0, 1] {
        fill_joined(canvas, &[&scene.legs[which]], skin);
    }
    paint_lower(canvas, scene);
    fill_joined(canvas, &[&left.limb, &right.limb, &scene.chest], skin);
    canvas.paint(&scene.neck, 0.0, |_| skin.lit(0.88));
}

fn paint_lower(canvas: &mut Canvas, scene: &Scene<'_>) {
    let person = scene.person;
    let color = person.lower_color;
    if person.lower == Lower::Skirt {
        let skirt = skirt(canvas.size(), person);
        fill_joined(canvas, &[&skirt], color);
        return;
    }
    for legwear in &scene.legwear {
        fill_joined(canvas, &[legwear], color);
    }
    canvas.paint(&belt(scene), INK * 0.5, |_| color);
}

/// The top of trousers and shorts.
pub(super) fn belt(scene: &Scene<'_>) -> Field {
    let (frame, scale) = (&scene.person.frame, scene.person.frame.scale);
    scene.trunk.map(|p, distance| {
        let above = (1.08 - frame.locate(p).y) * scale;
        distance.max(above) - 0.02 * scale
    })
}

/// A skirt hangs straight down however the torso leans.
pub(super) fn skirt(size: Size, person: &Person) -> Field {
    let (frame, length) = (&person.frame, person.lower_length);
    let left = frame.place(at(-0.42, 1.05));
    let right = frame.place(at(0.42, 1.05));
    let hip = frame.place(at(0.0, TORSO));
    let corner = |x: f32, y: f32| hip + at(x, y) * frame.scale;
    let outline = Path::from(left)
        .line(right)
        .curve(corner(0.52, 0.0), corner(0.7, length))
        .curve(corner(0.0, length + 0.12), corner(-0.7, length))
        .curve(corner(-0.52, 0.0), left)
        .closed();
    let bounds = Bounds::around(outline.points().iter().copied()).grown(2.0 * INK);
    Field::trace(size, bounds, |p| outline.distance(p))
}

fn paint_shirt(canvas: &mut Canvas, scene: &Scene<'_>, folds: &Folds) {
    let (garment, frame) = (scene.garment, scene.person.frame);
    let ink = ink_for(garment.texture.base);
    let blur = scene.size.pixel() / frame.scale;
    for sleeve in scene.arms.iter().filter_map(|arm| arm.sleeve.as_ref()) {
        canvas.paint(&sleeve.field, INK, |_| ink);
    }
    canvas.paint(&scene.shirt, INK, |_| ink);
    for which in [0, 1] {
        if let Some(sleeve) = &scene.arms[which].sleeve {
            canvas.paint(&sleeve.field, 0.0, |p| sleeve_color(scene, folds, which, p));
        }
    }
    canvas.paint(&scene.shirt, 0.0, |p| {
        let flat = frame.locate(p);
        garment.front(flat, blur).lit(folds.torso(flat))
    });
}

/// The cloth of a worn sleeve with its shading.
fn sleeve_color(scene: &Scene<'_>, folds: &Folds, which: usize, p: Point) -> Color {
    let (cloth, across) = sleeve_cloth(scene, which, p);
    cloth.lit(folds.sleeve(across))
}

/// The cloth of a worn sleeve at `p`: the flat sleeve's weave, bent along the arm. Also how far across the sleeve that is, in its
/// half widths.
pub(super) fn sleeve_cloth(scene: &Scene<'_>, which: usize, p: Point) -> (Color, f32) {
    let Some((place, across)) = sleeve_place(scene, which, p) else {
        return (scene.garment.texture.base, 0.0);
    };
    let blur = scene.size.pixel() / scene.person.frame.scale;
    (scene.garment.texture.cloth(place, blur), across)
}

/// The place on the flat garment of the spot `p` of a worn sleeve. Also how far across the sleeve that is, in its half widths. None for
/// a garment without sleeves.
pub(super) fn sleeve_place(scene: &Scene<'_>, which: usize, p: Point) -> Option<(Point, f32)> {
    let scale = scene.person.frame.scale;
    let arm = &scene.arms[which];
    let (worn, flat) = (arm.sleeve.as_ref()?, scene.garment.sleeve?);
    let spot = worn.limb.locate(p);
    let (along, across) = (spot.along / scale, spot.across / scale);
    let place = flat.spread_out(along, across, scene.person.arms[which].side);
    Some((place, across / flat.radii[0]))
}

/// The part of an arm that lies over the torso.
fn paint_crossing(canvas: &mut Canvas, scene: &Scene<'_>, folds: &Folds, which: usize) {
    let skin = scene.person.skin;
    let Some(crossing) = &scene.arms[which].crossing else {
        return;
    };
    canvas.paint(&crossing.rim, 0.0, |_| ink_for(skin));
    canvas.paint(&crossing.limb, 0.0, |_| skin);
    if let (Some(rim), Some(sleeve)) = (&crossing.sleeve_rim, &crossing.sleeve) {
        let ink = ink_for(scene.garment.texture.base);
        canvas.paint(rim, 0.0, |_| ink);
        canvas.paint(sleeve, 0.0, |p| sleeve_color(scene, folds, which, p));
    }
}

fn paint_head(canvas: &mut Canvas, scene: &Scene<'_>, front_hair: &[Field]) {
    let person = scene.person;
    let (skin, frame, head) = (person.skin, &person.frame, person.head);
    let size = canvas.size();
    let part = |center: Point, radii: Point| {
        let c = head + center;
        Field::trace_flat(size, frame, [c - radii, c + radii], 0.0, move |p| {
            ellipse(p - c, radii)
        })
    };
    let ears = [-1.0, 1.0].map(|side| part(at(FACE.x * side, 0.03), at(0.05, 0.07)));
    fill_joined(canvas, &[&ears[0], &ears[1], &scene.head], skin);
    let blush = skin.mixed(Color::bytes(226, 84, 84), 0.28);
    for side in [-1.0, 1.0] {
        canvas.paint(&part(at(0.125 * side, 0.1), at(0.05, 0.035)), 0.0, |_| {
            blush
        });
    }
    for side in [-1.0, 1.0] {
        let eye = part(at(0.088 * side, 0.0), at(0.026, 0.036));
        canvas.paint(&eye, 0.0, |_| BLACK.mixed(WHITE, 0.12));
    }
    let mouth = head + at(0.0, 0.1);
    let smile = Field::trace_flat(
        size,
        frame,
        [mouth - at(0.1, 0.05), mouth + at(0.1, 0.1)],
        0.0,
        |p| {
            let q = p - mouth;
            (ellipse(q, at(0.085, 0.03 + 0.05 * person.smile)).abs() - 0.014).max(-q.y + 0.01)
        },
    );
    canvas.paint(&smile, 0.0, |_| {
        skin.lit(0.5).mixed(Color::bytes(170, 40, 50), 0.4)
    });
    let hair = hair_color(person);
    for field in front_hair {
        canvas.paint(field, 0.0, |_| hair);
    }
}

/// Shaved hair is a shadow on the skin.
fn hair_color(person: &Person) -> Color {
    match person.hair {
        Hair::Shaved => person.skin.mixed(person.hair_color, 0.45),
        _ => person.hair_color,
    }
}

/// Hair drawn over the face; kept out of the masked region like the face.
pub(super) fn front_hair(size: Size, person: &Person) -> Vec<Field> {
    let (frame, head) = (&person.frame, person.head);
    let (thickness, line) = match person.hair {
        Hair::Shaved => (0.005, -0.13),
        Hair::Bob => (0.055, -0.07),
        _ => (0.04, -0.1),
    };
    let radii = FACE + at(thickness, thickness);
    let mut fields = vec![Field::trace_flat(
        size,
        frame,
        [head - radii, head + radii],
        0.0,
        |p| {
            let q = p - head;
            // A slanted fringe that comes down at the temples.
            let fringe = q.y - line - person.parting * q.x * 0.6 - 1.6 * q.x * q.x;
            ellipse(q, radii).max(fringe * 0.8)
        },
    )];
    if person.hair == Hair::Bun {
        let bun = head + at(0.0, -0.35);
        fields.push(Field::trace_flat(
            size,
            frame,
            [bun - at(0.12, 0.12), bun + at(0.12, 0.12)],
            0.0,
            |p| (p - bun).length() - 0.115,
        ));
    }
    fields
}

fn paint_back_hair(canvas: &mut Canvas, person: &Person) {
    let Some(field) = back_hair(canvas.size(), person) else {
        return;
    };
    let color = person.hair_color;
    canvas.paint(&field, INK, |_| ink_for(color));
    canvas.paint(&field, 0.0, |_| color.lit(0.85));
}

/// Hair behind neck and shoulders, if it is that long.
pub(super) fn back_hair(size: Size, person: &Person) -> Option<Field> {
    let length = match person.hair {
        Hair::Bob => 0.3,
        Hair::Long => 0.62,
        _ => return None,
    };
    let half = at(FACE.x + 0.075, (length + 0.3) * 0.5);
    let center = person.head + at(0.0, (length - 0.3) * 0.5);
    let corners = [center - half, center + half];
    Some(Field::trace_flat(size, &person.frame, corners, 0.0, |p| {
        rounded_box(p - center, half, 0.24)
    }))
}
