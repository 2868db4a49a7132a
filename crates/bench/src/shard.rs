//! A part of the samples, as the command line or Slurm names it.

/// What `--shard` says for the task of an array job.
const SLURM: &str = "slurm";

/// A part of the samples: `index` of `count`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) count: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == SLURM {
            return Self::of_array(|name| std::env::var(name).ok());
        }
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("expected I/N with I from 1 to N, e.g. 1/4, or slurm".to_owned()),
        }
    }
}

impl Shard {
    /// The task of a Slurm array in which this program runs; `variable` knows the environment.
    ///
    /// # Errors
    /// No task of an array, or an array that is no run of numbers: a task submitted again alone would take its number for the whole.
    fn of_array(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| -> Result<usize, String> {
            let name = format!("SLURM_ARRAY_TASK_{name}");
            let Some(text) = variable(&name) else {
                return Err(format!(
                    "{name} is not set: this is no task of a Slurm array job"
                ));
            };
            text.parse()
                .ok()
                .ok_or_else(|| format!("{name}: expected a whole number, found `{text}`"))
        };
        let (id, count) = (number("ID")?, number("COUNT")?);
        let (first, last) = (number("MIN")?, number("MAX")?);
        if first != 1 || last != count || !(1..=count).contains(&id) {
            return Err(format!(
                "expected the array 1-N, e.g. sbatch --array=1-{}; found task {id} of {count} tasks from {first} to {last}. For one \
                 task of a larger array say I/N",
                count.max(2)
            ));
        }
        Ok(Self { index: id, count })
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    /// The shard of a task with these variables, of which the last part of the name is given.
    fn shard(variables: [(&str, &str); 4]) -> Result<Shard, String> {
        Shard::of_array(|name| {
            let own = name.strip_prefix("SLURM_ARRAY_TASK_")?;
            let (_, value) = variables.iter().find(|(name, _)| *name == own)?;
            (!value.is_empty()).then(|| (*value).to_owned())
        })
    }

    #[test]
    fn a_task_of_an_array_is_a_shard() {
        let own = shard([("ID", "3"), ("COUNT", "8"), ("MIN", "1"), ("MAX", "8")]);
        assert_eq!(own, Ok(Shard { index: 3, count: 8 }));
    }

    #[test]
    fn what_is_no_whole_array_is_refused() {
        let refused = |variables| shard(variables).unwrap_err();
        let none = refused([("ID", ""), ("COUNT", ""), ("MIN", ""), ("MAX", "")]);
        assert!(none.contains("SLURM_ARRAY_TASK_ID is not set"), "{none}");
        // sbatch --array=3 of what was 1-8.
        let one = refused([("ID", "3"), ("COUNT", "1"), ("MIN", "3"), ("MAX", "3")]);
        assert!(one.contains("expected the array 1-N"), "{one}");
        let zero = refused([("ID", "0"), ("COUNT", "8"), ("MIN", "0"), ("MAX", "7")]);
        assert!(zero.contains("from 0 to 7"), "{zero}");
        let word = refused([("ID", "x"), ("COUNT", "8"), ("MIN", "1"), ("MAX", "8")]);
        assert!(
            word.contains("SLURM_ARRAY_TASK_ID: expected a whole number, found `x`"),
            "{word}"
        );
    }
}
