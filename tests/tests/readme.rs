//! The tutorials of README and API page, run as they are printed.

use tests::tutorial::run;

#[test]
fn the_tutorial_does_what_the_readme_shows() {
    let ran = run(include_str!("../../README.md"));
    assert_eq!((ran.beside, ran.panels), (3, 2), "of the first block");
    println!(
        "{} commands of the README's tutorial were run",
        ran.commands
    );
    assert!(ran.commands > 15, "the tutorial was found");
}

#[test]
fn the_tutorial_of_the_api_does_what_its_page_shows() {
    let ran = run(include_str!("../../docs/api.md"));
    assert_eq!((ran.beside, ran.panels), (2, 1), "of the first block");
    println!("{} commands of the API's tutorial were run", ran.commands);
    assert!(ran.commands > 15, "the tutorial was found");
}
