//! The disk is full: nothing is promised, what was promised is kept, and all goes on when there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sea_orm::{ConnectionTrait, Database, Statement};
use simulator::{Options, PanelKind, Simulator};
use tests::client::Client;
use tests::installation::{Installation, free_port};
use tests::servers::{Durability, Kind, Postgres, TestDatabase};
use tests::stand::{assert_no_panic, create};

/// More jobs than any of the small disks here can take.
const ENOUGH: usize = 2_000;

/// Asks until the ledger refuses to promise; the promised ones' ids and the refused name.
async fn fill(client: &Client, round: &str) -> (Vec<String>, String) {
    let mut promised = Vec::new();
    for n in 0..ENOUGH {
        let name = format!("{round}{n:04}");
        let (status, answer) = client.post("/v1/jobs", &name, &create("web1", &name)).await;
        match status {
            202 => promised.push(answer["id"].as_str().unwrap().to_owned()),
            503 => return (promised, name),
            _ => panic!("{status} {answer}"),
        }
    }
    panic!("the disk did not get full");
}

/// Waits until `/readyz` says that.
async fn ready(client: &Client, wanted: bool) {
    loop {
        let (status, _) = client.get("/readyz").await;
        if (status == 200) == wanted {
            return;
        }
    }
}

async fn all_succeed(client: &Client, ids: &[String]) {
    for id in ids {
        let job = client.settled(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
}

fn made_once(panel: &Simulator, count: usize) {
    let requests = panel.requests();
    let calls = requests.iter().filter(|seen| seen.call == "createacct");
    assert_eq!(calls.count(), count, "no call was made twice");
    assert_eq!(panel.accounts().len(), count);
}

/// Runs the service; `full` lets its disk get full soon, `stay` keeps it so, `free` makes room.
async fn a_full_disk(
    installation: Installation,
    command: Command,
    full: impl Fn(u32),
    stay: impl Fn(u32),
    free: impl Fn(u32),
) {
    let panel = simulator::start(Options::new(PanelKind::Cpanel))
        .await
        .unwrap();
    installation.add_server("web1", "cpanel", &panel);
    let token = installation.token(&["create", "read", "operate"]);
    let mut command = command;
    let listen = format!("127.0.0.1:{}", free_port());
    command.args(["--listen", &listen]);
    let mut role = Installation::run(command, "is listening on").await;
    let client = Client::new(format!("http://{listen}"), &token);
    let before = client.submit("before", &create("web1", "before")).await;
    all_succeed(&client, &[before]).await;
    full(role.id());
    let (promised, refused) = fill(&client, "a").await;
    stay(role.id());
    ready(&client, false).await;
    free(role.id());
    ready(&client, true).await;
    all_succeed(&client, &promised).await;
    let again = client.submit(&refused, &create("web1", &refused)).await;
    all_succeed(&client, &[again]).await;
    made_once(&panel, promised.len() + 2);
    let code = role.stop().await;
    assert_no_panic(&role);
    assert_eq!(code, 0, "{:#?}", role.said());
    println!(
        "{} promised before the disk was full, all done after",
        promised.len()
    );
}

fn prlimit(pid: u32, size: &str) {
    let limit = format!("--fsize={size}:");
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &limit])
        .status();
    assert!(done.unwrap().success());
}

/// No file of the process may grow beyond what the write-ahead log has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_on_a_full_disk() {
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let file = database.url.trim_start_matches("sqlite:");
    let file = PathBuf::from(file.split('?').next().unwrap());
    let installation = Installation::new(&database, None, 0.02);
    let plain = installation.command(&["serve"]);
    // A disk that is full sends no signal, as this limit does where nobody ignores it.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(plain.get_current_dir().unwrap());
    let log = file.with_extension("sqlite-wal");
    let full = |pid| {
        let size = fs::metadata(&log).map_or(0, |log| log.len());
        prlimit(pid, &(size + 64 * 1024).to_string());
    };
    // The log may begin again from its start, where there is room.
    let stay = |pid| prlimit(pid, "0");
    let free = |pid| prlimit(pid, "unlimited");
    a_full_disk(installation, command, full, stay, free).await;
    let connection = Database::connect(&database.url).await.unwrap();
    let check = Statement::from_string(connection.get_database_backend(), "PRAGMA integrity_check");
    let row = connection.query_one_raw(check).await.unwrap().unwrap();
    let said: String = row.try_get_by_index(0).unwrap();
    assert_eq!(said, "ok");
}

/// A small disk of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where it cannot be mounted: that is the right of root.
    fn mounted(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0777", "tmpfs"])
            .arg(folder)
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then(|| Self(folder.to_owned()))
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        let block = vec![0_u8; 4096];
        while std::io::Write::write_all(&mut ballast, &block).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The tables' disk gets full; PostgreSQL's log lies elsewhere, as it stops altogether without room for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_on_a_full_disk() {
    let server = Postgres::start(Durability::Fast).unwrap();
    let folder = PathBuf::from(server.address().rsplit_once(':').unwrap().0);
    let Some(disk) = SmallDisk::mounted(&folder.join("small")) else {
        println!("no small disk can be mounted here: only root may");
        return;
    };
    let place = disk.0.join("space");
    fs::create_dir(&place).unwrap();
    let owned = Command::new("chown").arg("postgres:").arg(&place).status();
    assert!(owned.unwrap().success());
    let admin = Database::connect(server.url("postgres")).await.unwrap();
    for sql in [
        format!("CREATE TABLESPACE small LOCATION '{}'", place.display()),
        "CREATE DATABASE small TABLESPACE small".to_owned(),
    ] {
        admin.execute_unprepared(&sql).await.unwrap();
    }
    admin.close().await.unwrap();
    let database = TestDatabase::at(server.url("small"), Kind::Postgres).await;
    let installation = Installation::new(&database, None, 0.02);
    let command = installation.command(&["serve"]);
    let (full, free) = (|_| disk.fill(), |_| disk.make_room());
    a_full_disk(installation, command, full, |_| (), free).await;
    drop(server);
}
