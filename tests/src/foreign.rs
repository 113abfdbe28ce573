//! The providers' own libraries, in the languages that they are written in.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Another language's interpreter with the libraries of `clients/`.
pub struct Foreign {
    program: PathBuf,
    directory: Option<PathBuf>,
    script: &'static str,
}

impl Foreign {
    /// Python, as `ANGLERFISH_TEST_PYTHON` says; `None` (and a printed line) without it.
    #[must_use]
    pub fn python() -> Option<Self> {
        let program = variable(
            "ANGLERFISH_TEST_PYTHON",
            "an interpreter with the packages of clients/requirements.txt",
        )?;
        Some(Self { program, directory: None, script: "sign.py" })
    }

    /// Node.js, as `ANGLERFISH_TEST_NODE` says; `None` (and a printed line) without it.
    #[must_use]
    pub fn node() -> Option<Self> {
        let directory =
            variable("ANGLERFISH_TEST_NODE", "a directory with the modules of clients/package.json")?;
        Some(Self { program: "node".into(), directory: Some(directory), script: "sign.mjs" })
    }

    /// A command that runs a program written here, with the libraries at hand: it is put into `directory`.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn program(&self, directory: &Path, source: &str) -> Command {
        let extension = Path::new(self.script).extension().unwrap_or_default();
        let file = directory.join("program").with_extension(extension);
        std::fs::write(&file, source).expect("the program cannot be written");
        if self.directory.is_some() {
            self.lend(directory);
        }
        let mut command = Command::new(&self.program);
        command.arg(file);
        command
    }

    /// Puts what is installed where a project in this directory looks for it: `node_modules`, or `.venv`.
    ///
    /// # Panics
    ///
    /// If it cannot be linked.
    pub fn lend(&self, directory: &Path) {
        let (from, name) = match &self.directory {
            Some(modules) => (modules.join("node_modules"), "node_modules"),
            None => {
                let bin = self.program.parent().expect("the interpreter is in a directory");
                (bin.join(".."), ".venv")
            }
        };
        std::os::unix::fs::symlink(from, directory.join(name)).expect("the packages cannot be linked");
    }

    /// The same with another script of `clients/`.
    #[must_use]
    pub fn with_script(self, script: &'static str) -> Self {
        Self { script, ..self }
    }

    /// Runs the script once on a file or folder and gives what it writes.
    ///
    /// # Panics
    ///
    /// If the script fails.
    #[must_use]
    pub fn run(&self, argument: &Path) -> String {
        self.run_with(&[&argument.to_string_lossy()])
    }

    /// Runs the script once with these arguments and gives what it writes.
    ///
    /// # Panics
    ///
    /// If the script fails.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{} failed:\n{text}{}",
            self.script,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn command(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(self.script);
        let mut command = Command::new(&self.program);
        command.arg(script);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// Gives the script of `clients/` one task a line, and reads one line in answer to each, or as many as it likes.
    ///
    /// # Panics
    ///
    /// If the script fails.
    #[must_use]
    pub fn ask(&self, tasks: &[Value]) -> Vec<Value> {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // The scripts read everything before they write anything.
        for task in tasks {
            writeln!(stdin, "{task}").expect("the script does not read");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("the script cannot be waited for");
        assert!(output.status.success(), "{} failed", self.script);
        let text = String::from_utf8(output.stdout).expect("the script writes text");
        text.lines().map(|line| serde_json::from_str(line).expect("the script writes JSON")).collect()
    }
}

fn variable(name: &str, meaning: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{name} is not set; it names {meaning}"
        );
        // Not with `println`, which the harness keeps to itself when a test passes.
        drop(writeln!(std::io::stderr(), "skipped: {name} is not set; it names {meaning}"));
    }
    value.map(PathBuf::from)
}
