//! `anglerfish init`, `completions` and `manual`: what a newcomer's machine needs.

use super::run;

#[test]
fn what_init_writes_is_checked_and_never_replaced_by_accident() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anglerfish.toml");
    let file = file.to_str().unwrap();
    let _ = run(&["init", file]).expect(0);
    let _ = run(&["check", "--config", file]).expect(0);
    std::fs::write(file, "# mine").unwrap();
    let refused = run(&["init", file]).expect(2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# mine");
    let _ = run(&["init", "--force", file]).expect(0);
    assert_eq!(run(&["init", "-"]).expect(0).stdout, std::fs::read_to_string(file).unwrap());
}

#[test]
fn shells_and_man_get_what_they_read() {
    for (shell, words) in
        [("bash", "complete -F"), ("zsh", "#compdef anglerfish"), ("fish", "complete -c anglerfish")]
    {
        let script = run(&["completions", shell]).expect(0);
        assert!(script.stdout.contains(words) && script.stdout.contains("subscriptions"), "{shell}");
    }
    let page = run(&["manual"]).expect(0).stdout;
    assert!(page.contains(".TH anglerfish 1"), "{page}");
    for words in [&["filter", "test"][..], &["events"]] {
        let page = run(&[&["manual"], words].concat()).expect(0).stdout;
        assert!(page.contains(&format!(".TH anglerfish-{} 1", words.join("-"))), "{page}");
    }
    let unknown = run(&["manual", "filter", "tset"]).expect(2);
    assert!(
        unknown.stderr.contains("no command `anglerfish filter tset`") && unknown.stderr.contains("`test`"),
        "{unknown:?}"
    );
    let directory = tempfile::tempdir().unwrap();
    let _ = run(&["manual", "--dir", directory.path().to_str().unwrap()]).expect(0);
    let pages = super::help::paths()
        .into_iter()
        .map(|path| [&["anglerfish".to_owned()], &path[..]].concat().join("-"));
    for name in pages {
        assert!(directory.path().join(format!("{name}.1")).is_file(), "{name}");
    }
}
