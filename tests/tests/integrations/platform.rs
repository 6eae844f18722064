//! A pretend billing platform: a folder that a module was installed into, a database, and a PHP process for each call.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// What a platform lets a call take before it ends the process.
const LIMIT: Duration = Duration::from_secs(300);

/// A platform with our module in it.
pub(crate) struct Platform {
    folder: TempDir,
    name: &'static str,
    pub(crate) limit: Duration,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Platform {
    /// Installs the module as its README says.
    pub(crate) fn new(name: &'static str, database: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let installed = std::process::Command::new(repository().join("integrations/install"))
            .arg(name)
            .arg(&root)
            .output()
            .unwrap();
        assert!(installed.status.success(), "{installed:?}");
        let this = Self {
            folder,
            name,
            limit: LIMIT,
        };
        this.write(database);
        this
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.folder.path().join("database.json")
    }

    pub(crate) fn database(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.database_path()).unwrap()).unwrap()
    }

    fn write(&self, database: &Value) {
        std::fs::write(self.database_path(), database.to_string()).unwrap();
    }

    /// Changes what the platform has stored at that JSON pointer, as its staff does.
    pub(crate) fn set(&self, pointer: &str, value: impl Into<Value>) {
        let mut database = self.database();
        let (place, name) = pointer.rsplit_once('/').unwrap();
        database.pointer_mut(place).unwrap()[name] = value.into();
        self.write(&database);
    }

    /// What is stored there.
    pub(crate) fn get(&self, pointer: &str) -> Value {
        let database = self.database();
        database.pointer(pointer).cloned().unwrap_or_default()
    }

    /// Calls a function of the module to its end; what the platform made of it.
    pub(crate) async fn call(&self, function: &str, arguments: Value) -> Value {
        self.called(function, arguments).await["answer"].take()
    }

    /// The same with what the module has printed.
    pub(crate) async fn called(&self, function: &str, arguments: Value) -> Value {
        let child = self.begin(function, &arguments);
        let ended = tokio::time::timeout(self.limit, child.wait_with_output());
        let output = ended.await.expect("it ends before the platform ends it");
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{function}: {text}{complaints}"
        );
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{function}: {error}: {text}"))
    }

    /// Calls a function that takes longer than the platform lets it.
    pub(crate) async fn ended_by_its_limit(&self, function: &str, arguments: &Value) {
        let child = self.begin(function, arguments);
        let ended = tokio::time::timeout(self.limit, child.wait_with_output()).await;
        assert!(ended.is_err(), "{function} ended by itself: {ended:?}");
    }

    /// Begins such a call; dropped, it is killed.
    pub(crate) fn begin(&self, function: &str, arguments: &Value) -> Child {
        let program = format!("tests/integrations/php/{}.php", self.name);
        let mut command = Command::new("php");
        command
            .args(["-d", "display_errors=stderr", "-d", "error_reporting=-1"])
            .args(["-d", "zend.assertions=1", "-d", "log_errors=0"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program))
            .arg(self.root())
            .arg(self.database_path())
            .arg(function)
            .arg(arguments.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().expect("php can be run: install php-cli")
    }

    /// Everything that was given to the platform's module log.
    pub(crate) fn log(&self) -> String {
        self.get("/log").to_string()
    }

    /// The log says something of these calls, and none of these secrets in any guise.
    pub(crate) fn logs_without(&self, words: &[&str], secrets: &[&str]) {
        let log = self.log();
        for word in words {
            assert!(log.contains(word), "{word} is not in {log}");
        }
        for secret in secrets {
            assert!(secret.len() >= 8, "what is searched for is a secret");
            let url: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for guise in [(*secret).to_owned(), STANDARD.encode(secret), url] {
                assert!(!log.contains(&guise), "{secret} is in {log}");
            }
        }
    }
}
