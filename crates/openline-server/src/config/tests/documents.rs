//! The texts that are made from the keys.

use std::collections::BTreeSet;
use std::path::Path;

use super::from_file;
use crate::config::{Config, default_file, markdown};

#[test]
fn the_default_file_is_a_configuration_that_changes_nothing() {
    assert_eq!(from_file(&default_file()), from_file(""));
}

#[test]
fn the_default_file_holds_each_key_with_its_default() {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let file = default_file();
    let lines = file.lines().map(|line| if is_key(line) { &line[1..] } else { line });
    let all: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(from_file(&all), from_file(""));
    let keys: usize = Config::SECTIONS.iter().map(|section| section.keys.len()).sum();
    assert_eq!(file.lines().filter(|line| is_key(line)).count(), Config::KEYS.len() + keys);
    assert!(file.lines().all(|line| line.chars().count() <= 100), "lines are wrapped");
}

#[test]
fn every_default_is_within_its_bounds() {
    for key in Config::keys() {
        for default in [key.default(), key.default_without_file()] {
            let text = if key.section().is_empty() {
                format!("{} = {default}", key.path())
            } else {
                format!(
                    "[{}]\n{} = {default}",
                    key.section(),
                    key.path().split('.').next_back().unwrap()
                )
            };
            let read = Config::read(Some(("openline.toml", &text)), [], []);
            // Some contradict other defaults; none is refused by itself.
            for error in read.err().into_iter().flatten() {
                assert_eq!(error.place, crate::config::Place::Together, "{error}");
            }
        }
    }
}

#[test]
fn no_two_keys_share_a_variable_or_a_flag() {
    let count = Config::keys().count();
    assert_eq!(Config::keys().map(|key| key.variable()).collect::<BTreeSet<_>>().len(), count);
    assert_eq!(Config::keys().map(|key| key.flag()).collect::<BTreeSet<_>>().len(), count);
}

#[test]
fn every_section_is_read_into_its_table() {
    let mut config = Config::default();
    for section in Config::SECTIONS.iter().filter(|section| section.name != "namespace") {
        let table = config.section(section.name).unwrap();
        let names =
            |keys: &[crate::config::Key]| keys.iter().map(|key| key.path()).collect::<Vec<_>>();
        assert_eq!(names(table.keys()), names(section.keys));
        assert!(section.keys.iter().all(|key| key.section() == section.name));
    }
}

#[test]
fn the_page_about_the_keys_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == markdown(),
        "docs/config.md is not what the keys say; its end tells how to make it"
    );
}
