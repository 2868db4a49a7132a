//! Tables as CSV, for programs.

use super::Table;

pub(super) fn render(table: &Table) -> String {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    for row in &table.raw {
        writer
            .write_record(row)
            .expect("records are written to memory");
    }
    let bytes = writer.into_inner().expect("flushing to memory cannot fail");
    String::from_utf8(bytes).expect("cells are text")
}
