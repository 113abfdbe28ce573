//! `cargo xtask bench`: the whole gateway over loopback, beside a bare server in the same run.

use crate::{client, command, target};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct BenchArguments {
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections at once
    #[arg(long, value_delimiter = ',', default_value = "1,16,256")]
    connections: Vec<usize>,
    /// Also measure deliveries at fan-out 1, 10 and 100, a noisy neighbourhood, and memory (ten minutes)
    #[arg(long)]
    deliveries: bool,
}

/// One measurement.
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    failed: u64,
}

/// A server that ends with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SECRET: &str = "benchmark-secret";

pub(crate) fn run(arguments: &BenchArguments) -> Result<ExitCode> {
    target::install()?;
    client::require("wrk", &["wrk"])?;
    command::run(command::cargo().args([
        "build",
        "--release",
        "--package",
        "anglerfish",
        "--bin",
        "anglerfish",
        "--example",
        "bare",
    ]))?;
    let release = command::target_directory().join("release");
    let binary = release.join("anglerfish");
    let work = command::target_directory().join(format!("bench-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let result = measure(arguments, &release, &binary, &work);
    fs::remove_dir_all(&work)?;
    result?;
    if arguments.deliveries {
        for bench in ["fanout", "neighbour", "memory"] {
            println!();
            command::run(command::cargo().args([
                "bench",
                "--quiet",
                "--package",
                "anglerfish",
                "--bench",
                bench,
            ]))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &BenchArguments, release: &Path, binary: &Path, work: &Path) -> Result<()> {
    let body = work.join("body.json");
    fs::write(&body, event_body())?;
    let signature = signature(binary, &body)?;
    let bare = start_bare(release)?;
    let sink = Server(
        Command::new(release.join("examples/bare")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn()?,
    );
    let (sink, sink_url) = announced(sink)?;
    println!("one fsync of 4 KiB: {:.0} µs (median of 200)", fsync(work)? * 1e6);
    starts(binary, work)?;
    println!(
        "{:>4}  {:<34} {:>9}  {:>9} {:>9}  {:>6}  {:>6}",
        "conn", "server", "req/s", "p50 µs", "p99 µs", "ratio", "MiB"
    );
    for &connections in &arguments.connections {
        let of_bare = load(&bare.1, connections, arguments.seconds, &body, &signature)?;
        print(connections, "bare axum, 202", &of_bare, None, resident(&bare.0)?);
        for (name, matching) in
            [("gateway, 10 filters, none matches", false), ("gateway, 10 filters, one delivered", true)]
        {
            let data = work.join(format!("data-{connections}-{matching}"));
            keep_compiled(&work.join("data-start"), &data)?;
            let (gateway, url) = start_gateway(binary, work, &data, matching.then_some(sink_url.as_str()))?;
            let figures = load(&format!("{url}/in/hub"), connections, arguments.seconds, &body, &signature)?;
            print(connections, name, &figures, Some(&of_bare), resident(&gateway)?);
            drop(gateway);
        }
    }
    drop(sink);
    drop(bare);
    Ok(())
}

/// Gives a gateway what another one has compiled, so that its memory is that of one which was not installed just now.
fn keep_compiled(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.join("cache"), to.join("cache"));
    fs::create_dir_all(&to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

/// How long a start takes, and what memory an idle gateway has then: when it compiles the component, and when it finds it
/// compiled.
fn starts(binary: &Path, work: &Path) -> Result<()> {
    let data = work.join("data-start");
    for name in ["the first time", "again", "again"] {
        let begun = Instant::now();
        let (gateway, _) = start_gateway(binary, work, &data, None)?;
        let ready = begun.elapsed();
        println!(
            "ready {name} after {:.0} ms, {:.0} MiB resident",
            ready.as_secs_f64() * 1e3,
            resident(&gateway)?
        );
    }
    Ok(())
}

/// The resident memory of a process in MiB.
fn resident(server: &Server) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

/// `resident` is what the server holds at the end of the load, in MiB.
fn print(connections: usize, name: &str, figures: &Figures, bare: Option<&Figures>, resident: f64) {
    let ratio = bare.map_or_else(String::new, |bare| format!("{:.2}", figures.rate / bare.rate));
    println!(
        "{connections:>4}  {name:<34} {:>9.0}  {:>9.0} {:>9.0}  {ratio:>6}  {resident:>6.0}",
        figures.rate, figures.p50, figures.p99
    );
    if figures.failed > 0 {
        println!("      {} answers were not 2xx", figures.failed);
    }
}

/// A push event of about 1 KiB.
fn event_body() -> String {
    let filler: String = (0..12)
        .map(|index| format!("\"field_{index}\":\"value of the field number {index} with some text\","))
        .collect();
    format!(
        "{{\"ref\":\"refs/heads/main\",\"size\":3,\"repository\":{{\"full_name\":\"octo/fish\",\"stargazers_count\":42}},{filler}\"forced\":false}}"
    )
}

/// Signs the body as the provider would, with the binary's own `send` to a server that shows what it got.
fn signature(binary: &Path, body: &Path) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let mut send = Command::new(binary)
        .args(["send", "--scheme", "github", "--secret", SECRET, "--event", "push", "--url", &url])
        .arg(body)
        .stdout(Stdio::null())
        .spawn()?;
    let (mut stream, _) = listener.accept()?;
    let mut signature = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("x-hub-signature-256")
        {
            signature = Some(value.trim().to_owned());
        }
    }
    let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    drop(stream);
    let _ = send.wait();
    signature.context("`anglerfish send` sent no signature")
}

fn start_bare(release: &Path) -> Result<(Server, String)> {
    let server =
        Command::new(release.join("examples/bare")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn()?;
    announced(Server(server))
}

/// The URL that a server prints first.
fn announced(mut server: Server) -> Result<(Server, String)> {
    let stdout = server.0.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((server, line.trim().to_owned()))
}

fn start_gateway(binary: &Path, work: &Path, data: &Path, sink: Option<&str>) -> Result<(Server, String)> {
    let (ingress, admin) = (free_port()?, free_port()?);
    let mut configuration = format!(
        "[server]\nlisten = \"127.0.0.1:{ingress}\"\ndata_dir = \"{}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n[[source]]\nname = \"hub\"\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n",
        data.display()
    );
    for index in 0..10 {
        let wanted = if index == 7 && sink.is_some() { 3 } else { 1000 + index };
        configuration.push_str(&format!(
            "[[subscription]]\nid = \"s{index}\"\nsources = [\"hub\"]\nfilter = 'event.type == \"push\" && message.size == {wanted}'\n[subscription.endpoint]\nurl = \"{}\"\nallow_private = true\n",
            sink.unwrap_or("http://127.0.0.1:9/")
        ));
    }
    let path: PathBuf = work.join(format!("gateway-{ingress}.toml"));
    fs::write(&path, configuration)?;
    let log = File::create(work.join(format!("gateway-{ingress}.log")))?;
    let mut server = Server(
        Command::new(binary)
            .arg("serve")
            .arg("--config")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?,
    );
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(status) = server.0.try_wait()? {
            bail!("the gateway ended: {status}");
        }
        if is_ready(admin).unwrap_or(false) {
            return Ok((server, format!("http://127.0.0.1:{ingress}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the gateway did not become ready");
}

fn is_ready(admin: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin))?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.starts_with("HTTP/1.1 200 "))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn load(url: &str, connections: usize, seconds: u64, body: &Path, signature: &str) -> Result<Figures> {
    let output = Command::new("wrk")
        .args(["--threads", if connections == 1 { "1" } else { "2" }])
        .args([
            "--connections",
            &connections.to_string(),
            "--duration",
            &format!("{seconds}s"),
            "--latency",
            "--script",
        ])
        .arg(command::root().join("tests/load/github.lua"))
        .arg(url)
        .arg("--")
        .arg(body)
        .arg(signature)
        .output()
        .context("failed to run wrk")?;
    let text = String::from_utf8(output.stdout)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .with_context(|| format!("wrk said: {text}"))?;
    let mut numbers = line.split(' ').map(str::parse::<f64>);
    let mut next = || numbers.next().context("a number is missing")?.context("not a number");
    Ok(Figures { rate: next()?, p50: next()?, p99: next()?, failed: next()? as u64 })
}

/// The median time of one fsync, in seconds.
fn fsync(work: &Path) -> Result<f64> {
    let mut file = File::create(work.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort();
    Ok(times.get(100).copied().unwrap_or_default().as_secs_f64())
}
