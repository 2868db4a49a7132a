use std::fs::File;
use std::io::Write as _;

use i2am_files::{Separator, Table, read_text, write_atomic};
use i2am_testkit::fuzz;

/// The names of the columns, and the cells of each row with its line.
type Read = (Vec<String>, Vec<(u64, String)>);

/// What is read of `text`.
fn read_by(text: &str, separator: Separator) -> Result<Read, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    write_atomic(&path, text).unwrap();
    let table = Table::read(&path, separator, "say so").map_err(|error| {
        let start = format!("cannot read {}: ", path.display());
        error.to_string().replacen(&start, "", 1)
    })?;
    let rows = table.rows.into_iter();
    let rows = rows.map(|row| (row.line, row.cells.join("|"))).collect();
    Ok((table.header.cells, rows))
}

fn read(text: &str) -> Result<Read, String> {
    read_by(text, Separator::Comma)
}

#[track_caller]
fn refused(text: &str, problem: &str) {
    assert_eq!(read(text).unwrap_err(), problem, "{text:?}");
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let text = "\n a , b\n\n1,2\n\"x\ny\",\"say \"\"no\"\"\"\n\n\n,\n3,\n";
    let found = read(text).unwrap();
    let rows = [(4, "1|2"), (5, "x\ny|say \"no\""), (10, "3|")];
    assert_eq!(found.0, ["a", "b"]);
    assert_eq!(found.1, rows.map(|(line, row)| (line, row.to_owned())));
    for ends in ["\r\n", "\r"] {
        assert_eq!(read(&text.replace('\n', ends)).unwrap(), found, "{ends:?}");
    }
    assert_eq!(read(&format!("\u{feff}{text}")).unwrap(), found);
}

#[test]
fn other_separators_are_read_when_they_are_named() {
    let commas = read("a,b\n1,2\n").unwrap();
    assert_eq!(read_by("a;b\n1;2\n", Separator::Semicolon).unwrap(), commas);
    assert_eq!(read_by("a\tb\n1\t2\n", Separator::Tab).unwrap(), commas);
    refused(
        "a;b\n1,5;2,5\n",
        "line 1: expected columns separated by commas, found semicolons: `a;b`; say so",
    );
    refused(
        "a\tb\n1\t2\n",
        "line 1: expected columns separated by commas, found tabs: `a\\tb`; say so",
    );
    assert_eq!(
        read_by("\na,b\n1,2\n", Separator::Semicolon).unwrap_err(),
        "line 2: expected columns separated by semicolons, found commas: `a,b`; say so"
    );
    let told = read_by("sep=;\n1;2\n3;4\n", Separator::Semicolon).unwrap();
    assert_eq!(
        (told.0, told.1[0].0),
        (vec!["1".to_owned(), "2".to_owned()], 3)
    );
    refused(
        "sep=;\na;b\n1;2\n",
        "line 1: expected columns separated by commas, found semicolons: `sep=;`; say so",
    );
    // A separator inside a name is part of it.
    assert!(read("\"a;b\",c\n1,2\n").is_ok());
    assert_eq!(read("a\n1\n").unwrap().1.len(), 1);
}

#[test]
fn what_is_no_table_is_refused_with_its_line() {
    let empty = "expected a line with the names of columns, found an empty file";
    refused("", empty);
    refused("\n\n", empty);
    refused(
        "a,b,c,b\n",
        "line 1: expected a name of its own for every column, found `b` for columns 2 and 4",
    );
    refused(
        "a,b\n1,2\n\n\n1,2,3\n",
        "line 5: expected 2 cells as in the header, found 3",
    );
    refused(
        "a,b\n\"1\n\n1\",2\n1\n",
        "line 5: expected 2 cells as in the header, found 1",
    );
    refused(
        "a,b\n1,2\n3,\"4\n5,6\n7,8\n",
        "line 3: expected a closing quotation mark, found none before the end of the file",
    );
    refused(
        "{\"a\": 1, \"b\": 2}\n",
        "line 1: expected the names of columns, found what looks like JSON: `{\"a\": 1`",
    );
    // A quotation mark inside a cell is a character, and any number of columns may have no name.
    assert_eq!(read("a,b\n5\",6\"\n").unwrap().1[0].1, "5\"|6\"");
    assert_eq!(read(",,a\n1,2,3\n").unwrap().1.len(), 1);
    assert!(read("a,b\n").unwrap().1.is_empty());
}

#[test]
fn any_bytes_are_a_table_or_refused_in_one_line() {
    let corpus: [&[u8]; 9] = [
        b"name,a,b,fid\nr0,0.1,3,9.5\nr1,0.2,,NA\n",
        b"\xef\xbb\xbfa;b\r\n0,5;1\r\n\r\n;\r\n",
        b"a\tb\n1\t2\n",
        b"\n\"a\nb\",\"say \"\"no\"\"\"\n1,\" 2 \"\n",
        b"a,b\n1,\"2\n3,4\n",
        b"\xff\xfea\0,\0b\0\n\0",
        b"{\"a\": 1}\n",
        b"a\rb\r\xe9\r",
        b"",
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    fuzz("table", &corpus, |bytes| {
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let lines = match read_text(&path) {
            Ok(text) => {
                assert!(!text.contains('\r') && !text.starts_with('\u{feff}'));
                text.lines().count() as u64
            }
            Err(error) => {
                assert!(!error.to_string().contains('\n'));
                0
            }
        };
        for separator in Separator::ALL {
            match Table::read(&path, separator, "say so") {
                Ok(table) => {
                    let mut before = table.header.line;
                    for row in &table.rows {
                        assert_eq!(row.cells.len(), table.header.cells.len());
                        assert!(row.line > before && row.line <= lines, "{}", row.line);
                        before = row.line;
                    }
                }
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
    });
}
