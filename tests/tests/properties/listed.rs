//! Which properties there are.

use std::path::Path;

/// As many as `docs/architecture.md` promises at least.
const AT_LEAST: usize = 45;

/// The names of the tests in a source's `proptest!` blocks, and of those that drive a runner themselves
/// (their doc comment begins with "Property").
fn properties(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = None;
    let mut own = false;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim();
        if code.ends_with("proptest! {") && !code.starts_with("//") {
            inside = Some(indent);
        } else if inside == Some(indent) && code == "}" {
            inside = None;
        }
        own |= code.starts_with("/// Property");
        let name = code
            .strip_prefix("async fn ")
            .or_else(|| code.strip_prefix("fn "))
            .and_then(|rest| rest.split('(').next());
        if let Some(name) = name {
            if inside.is_some() || own {
                names.push(name.to_owned());
            }
            own = false;
        }
    }
    names
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.extend(properties(&text));
        }
    }
}

#[test]
fn there_are_as_many_properties_as_the_docs_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for package in [
        "hosting",
        "jobs",
        "panels",
        "scheduler",
        "simulator",
        "worker",
        "cli",
        "tests",
    ] {
        for part in ["src", "tests"] {
            let folder = root.join(package).join(part);
            if folder.is_dir() {
                walk(&folder, &mut found);
            }
        }
    }
    found.sort();
    println!("{} properties: {}", found.len(), found.join(", "));
    assert!(found.len() >= AT_LEAST, "only {} are left", found.len());
    let page = include_str!("../../../docs/architecture.md");
    assert!(page.contains(&format!("at least {AT_LEAST} properties")));
}

#[test]
fn properties_are_told_from_other_functions() {
    let text = "proptest::proptest! {\n    #[test]\n    fn a(x in 0..1) {}\n}\nfn no() {}\n/// Property: x.\n#[test]\nfn b() {}\n";
    assert_eq!(properties(text), ["a", "b"]);
}
