//! The configuration's layers.

use cli::config::{Sources, load};
use proptest::prelude::*;

/// Where a value stands: the file, the environment, a flag.
type Places = [Option<u16>; 3];

fn sources(folder: &std::path::Path, [file, variable, flag]: Places) -> Sources {
    let text = file.map_or_else(String::new, |n| format!("[worker]\nconcurrency = {n}\n"));
    std::fs::write(folder.join("hostler.toml"), text).expect("written");
    let variables = variable.map(|n| ("HOSTLER_WORKER__CONCURRENCY".to_owned(), n.to_string()));
    Sources {
        file: None,
        folder: folder.to_owned(),
        environment: variables.into_iter().collect(),
        flags: flag
            .map(|n| ("worker.concurrency", "--concurrency", n.to_string()))
            .into_iter()
            .collect(),
    }
}

proptest! {
    #[test]
    fn the_later_layer_wins_and_is_named(places in any::<Places>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let usual = load(&Sources { folder: folder.path().to_owned(), ..Sources::default() }).expect("defaults").settings.worker.concurrency;
        let wanted = places.iter().rev().flatten().next().map_or(usual, |n| usize::from(*n));
        match load(&sources(folder.path(), places)) {
            Ok(config) => {
                prop_assert_eq!(config.settings.worker.concurrency, wanted);
                let origin = config.origins.iter().find(|origin| origin.key == "worker.concurrency").expect("listed");
                prop_assert_eq!(&origin.value, &wanted.to_string());
                let place = match places {
                    [_, _, Some(_)] => "--concurrency",
                    [_, Some(_), None] => "HOSTLER_WORKER__CONCURRENCY",
                    [Some(_), None, None] => "hostler.toml",
                    [None, None, None] => "default",
                };
                prop_assert!(origin.source.contains(place), "{}", origin.source);
            }
            Err(_) => prop_assert_eq!(wanted, 0),
        }
    }

    #[test]
    fn an_unknown_key_is_named_wherever_it_stands(name in "[a-z]{3,10}q", in_file in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sources = Sources { folder: folder.path().to_owned(), ..Sources::default() };
        if in_file {
            std::fs::write(folder.path().join("hostler.toml"), format!("[worker]\n{name} = 1\n")).expect("written");
        } else {
            sources.environment.push((format!("HOSTLER_WORKER__{}", name.to_uppercase()), "1".to_owned()));
        }
        let error = format!("{:?}", load(&sources).expect_err("refused"));
        prop_assert!(error.to_lowercase().contains(&name), "{error}");
    }
}
