//! `hf:OWNER/NAME[@REVISION][/PATH]`.

use std::fmt;
use std::str::FromStr;

/// How the names begin.
const SCHEME: &str = "hf:";

/// The name of a repository on the hub, or of a folder or file in it.
///
/// `hf:owner/name`, `hf:owner/name@revision`, `hf:owner/name/folder`, `hf:owner/name@revision/folder/file.safetensors`. A revision is a
/// branch, a tag or a commit; without one it is `main`. A slash in a revision is written `%2F`, but for `refs/pr/N`. `hf://` is accepted for
/// `hf:`, as file systems of Python write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubName {
    repository: String,
    revision: Option<String>,
    path: String,
}

impl HubName {
    /// Whether `text` is meant as such a name, well formed or not.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// `owner/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The folder or file in the repository; empty for all of it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The folder that the path lies in.
    #[must_use]
    pub fn folder(&self) -> Self {
        self.at(self.path.rsplit_once('/').map_or("", |(folder, _)| folder))
    }

    /// The whole repository at the same revision.
    #[must_use]
    pub fn root(&self) -> Self {
        self.at("")
    }

    fn at(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }
}

impl FromStr for HubName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |found: &str| {
            Err(format!(
                "`{}`: expected hf:OWNER/NAME, hf:OWNER/NAME@REVISION or either with /PATH behind it, found {found}",
                text.escape_debug()
            ))
        };
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return refuse("no `hf:`");
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let rest = rest.trim_end_matches('/');
        let Some((owner, rest)) = rest.split_once('/') else {
            return refuse("no owner and name");
        };
        let end = rest.find(['@', '/']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if !is_part(owner) || !is_part(name) {
            return refuse(
                "an owner or a name with other characters than letters, digits, `-`, `_` and `.`",
            );
        }
        let (revision, path) = match rest.strip_prefix('@') {
            None => (None, rest),
            Some(rest) => {
                let end = revision_end(rest);
                let (revision, path) = rest.split_at(end);
                (Some(revision.replace("%2F", "/")), path)
            }
        };
        if revision
            .as_deref()
            .is_some_and(|revision| !is_path(revision))
        {
            return refuse("no revision behind the `@`");
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        if !path.is_empty() && !is_path(path) {
            return refuse("a path with an empty part, `.` or `..`");
        }
        Ok(Self {
            repository: format!("{owner}/{name}"),
            revision,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repository)?;
        if let Some(revision) = &self.revision {
            let is_request = revision.starts_with("refs/pr/");
            let shown = if is_request {
                revision.clone()
            } else {
                revision.replace('/', "%2F")
            };
            write!(f, "@{shown}")?;
        }
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        Ok(())
    }
}

/// Where the revision at the start of `rest` ends: `refs/pr/1` has slashes of its own.
fn revision_end(rest: &str) -> usize {
    let start = if rest.starts_with("refs/pr/") {
        "refs/pr/".len()
    } else {
        0
    };
    rest[start..]
        .find('/')
        .map_or(rest.len(), |end| start + end)
}

fn is_part(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(is_known)
}

/// Whether `text` is a path of plain names, so that it stays below the folder it is joined to.
pub(crate) fn is_path(text: &str) -> bool {
    let is_plain = |part: &str| {
        let plain = !part.is_empty() && part != "." && part != "..";
        plain && !part.contains(|c: char| c.is_control() || c == '\\')
    };
    text.split('/').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::HubName;

    #[test]
    fn a_name_has_a_repository_and_perhaps_a_revision_and_a_path() {
        for (text, repository, revision, path) in [
            ("hf:a/b", "a/b", "main", ""),
            ("hf://a/b/", "a/b", "main", ""),
            ("hf:a/b/unet", "a/b", "main", "unet"),
            ("hf:a/b@v1.0", "a/b", "v1.0", ""),
            ("hf:a/b@fp16/unet/x.bin", "a/b", "fp16", "unet/x.bin"),
            ("hf:a/b@refs/pr/7/unet", "a/b", "refs/pr/7", "unet"),
            ("hf:a/b@feature%2Fx/unet", "a/b", "feature/x", "unet"),
        ] {
            let name: HubName = text.parse().unwrap();
            let found = (name.repository(), name.revision(), name.path());
            assert_eq!(found, (repository, revision, path), "{text}");
            assert_eq!(name.to_string().parse(), Ok(name), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_expected_form() {
        for (text, found) in [
            ("a/b", "no `hf:`"),
            ("hf:gpt2", "no owner and name"),
            ("hf:a/", "no owner and name"),
            ("hf:a b/c", "other characters"),
            ("hf:../c", "other characters"),
            ("hf:a/b@", "no revision"),
            ("hf:a/b@/unet", "no revision"),
            ("hf:a/b@%2F../x", "no revision"),
            ("hf:a/b/../c", "`..`"),
            ("hf:a/b//c", "an empty part"),
        ] {
            let error = text.parse::<HubName>().unwrap_err();
            assert!(
                error.contains("expected hf:OWNER/NAME") && error.contains(found),
                "{error}"
            );
        }
    }
}
