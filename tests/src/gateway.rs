//! The gateway as a process.

mod asking;

use crate::cache::Cache;
use crate::client::{Request, send};
use crate::ran::Ran;
use crate::running::Running;
use crate::wait::{PATIENCE, eventually};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;
use tempfile::TempDir;

/// The binary that is tested.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn binary() -> PathBuf {
    let path = std::env::var_os("ANGLERFISH_TEST_BINARY").map_or_else(
        || {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let target =
                std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
            target.join("debug/anglerfish")
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "there is no gateway to test at {}: run `cargo build --package anglerfish`, or name one in ANGLERFISH_TEST_BINARY",
        path.display()
    );
    path
}

/// A port that is free and that no connection is given by chance: it lies below the range of ephemeral ports, so that a
/// gateway which is killed can start on it again.
///
/// # Panics
///
/// If all are taken.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side have numbers near each other; a prime sets their ports far apart.
    let first = u16::try_from(u64::from(std::process::id()) * 7919 % 12_000).unwrap_or_default();
    for _ in 0..12_000 {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::SeqCst)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// The parts of a configuration; addresses and the data directory are added.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Further keys of `[server]`.
    pub server: String,
    /// Further keys of `[admin]`.
    pub admin: String,
    /// Further keys of `[out]`; without them it has no such listener.
    pub out: Option<String>,
    /// All other tables.
    pub rest: String,
    /// The token to show to the management API.
    pub token: Option<String>,
    /// Environment variables of the gateway and of the commands that are run beside it.
    pub environment: Vec<(String, String)>,
    /// A command of the shell that goes before the gateway in its process.
    pub shell: Option<String>,
}

/// A running gateway with a directory of its own. It is killed when it is dropped.
pub struct Gateway {
    child: Option<Child>,
    directory: TempDir,
    ingress: SocketAddr,
    admin: SocketAddr,
    out: SocketAddr,
    token: Option<String>,
    environment: Vec<(String, String)>,
    shell: Option<String>,
}

impl Gateway {
    /// Starts one with these sources and subscriptions and waits until it is ready.
    #[must_use]
    pub fn start(rest: &str) -> Self {
        Self::set_up(&Setup { rest: rest.to_owned(), ..Setup::default() })
    }

    /// Starts one and waits until it is ready.
    #[must_use]
    pub fn set_up(setup: &Setup) -> Self {
        let mut gateway = Self::prepare(setup);
        gateway.spawn();
        gateway
    }

    /// Writes the configuration only.
    ///
    /// # Panics
    ///
    /// If the directory cannot be made.
    #[must_use]
    pub fn prepare(setup: &Setup) -> Self {
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let directory = tempfile::tempdir().expect("no directory for a gateway");
        let gateway = Self {
            child: None,
            directory,
            ingress: address(),
            admin: address(),
            out: address(),
            token: setup.token.clone(),
            environment: setup.environment.clone(),
            shell: setup.shell.clone(),
        };
        gateway.write(setup);
        Cache::beside(&binary()).fill(&gateway.directory.path().join("data/cache"));
        gateway
    }

    /// Writes another configuration with the same addresses, for the next start.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn write(&self, setup: &Setup) {
        let Setup { server, admin, out, rest, .. } = setup;
        // Receivers of tests are on this machine, and most subscriptions that tests write call them.
        let networks = if admin.contains("networks") { "" } else { "networks = [\"0.0.0.0/0\", \"::/0\"]\n" };
        let out = out.as_ref().map(|keys| format!("[out]\nlisten = \"{}\"\n{keys}\n", self.out));
        let text = format!(
            "[server]\nlisten = \"{}\"\ndata_dir = \"data\"\n{server}\n[admin]\nlisten = \"{}\"\n{networks}{admin}\n{}{rest}\n",
            self.ingress,
            self.admin,
            out.unwrap_or_default()
        );
        std::fs::write(self.config(), text).expect("the configuration cannot be written");
    }

    /// The configuration's file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("anglerfish.toml")
    }

    /// The directory of the configuration and the data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where events are taken in.
    #[must_use]
    pub fn ingress(&self) -> SocketAddr {
        self.ingress
    }

    /// Where the management API is.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where subscribers lease and read, if [`Setup::out`] says so.
    #[must_use]
    pub fn out(&self) -> SocketAddr {
        self.out
    }

    /// What it has written to stderr so far, all starts together.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.log_file())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// A command with this binary that sees no configuration from the environment.
    #[must_use]
    pub fn command() -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANGLERFISH_") {
                command.env_remove(name);
            }
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Starts the process on the data that is there and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it ends or does not become ready.
    pub fn spawn(&mut self) {
        self.spawn_until("/ready");
    }

    /// Starts the process on the data that is there and waits until its management API answers this address with 200.
    ///
    /// # Panics
    ///
    /// If it ends or does not answer so.
    pub fn spawn_until(&mut self, path: &str) {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("no log file");
        self.spawn_with(log.into(), path);
    }

    /// The same with its log in a pipe that the caller reads.
    ///
    /// # Panics
    ///
    /// Like [`Gateway::spawn`].
    pub fn spawn_piped(&mut self) -> ChildStderr {
        self.spawn_with(Stdio::piped(), "/ready");
        self.child.as_mut().and_then(|child| child.stderr.take()).expect("stderr is a pipe")
    }

    fn spawn_with(&mut self, stderr: Stdio, path: &str) {
        assert!(self.child.is_none(), "the gateway runs already");
        let mut command = Self::command();
        if let Some(shell) = &self.shell {
            command = Command::new("sh");
            command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(binary());
        }
        let child = command
            .args(["serve", "--config"])
            .arg(self.config())
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the gateway cannot be started");
        self.child = Some(child);
        eventually(&format!("the gateway answers {path}"), || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the gateway ended with {ended:?}:\n{}", self.log());
            let request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
            send(self.admin, &request).ok().filter(|answer| answer.status == 200)
        });
        Cache::beside(&binary()).keep(&self.directory.path().join("data/cache"));
    }

    /// Kills the process, as `kill -9` does.
    ///
    /// # Panics
    ///
    /// If it has ended by itself.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the gateway does not run");
        assert!(child.try_wait().expect("no such process").is_none(), "it ended by itself:\n{}", self.log());
        child.kill().expect("it cannot be killed");
        child.wait().expect("no such process");
    }

    /// The process's number.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("the gateway does not run").id()
    }

    /// Asks the process to end, as an orchestrator does.
    pub fn signal_end(&self) {
        self.signal("TERM");
    }

    /// Sends the process a signal.
    ///
    /// # Panics
    ///
    /// If that cannot be done.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.process())]).status();
        assert!(sent.expect("no shell").success(), "the signal could not be sent");
    }

    /// Whether the process runs.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    pub fn runs(&mut self) -> bool {
        let ended = self.child.as_mut().map(|child| child.try_wait().expect("no such process"));
        ended.is_some_and(|status| status.is_none())
    }

    /// Waits until it has logged this.
    pub fn wait_log(&self, words: &str) {
        eventually(&format!("{words:?} in the log"), || self.log().contains(words).then_some(()));
    }

    /// How much memory of its own the process holds, in bytes: not what it maps of files. `None` where the system does
    /// not tell.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    }

    /// Waits for the process to end by itself.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait_end(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the gateway does not run");
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("no such process") {
                return status;
            }
            if Instant::now() > end {
                drop(child.kill());
                panic!("the gateway does not end:\n{}", self.log());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Kills the process and starts it again on the same data.
    pub fn restart(&mut self) {
        self.kill();
        self.spawn();
    }

    /// Runs a command as [`Gateway::beside`] makes it.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let input = self.directory.path().join("stdin");
        File::create(&input).and_then(|mut file| file.write_all(stdin)).expect("stdin cannot be written");
        let mut command = self.beside(arguments);
        command.stdin(File::open(&input).expect("stdin cannot be read"));
        Ran::of(&mut command)
    }

    /// Runs a command as [`Gateway::beside`] makes it on a terminal of eighty columns, and gives what is seen there: stdout
    /// and stderr together, without colours.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[must_use]
    pub fn run_on_terminal(&self, arguments: &[&str]) -> Ran {
        let quoted: Vec<String> =
            arguments.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let line = format!("stty cols 80 rows 50; exec '{}' {}", binary().display(), quoted.join(" "));
        let beside = self.beside(&[]);
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("NO_COLOR", "1");
        for (name, value) in beside.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        let ran = Ran::of(&mut command);
        Ran { stdout: ran.stdout.replace('\r', ""), ..ran }
    }

    /// Starts a command as [`Gateway::beside`] makes it that goes on until it is ended.
    #[must_use]
    pub fn begin(&self, arguments: &[&str]) -> Running {
        Running::of(&mut self.beside(arguments))
    }

    /// A command with this configuration's file in the variable that names it, and this gateway's API. It runs in the
    /// gateway's directory.
    #[must_use]
    pub fn beside(&self, arguments: &[&str]) -> Command {
        let mut command = Self::command();
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .env("ANGLERFISH_CONFIG", "anglerfish.toml")
            .env("ANGLERFISH_API", format!("http://{}", self.admin))
            .current_dir(self.directory.path());
        if let Some(token) = &self.token {
            command.env("ANGLERFISH_TOKEN", token);
        }
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
            if std::thread::panicking() {
                eprintln!("the gateway's log:\n{}", self.log());
            }
        }
    }
}
