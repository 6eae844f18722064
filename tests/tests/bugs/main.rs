//! Seeded bugs: the checker must see each rule that is left out on purpose, by the promise that was written
//! down for it beforehand, and nothing at all in the same scene when no rule is left out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scenes;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use jobs::faults::Bug;
use scenes::{SCENES, Scene};
use tests::check::{Violation, check};
use tests::field::{Field, Plan};
use tests::installation::faulty_binary;

/// Scenes at one time: they mostly wait.
const AT_ONE_TIME: usize = 4;
/// What a broken run may take to come to rest; some never do.
const PATIENCE: Duration = Duration::from_secs(25);

/// Plays a scene, with its bug or without, and lets the checker decide.
async fn play(scene: &Scene, bug: Option<Bug>) -> Vec<Violation> {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&folder.path().join("run"), faulty_binary());
    (scene.set)(&mut plan);
    let named = bug.map(|bug| ("HOSTLER_BUG".to_owned(), bug.name().to_owned()));
    plan.environment.extend(named);
    let field = Field::new(plan).await;
    let mut processes = (scene.play)(&field).await;
    let rest = match bug {
        Some(_) => field.drain(PATIENCE).await,
        None => field.drain(Duration::from_secs(300)).await,
    };
    assert!(rest.is_ok() || bug.is_some(), "{scene:?}: {rest:?}");
    for process in &mut processes {
        process.stop().await;
    }
    field.note_panels();
    if scene.bug == Bug::NoFence && bug.is_none() {
        let said = std::fs::read_to_string(field.folder().join("output/worker-1.log")).unwrap();
        assert!(said.contains("The claim was lost"), "the zombie: {said}");
    }
    check(field.folder()).await.unwrap()
}

/// One scene, both ways: what was wrong about that, if anything.
async fn tried(scene: &Scene) -> Result<(), String> {
    let fine = play(scene, None).await;
    if !fine.is_empty() {
        return Err(format!(
            "{:?} is not on, and is reported: {fine:#?}",
            scene.bug
        ));
    }
    let broken = play(scene, Some(scene.bug)).await;
    let told: Vec<String> = broken.iter().map(ToString::to_string).collect();
    println!("{} -> {}", scene.bug.name(), told.join("\n    "));
    if broken
        .iter()
        .any(|violation| violation.invariant == scene.breaks)
    {
        return Ok(());
    }
    let (bug, invariant) = (scene.bug, scene.breaks);
    Err(format!(
        "{bug:?} does not break invariant {invariant}: {broken:#?}"
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_seeded_bug_is_caught_by_the_promise_that_it_breaks() {
    let tried = futures::stream::iter(&SCENES).map(tried);
    let tried: Vec<Result<(), String>> = tried.buffer_unordered(AT_ONE_TIME).collect().await;
    let missed: Vec<&String> = tried
        .iter()
        .filter_map(|tried| tried.as_ref().err())
        .collect();
    println!(
        "seeded bugs: {} of {} caught",
        tried.len() - missed.len(),
        tried.len()
    );
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_bug_has_a_scene() {
    let played: BTreeSet<&str> = SCENES.iter().map(|scene| scene.bug.name()).collect();
    let known: BTreeSet<&str> = Bug::ALL.iter().map(|bug| bug.name()).collect();
    assert_eq!(played, known);
    assert!(known.len() >= 12 && SCENES.len() == known.len());
}
