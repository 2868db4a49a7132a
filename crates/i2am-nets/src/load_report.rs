//! How a checkpoint's tensors met the wants of a network.

/// A tensor whose shape is not the one the network needs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongShape {
    /// The name, as it stands in the file.
    pub name: String,
    /// What the network needs.
    pub expected: Vec<i64>,
    /// What the file has.
    pub found: Vec<i64>,
}

/// How a checkpoint's tensors met a network's wants. Names are in the diffusers spelling unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LoadReport {
    /// Tensors that went into the network.
    pub loaded: usize,
    /// Tensors the network needs and the checkpoint lacks.
    pub missing: Vec<String>,
    /// Tensors of the checkpoint that nothing asked for, as they stand in the file. Known ballast (schedule buffers, averaged
    /// copies, training-only networks) is not counted.
    pub unused: Vec<String>,
    /// Tensors with another shape.
    pub wrong: Vec<WrongShape>,
}

impl LoadReport {
    /// Whether every tensor the network needs was there in the right shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// One line that names the first faults and counts the rest.
    pub(crate) fn complaint(&self) -> String {
        let mut parts = Vec::new();
        if let Some(first) = self.wrong.first() {
            let WrongShape {
                name,
                expected,
                found,
            } = first;
            let more = and_more(self.wrong.len());
            parts.push(format!(
                "tensor `{name}`: expected shape {expected:?}, found {found:?}{more}"
            ));
        }
        if let Some(first) = self.missing.first() {
            parts.push(format!(
                "missing tensor `{first}`{}",
                and_more(self.missing.len())
            ));
        }
        if !self.unused.is_empty() {
            parts.push(format!(
                "{} tensors of the file are unused, e.g. `{}`",
                self.unused.len(),
                self.unused[0]
            ));
        }
        parts.join("; ")
    }
}

fn and_more(count: usize) -> String {
    if count > 1 {
        format!(" (and {} more)", count - 1)
    } else {
        String::new()
    }
}
