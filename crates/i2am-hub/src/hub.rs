//! From a name to a folder of files.

use std::path::PathBuf;

use serde_json::Value;

use crate::cache::{Cache, is_hash};
use crate::download::Remote;
use crate::http::{Ask, Client, encoded};
use crate::name::is_path;
use crate::{HubError, HubName, Settings};

/// The card of a repository, which names the license.
const CARD: &str = "README.md";

/// Largest list of files that is read.
const LIST_BYTES: u64 = 64 << 20;

/// Told how far a download is.
pub trait Progress {
    /// `bytes` of `what` are to be downloaded.
    fn start(&self, what: &str, bytes: u64);
    /// So many bytes more are there.
    fn advance(&self, bytes: u64);
    /// Everything is there, or the download failed.
    fn finish(&self);
}

/// Says nothing.
impl Progress for () {
    fn start(&self, _what: &str, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}

/// The hub, and the cache of what it has.
pub struct Hub<'a> {
    client: Client,
    progress: &'a dyn Progress,
}

/// The files of a repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    name: HubName,
    commit: String,
    files: Vec<String>,
    remark: Option<String>,
}

impl Listing {
    /// The name that was asked for.
    pub fn name(&self) -> &HubName {
        &self.name
    }

    /// The commit that its revision is.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Whether the path of the name is a file.
    pub fn is_file(&self) -> bool {
        self.files.iter().any(|file| file == self.name.path())
    }

    /// The names of the files below the path of the name, sorted, without that path.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let path = self.name.path();
        self.files.iter().filter_map(move |file| match path {
            "" => Some(file.as_str()),
            path => file.strip_prefix(path)?.strip_prefix('/'),
        })
    }

    /// Why the list may be out of date or lack files, if it may.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }
}

impl<'a> Hub<'a> {
    /// A hub as `settings` say.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(settings: Settings, progress: &'a dyn Progress) -> Result<Self, HubError> {
        let client = Client::new(settings)?;
        Ok(Self { client, progress })
    }

    fn cache(&self, name: &HubName) -> Cache {
        Cache::of(&self.client.settings().cache, name)
    }

    /// The files of the repository of `name`. What the cache knows of the revision is believed; else the hub is asked, and if it cannot
    /// be reached, the files that are in the cache are all.
    ///
    /// # Errors
    /// A repository or revision that is not there or may not be read; no network and nothing in the cache.
    pub fn list(&self, name: &HubName) -> Result<Listing, HubError> {
        let cache = self.cache(name);
        let commit = cache.commit(name.revision());
        let listing = |commit: String, files: Vec<String>, remark: Option<String>| Listing {
            name: name.clone(),
            commit,
            files,
            remark,
        };
        if let Some((commit, files)) = commit
            .as_ref()
            .and_then(|commit| Some((commit.clone(), cache.names(commit)?)))
        {
            return Ok(listing(commit, files, None));
        }
        let present = commit.map(|commit| (cache.present(&commit), commit));
        let present = present.filter(|(files, _)| !files.is_empty());
        let asked = if self.client.settings().offline {
            Err(HubError::Offline {
                name: name.to_string(),
                what: format!("the revision `{}`", name.revision()),
                cache: cache.root().to_owned(),
            })
        } else {
            self.ask_for_list(name)
        };
        match (asked, present) {
            (Ok((commit, files)), _) => {
                cache.set_names(&commit, &files)?;
                cache.set_commit(name.revision(), &commit)?;
                Ok(listing(commit, files, None))
            }
            (Err(HubError::Offline { .. }), Some((files, commit))) => {
                Ok(listing(commit, files, None))
            }
            (Err(error @ HubError::Unreachable { .. }), Some((files, commit))) => {
                let remark =
                    format!("{name}: only the files in the cache are used, because {error}");
                Ok(listing(commit, files, Some(remark)))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Where in the cache the path of the name of `listing` lies, or will.
    pub fn place(&self, listing: &Listing) -> PathBuf {
        let snapshot = self.cache(&listing.name).snapshot(&listing.commit);
        match listing.name.path() {
            "" => snapshot,
            path => snapshot.join(path),
        }
    }

    fn ask_for_list(&self, name: &HubName) -> Result<(String, Vec<String>), HubError> {
        let revision = encoded(name.revision()).replace('/', "%2F");
        let endpoint = &self.client.settings().endpoint;
        let url = format!(
            "{endpoint}/api/models/{}/revision/{revision}",
            name.repository()
        );
        let answer = self.client.ask(Ask::From(0), &url)?;
        if !answer.status().is_success() {
            return Err(self.client.refused(name, &url, "200", &answer));
        }
        let refuse = |found: String| HubError::Answer {
            url: url.clone(),
            expected: "a JSON object with the commit in `sha` and the files in `siblings`",
            found,
        };
        let body = answer.into_body().into_with_config().limit(LIST_BYTES);
        let body = body.read_to_vec().map_err(|error| HubError::Unreachable {
            url: url.clone(),
            reason: error.to_string(),
        })?;
        let object: Value =
            serde_json::from_slice(&body).map_err(|error| refuse(error.to_string()))?;
        let commit = object["sha"].as_str().filter(|commit| is_hash(commit, 40));
        let commit = commit.ok_or_else(|| refuse(format!("`sha`: {}", object["sha"])))?;
        let files = object["siblings"].as_array();
        let files = files.ok_or_else(|| refuse("no `siblings`".to_owned()))?;
        let of = |file: &Value| {
            let path = file["rfilename"].as_str().filter(|path| is_path(path));
            path.map(str::to_owned)
                .ok_or_else(|| refuse(format!("a file {file}")))
        };
        let mut files = files.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        files.sort_unstable();
        Ok((commit.to_owned(), files))
    }

    /// Brings `files` of `listing`, named as [`Listing::files`] does, into the cache, with the card of the repository. If `files` are
    /// empty, the path of the name is itself a file. Gives what the path of the name is in the cache.
    ///
    /// # Errors
    /// A file that cannot be downloaded, that has another hash than the hub says, or that cannot be written.
    pub fn fetch(&self, listing: &Listing, files: &[&str]) -> Result<PathBuf, HubError> {
        let Listing { name, commit, .. } = listing;
        let cache = self.cache(name);
        let snapshot = cache.snapshot(commit);
        let path = name.path();
        let mut wanted: Vec<String> = match (files, path) {
            ([], path) => vec![path.to_owned()],
            (files, "") => files.iter().map(|&file| file.to_owned()).collect(),
            (files, path) => files.iter().map(|file| format!("{path}/{file}")).collect(),
        };
        wanted.extend(listing.files.iter().find(|file| *file == CARD).cloned());
        wanted.dedup();
        wanted.retain(|file| !snapshot.join(file).is_file());
        if let Some(first) = wanted.first().filter(|_| self.client.settings().offline) {
            return Err(HubError::Offline {
                name: name.to_string(),
                what: format!("the file {first}"),
                cache: cache.root().to_owned(),
            });
        }
        let endpoint = &self.client.settings().endpoint;
        let of = |file: &String| {
            let url = format!(
                "{endpoint}/{}/resolve/{commit}/{}",
                name.repository(),
                encoded(file)
            );
            Remote::of(&self.client, name, url)
        };
        let remotes = wanted.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if !remotes.is_empty() {
            let bytes = remotes.iter().map(|remote| remote.size).sum();
            self.progress.start(&name.to_string(), bytes);
            let loaded = self.load(&cache, listing, &wanted, &remotes);
            self.progress.finish();
            loaded?;
        }
        Ok(self.place(listing))
    }

    fn load(
        &self,
        cache: &Cache,
        listing: &Listing,
        wanted: &[String],
        remotes: &[Remote],
    ) -> Result<(), HubError> {
        for (file, remote) in wanted.iter().zip(remotes) {
            let blob = cache.blob(&remote.hash);
            let _lock = cache.lock(&remote.hash)?;
            if blob.is_file() {
                self.progress.advance(remote.size);
            } else {
                remote.download(&self.client, &listing.name, &blob, self.progress)?;
            }
            cache.link(&listing.commit, file, &remote.hash)?;
        }
        Ok(())
    }
}
