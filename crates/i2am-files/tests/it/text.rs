use i2am_files::{read_text, write_atomic};

fn read(bytes: &[u8]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.txt");
    write_atomic(&path, bytes).unwrap();
    read_text(&path).map_err(|error| {
        let start = format!("cannot read {}: ", path.display());
        let message = error.to_string();
        message
            .strip_prefix(&start)
            .expect("a message that names the file")
            .to_owned()
    })
}

#[test]
fn text_of_any_editor_is_the_same_text() {
    for bytes in [
        &b"a\n\xc3\xa4\n"[..],
        b"\xef\xbb\xbfa\n\xc3\xa4\n",
        b"\xef\xbb\xbfa\r\n\xc3\xa4\r\n",
        b"a\r\xc3\xa4\r",
        // Files joined, each with its mark, the first with two.
        b"\xef\xbb\xbf\xef\xbb\xbfa\r\n\xef\xbb\xbf\xc3\xa4\r\n",
    ] {
        assert_eq!(read(bytes).unwrap(), "a\n\u{e4}\n", "{bytes:?}");
    }
    assert_eq!(read(b"").unwrap(), "");
    assert_eq!(read(b"\xef\xbb\xbf").unwrap(), "");
    // Inside a line the character is what somebody wrote.
    assert_eq!(read(b"a\xef\xbb\xbfb").unwrap(), "a\u{feff}b");
}

#[test]
fn what_is_no_utf_8_is_named_with_a_remedy() {
    let text = "00001_00.jpg 00002_00.jpg\r\n\u{e4}\r\n";
    let utf_16 = |order: fn(u16) -> [u8; 2], mark: &[u8]| {
        let units = text.encode_utf16().flat_map(order);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    let expected = "expected text in UTF-8, found";
    let remedy = "save the file as UTF-8";
    for (bytes, found) in [
        (utf_16(u16::to_le_bytes, b"\xff\xfe"), "UTF-16"),
        (utf_16(u16::to_be_bytes, b"\xfe\xff"), "UTF-16"),
        (
            utf_16(u16::to_le_bytes, b""),
            "UTF-16 without a byte order mark",
        ),
        (
            utf_16(u16::to_be_bytes, b""),
            "UTF-16 without a byte order mark",
        ),
        (b"\xff\xfe".to_vec(), "UTF-16"),
        (b"\xff\xfe\0\0a\0\0\0".to_vec(), "UTF-32"),
        (b"\0\0\xfe\xff\0\0\0a".to_vec(), "UTF-32"),
    ] {
        assert_eq!(
            read(&bytes).unwrap_err(),
            format!("{expected} {found}: {remedy}")
        );
    }
    assert_eq!(
        read(b"PK\x03\x04rest").unwrap_err(),
        format!(
            "{expected} a ZIP archive, as spreadsheets are (.xlsx, .ods): unpack it, or export the table as CSV"
        )
    );
    assert_eq!(
        read(b"\x1f\x8b\x08rest").unwrap_err(),
        format!("{expected} a gzip archive: unpack it")
    );
}

#[test]
fn the_place_of_a_strange_byte_is_its_line_and_character() {
    for (bytes, problem) in [
        (
            &b"\xef\xbb\xbfa\r\n\xc3\xa4\xe9.png\r\n"[..],
            "line 2, character 2: expected text in UTF-8, found the byte 0xE9: save the file as UTF-8",
        ),
        (
            b"a\rb\r\xc3",
            "line 3, character 1: expected text in UTF-8, found the byte 0xC3: save the file as UTF-8",
        ),
        (
            b"first\nsec\0nd",
            "line 2, character 4: expected text, found a NUL byte",
        ),
        (
            b"\0",
            "line 1, character 1: expected text, found a NUL byte",
        ),
    ] {
        assert_eq!(read(bytes).unwrap_err(), problem);
    }
    // Behind what is looked at first.
    let mut long = b"0123456789\n".repeat(1000);
    long.push(b'\0');
    assert_eq!(
        read(&long).unwrap_err(),
        "line 1001, character 1: expected text, found a NUL byte"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.txt");
    let error = read_text(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read {}: ", path.display())));
    assert!(read_text(dir.path()).is_err(), "a folder");
}
