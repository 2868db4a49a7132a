//! What networks expect to be taken off the levels of an image.

/// Mean and standard deviation of red, green and blue, of levels in `[0, 1]`. A network is given `(level - mean) / deviation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Of each channel.
    pub mean: [f32; 3],
    /// Of each channel.
    pub deviation: [f32; 3],
}

/// Of `OpenAI`'s CLIP, as its processor has it.
pub const OF_CLIP: Normalization = Normalization {
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    deviation: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};

/// Of networks trained on `ImageNet` by torchvision's rules: its VGG16, and `DINOv2`.
pub const OF_IMAGENET: Normalization = Normalization {
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
};
