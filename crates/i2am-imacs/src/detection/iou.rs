use i2am_imaging::BoundingBox;

/// Intersection over union of two boxes.
///
/// # Units and range
/// None; `[0, 1]`, 1 for equal boxes, 0 for disjoint ones and for boxes without area. Widths are continuous: no pixel is added.
/// # Source
/// `qkrwnstj306/I2AM_PBE_Object_Detection`: `scripts/cal_bbox_region.py` @ 27df587 (fixture `detection`, `iou_pairs`).
pub fn iou(a: &BoundingBox, b: &BoundingBox) -> f64 {
    let common = |start_a: f64, size_a: f64, start_b: f64, size_b: f64| {
        ((start_a + size_a).min(start_b + size_b) - start_a.max(start_b)).max(0.0)
    };
    let intersection = common(a.x, a.width, b.x, b.width) * common(a.y, a.height, b.y, b.height);
    let union = a.area() + b.area() - intersection;
    if intersection > 0.0 {
        intersection / union
    } else {
        0.0
    }
}
