use std::fmt::Write as _;

use anyhow::Result;

use crate::cli::ModelsArgs;
use crate::exit::Outcome;
use crate::progress;
use crate::published::{Published, published};

/// Everything that is known to be published.
pub(super) fn run(args: &ModelsArgs) -> Result<Outcome> {
    if args.json {
        progress::print(&serde_json::to_string(
            &published().collect::<Vec<&Published>>(),
        )?)?;
        return Ok(Outcome::Ok);
    }
    let mut text = String::new();
    let mut family = "";
    for row in published() {
        if row.family != family {
            family = row.family;
            let _ = writeln!(text, "{family}");
        }
        let of = |known: Option<&'static str>| known.unwrap_or("unknown");
        let _ = writeln!(
            text,
            "  {} = \"{}\"\n    size {}, license {}; needs {}",
            row.key,
            row.name,
            of(row.size),
            of(row.license),
            row.needs
        );
    }
    progress::print(text.trim_end())?;
    Ok(Outcome::Ok)
}
