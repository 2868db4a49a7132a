//! The garment: its cut, laid flat, and its picture in a shop.

use super::canvas::{Canvas, Field, Size, Stencil};
use super::color::{BLACK, Color, WHITE};
use super::dice::Dice;
use super::geometry::{Bounds, Frame, Point, Turn, at};
use super::shapes::{Limb, Outline, Path, ellipse};
use super::texture::{Texture, cover};

/// The three silhouettes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Tank,
    Short,
    Long,
}

/// A sleeve laid flat, in the flat garment's coordinates, for the right of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeve {
    pub(super) shoulder: Point,
    pub(super) direction: Point,
    /// Length from the shoulder joint.
    pub(super) length: f32,
    /// Half width at shoulder and cuff.
    pub(super) radii: [f32; 2],
}

/// One garment. Coordinates: origin between the shoulders, y down, unit the chest's width.
#[derive(Clone, Debug)]
pub(super) struct Garment {
    pub(super) cut: Cut,
    pub(super) texture: Texture,
    pub(super) outline: Outline,
    pub(super) sleeve: Option<Sleeve>,
    /// The neckband's color.
    trim: Option<Color>,
    neck_width: f32,
    neck_depth: f32,
    /// A V-neck, which has no neckband.
    pointed: bool,
}

/// Width of the drawn contour in picture heights.
pub(super) const INK: f32 = 0.0055;

/// The shoulder joint of body and garment.
pub(super) const SHOULDER: Point = at(0.41, 0.17);

/// The contour's color for a fill.
pub(super) fn ink_for(fill: Color) -> Color {
    fill.lit(0.42).mixed(BLACK, 0.15)
}

impl Garment {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let cut = dice.pick(&[Cut::Tank, Cut::Short, Cut::Short, Cut::Long]);
        let (width, depth) = match cut {
            Cut::Tank => (dice.between(0.19, 0.23), dice.between(0.2, 0.32)),
            _ => (dice.between(0.15, 0.2), dice.between(0.09, 0.22)),
        };
        let pointed = dice.chance(0.3);
        let waist = dice.between(0.42, 0.48);
        let hem = dice.between(0.45, 0.54);
        let length = dice.between(1.22, 1.5);
        let outline = body(cut, [width, depth], pointed, [waist, hem], length);
        let sleeve = sleeve(dice, cut);
        let texture = Texture::draw(dice);
        let trim = dice.chance(0.45).then(|| texture.base.lit(0.55));
        Self {
            cut,
            texture,
            outline,
            sleeve,
            trim,
            neck_width: width,
            neck_depth: depth,
            pointed,
        }
    }

    /// Color of the front at `p`, with print and neckband.
    pub(super) fn front(&self, p: Point, blur: f32) -> Color {
        let color = self.texture.front(p, blur);
        match self.trim {
            Some(trim) if !self.pointed => {
                let band = ellipse(p, at(self.neck_width, self.neck_depth)) - 0.055;
                color.mixed(trim, cover(band, blur))
            }
            _ => color,
        }
    }

    /// Weave, cut and print in a few words.
    pub(super) fn name(&self) -> String {
        let cut = match self.cut {
            Cut::Tank => "tank top",
            Cut::Short => "T-shirt",
            Cut::Long => "long-sleeved shirt",
        };
        let weave = self.texture.name();
        match &self.texture.print {
            Some(print) => format!("{weave} {cut} with {}", print.name()),
            None => format!("{weave} {cut}"),
        }
    }

    /// Where the garment lies in the shop picture.
    pub(super) fn shop_frame(dice: &mut Dice, size: Size) -> Frame {
        let scale = dice.between(0.355, 0.39) * width_limit(size);
        Frame {
            origin: at(
                dice.around_zero(0.02),
                0.5 - 0.7 * scale + dice.around_zero(0.03),
            ),
            scale,
            turn: Turn::by(0.0),
            shear: 0.0,
            bend: 0.0,
        }
    }

    /// The shop picture: upright on white where `frame` places it, and where in it the garment is.
    pub(super) fn shop_picture(&self, frame: &Frame, size: Size) -> (Canvas, Stencil) {
        let mut canvas = Canvas::filled(size, WHITE);
        let mut stencil = Stencil::empty(size);
        let blur = size.pixel() / frame.scale;

        self.paint_back(&mut canvas, &mut stencil, frame);
        let torso_box = [at(-0.55, 0.0), at(0.55, 1.55)];
        let torso = Field::trace_flat(size, frame, torso_box, 0.0, |p| self.outline.distance(p));
        let sleeves: Vec<Field> = self.sleeve.map_or_else(Vec::new, |sleeve| {
            [-1.0, 1.0]
                .map(|side| sleeve.trace(size, frame, side))
                .into()
        });

        let ink = ink_for(self.texture.base);
        for field in sleeves.iter().chain([&torso]) {
            canvas.paint(field, INK, |_| ink);
            stencil.add(field, INK);
        }
        for field in &sleeves {
            canvas.paint(field, 0.0, |p| {
                let local = frame.locate(p);
                let inner = self.outline.distance(local);
                self.texture
                    .cloth(local, blur)
                    .lit(0.84 + 0.16 * (inner * 5.0).clamp(0.0, 1.0))
            });
        }
        canvas.paint(&torso, 0.0, |p| self.front(frame.locate(p), blur));
        (canvas, stencil)
    }

    /// The inside of the back, seen through the neck hole.
    fn paint_back(&self, canvas: &mut Canvas, stencil: &mut Stencil, frame: &Frame) {
        let inside = self.texture.base.lit(0.5);
        let radii = at(self.neck_width + 0.03, self.neck_depth + 0.04);
        let corners = [at(-radii.x, 0.0), radii];
        let field = Field::trace_flat(canvas.size(), frame, corners, 0.0, |p| {
            // The back's neckline sags a little; the front, painted over it, covers all below the hole.
            ellipse(p, radii).max(0.02 - 0.9 * p.x * p.x - p.y)
        });
        canvas.paint(&field, INK, |_| ink_for(self.texture.base));
        canvas.paint(&field, 0.0, |_| inside);
        stencil.add(&field, INK);
    }
}

impl Sleeve {
    /// The flat sleeve on one side.
    fn trace(&self, size: Size, frame: &Frame, side: f32) -> Field {
        let limb = self.limb();
        let bounds = limb.bounds();
        let ends = [bounds.low.on_side(side), bounds.high.on_side(side)];
        let bounds = Bounds::around(ends);
        Field::trace_flat(size, frame, [bounds.low, bounds.high], 0.0, |p| {
            let q = p.on_side(side);
            limb.distance(q).max(self.beyond_cuff(q))
        })
    }

    /// Whether the flat sleeve on the given side covers `p`.
    pub(super) fn covers(&self, p: Point, side: f32) -> bool {
        let q = p.on_side(side);
        self.limb().distance(q).max(self.beyond_cuff(q)) < 0.0
    }

    /// As a straight limb.
    fn limb(&self) -> Limb {
        let end = self.shoulder + self.direction * self.length;
        let middle = (self.shoulder + end) * 0.5;
        let [top, cuff] = self.radii;
        Limb {
            joints: [self.shoulder, middle, end],
            radii: [top, (top + cuff) * 0.5, cuff],
        }
    }

    /// Signed distance past the straight end of the sleeve.
    fn beyond_cuff(&self, p: Point) -> f32 {
        (p - self.shoulder).dot(self.direction) - self.length
    }

    /// Where a spot of the worn sleeve lies on the flat garment, for the given side (-1 left, 1 right of the picture).
    pub(super) fn spread_out(&self, along: f32, across: f32, side: f32) -> Point {
        let normal = at(-self.direction.y, self.direction.x);
        // Mirrored sides measure `across` the other way round.
        (self.shoulder + self.direction * along + normal * (across * side)).on_side(side)
    }
}

/// The front of the torso without sleeves.
fn body(cut: Cut, neck: [f32; 2], pointed: bool, sides: [f32; 2], length: f32) -> Outline {
    let ([width, depth], [waist, hem]) = (neck, sides);
    let start = Path::from(at(0.0, depth));
    let neckline = if pointed {
        start.line(at(width, 0.0))
    } else {
        start.curve(at(width, depth), at(width, 0.0))
    };
    let shoulder = match cut {
        Cut::Tank => neckline
            .line(at(width + 0.12, 0.03))
            .curve(at(width + 0.11, 0.36), at(0.47, 0.46)),
        _ => neckline
            .line(at(0.36, 0.055))
            .curve(at(0.47, 0.075), at(0.5, 0.17))
            .line(at(0.475, 0.46)),
    };
    shoulder
        .curve(at(waist - 0.02, 0.8), at(hem, length))
        .curve(at(hem * 0.5, length + 0.035), at(0.0, length + 0.035))
        .mirrored()
}

fn sleeve(dice: &mut Dice, cut: Cut) -> Option<Sleeve> {
    let (length, lift, cuff) = match cut {
        Cut::Tank => return None,
        Cut::Short => (
            dice.between(0.3, 0.52),
            dice.between(0.7, 0.95),
            dice.between(0.15, 0.18),
        ),
        Cut::Long => (
            dice.between(0.92, 1.04),
            dice.between(0.25, 0.4),
            dice.between(0.1, 0.125),
        ),
    };
    Some(Sleeve {
        shoulder: SHOULDER,
        direction: at(0.0, 1.0).turned(Turn::by(-lift)),
        length,
        radii: [0.125, cuff],
    })
}

/// 1 for a picture at least three quarters as wide as high, less for narrower ones.
pub(super) fn width_limit(size: Size) -> f32 {
    (size.width as f32 / (0.75 * size.height as f32)).min(1.0)
}
