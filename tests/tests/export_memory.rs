//! What an export takes of memory does not grow with its rows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::process::Stdio;

use sea_orm::ConnectionTrait;
use tests::installation::Installation;
use tests::servers::{Kind, TestDatabase};

const FEW: u32 = 10_000;
const MANY: u32 = 60_000;
/// All of the rows above those few would take several times as much, if they were held.
const MOST_GROWTH_KB: u64 = 16 * 1024;

async fn fill(database: &TestDatabase, accounts: u32) {
    let store = database.store().await;
    let connection = store.writer_connection();
    for sql in [
        format!(
            "INSERT INTO account (public_id, server_id, username, domain, state, limits, dedicated_ip, \
             panel, evidence, missing_nights, created_at, updated_at) \
             WITH RECURSIVE n(i) AS (SELECT (SELECT COUNT(*) FROM account) + 1 UNION ALL \
             SELECT i + 1 FROM n WHERE i < {accounts}) \
             SELECT printf('A%025d', i), 1, printf('user%d', i), printf('user%d.example.com', i), \
             'active', '{{}}', 0, '{{}}', '{{}}', 0, 1, 1 FROM n"
        ),
        "INSERT OR IGNORE INTO usage_month (account_id, month, server_id, total_bytes, last_raw, epoch, \
         resets, late_bytes, as_of) \
         SELECT id, '2026-01', 1, id * 1048576, 0, 0, 0, 0, 1 FROM account"
            .to_owned(),
    ] {
        connection.execute_unprepared(&sql).await.unwrap();
    }
}

/// The rows of an export and the most memory that its process had, in kB.
fn export(installation: &Installation, format: &str) -> (usize, u64) {
    let mut command = installation.command(&[
        "traffic", "export", "--month", "2026-01", "--format", format,
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut lines, mut peak) = (0, 0);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = out.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        lines += piece[..count].iter().filter(|byte| **byte == b'\n').count();
        peak = peak.max(peak_kb(child.id()));
    }
    assert!(child.wait().unwrap().success());
    (lines, peak)
}

/// 0 once the process has ended.
fn peak_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_rows_of_an_export() {
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let installation = Installation::new(&database, None, 1.0);
    let formats = ["csv", "json", "ndjson", "parquet"];
    fill(&database, FEW).await;
    let few = formats.map(|format| export(&installation, format));
    fill(&database, MANY).await;
    let many = formats.map(|format| export(&installation, format));
    for (format, ((small, before), (large, after))) in formats.iter().zip(few.into_iter().zip(many))
    {
        println!("{format}: {before} kB for {small} lines, {after} kB for {large} lines");
        let by_line = *format != "parquet";
        let are_many = |lines: usize, rows: u32| lines >= usize::try_from(rows).unwrap();
        assert!(!by_line || (are_many(small, FEW) && are_many(large, MANY)));
        assert!(before > 0 && after < before + MOST_GROWTH_KB, "{format}");
    }
    database.remove().await;
}
