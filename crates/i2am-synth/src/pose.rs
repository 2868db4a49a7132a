//! The joints of a person, as `OpenPose` writes them.

use serde::{Deserialize, Serialize};

/// Joints of `OpenPose`'s `BODY_25`, whose order the published try-on data follow.
pub const JOINTS: usize = 25;

/// Where a joint stands in the list. Left and right are the person's: right is on the picture's left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the joints")]
pub enum Joint {
    Nose = 0,
    Neck = 1,
    RightShoulder = 2,
    RightElbow = 3,
    RightWrist = 4,
    LeftShoulder = 5,
    LeftElbow = 6,
    LeftWrist = 7,
    MiddleHip = 8,
    RightHip = 9,
    RightKnee = 10,
    RightAnkle = 11,
    LeftHip = 12,
    LeftKnee = 13,
    LeftAnkle = 14,
    RightEye = 15,
    LeftEye = 16,
    RightEar = 17,
    LeftEar = 18,
}

/// One person's joints: x and y in pixels of the picture, both 0 where a joint was not found.
#[derive(Clone, Debug, PartialEq)]
pub struct Pose {
    points: [[f64; 2]; JOINTS],
}

impl Pose {
    /// From the points in `BODY_25`'s order.
    pub fn new(points: [[f64; 2]; JOINTS]) -> Self {
        Self { points }
    }

    /// x and y of a joint.
    pub fn at(&self, joint: Joint) -> [f64; 2] {
        self.points[joint as usize]
    }

    /// The first person in a file of `OpenPose`, whose content is `text`.
    ///
    /// # Errors
    /// What is wrong with `text`, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text)
            .map_err(|error| format!("expected the JSON of OpenPose: {error}"))?;
        let Some(person) = file.people.first() else {
            return Err("expected a person in `people`, found none".to_owned());
        };
        let numbers = &person.pose_keypoints_2d;
        if numbers.len() != 3 * JOINTS {
            return Err(format!(
                "expected {} numbers in `pose_keypoints_2d` (x, y, confidence of {JOINTS} joints), found {}",
                3 * JOINTS,
                numbers.len()
            ));
        }
        let mut points = [[0.0; 2]; JOINTS];
        for (point, numbers) in points.iter_mut().zip(numbers.chunks_exact(3)) {
            *point = [numbers[0], numbers[1]];
        }
        Ok(Self { points })
    }

    /// The content of a file of `OpenPose`, where found joints have confidence 1.
    ///
    /// # Panics
    /// Never: plain numbers can always be written as JSON.
    pub fn to_json(&self) -> String {
        let found = |[x, y]: [f64; 2]| [x, y, if x == 0.0 && y == 0.0 { 0.0 } else { 1.0 }];
        let numbers = self.points.map(found).as_flattened().to_vec();
        let file = File {
            version: 1.3,
            people: vec![Person {
                pose_keypoints_2d: numbers,
            }],
        };
        serde_json::to_string(&file).expect("plain numbers always serialize")
    }
}

/// What is read of a file; the rest (hands, face, other versions' keys) is passed over.
#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default)]
    version: f64,
    people: Vec<Person>,
}

#[derive(Serialize, Deserialize)]
struct Person {
    pose_keypoints_2d: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_pose_reads_back() {
        let mut points = [[0.0; 2]; JOINTS];
        points[Joint::LeftHip as usize] = [12.5, 300.0];
        let pose = Pose::new(points);
        assert_eq!(Pose::parse(&pose.to_json()), Ok(pose));
    }

    #[test]
    fn other_keys_are_passed_over_and_wrong_content_is_told() {
        let numbers = vec!["1"; 75].join(",");
        let text = format!(
            r#"{{"version": 1.2, "people": [{{"person_id": [-1], "pose_keypoints_2d": [{numbers}], "hand_left_keypoints_2d": []}}]}}"#
        );
        let pose = Pose::parse(&text).unwrap();
        assert_eq!(
            pose.at(Joint::Neck).map(f64::to_bits),
            [1.0_f64.to_bits(); 2]
        );
        for (text, words) in [
            (r#"{"people": []}"#, "expected a person"),
            (
                r#"{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}"#,
                "expected 75 numbers",
            ),
            ("{", "EOF"),
            ("{}", "people"),
        ] {
            let error = Pose::parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
