//! Matching one event of 1 KiB against filters `message.type == "Ti" && message.quantity > k`, beside other engines.
//!
//! Each engine runs in a process of its own for each number of filters, so that what one leaves in memory, a panic and a load
//! without end concern no other. All of them begin with the event's JSON text, once with the two fields near its start and once
//! at its end, because an engine may stop reading when it has what it looks for.

mod engine;
#[allow(dead_code, reason = "only one of the workloads is for peers")]
#[path = "../../benches/matching/workload.rs"]
mod workload;

use engine::{Engine, Run};
use std::error::Error;
use std::hint::black_box;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use workload::{COUNTS, Workload, workload};

/// How long an engine may take to load and to be measured.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [name, count] = arguments.as_slice() {
        let engine = Engine::ALL.into_iter().find(|engine| engine.name() == *name).ok_or("unknown engine")?;
        println!("{}", measure(engine, &workload("one_match", count.parse()?))?);
        return Ok(());
    }
    println!(
        "| engine | filters | fields first | fields last | load | memory |\n|---|---:|---:|---:|---:|---:|"
    );
    for engine in Engine::ALL {
        for count in COUNTS {
            println!("| {} | {count} | {} |", engine.name(), apart(engine, count)?);
        }
    }
    Ok(())
}

/// Runs one measurement in a process of its own.
fn apart(engine: Engine, count: usize) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([engine.name(), &count.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(format!("stopped after {PATIENCE:?} | | | "));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (mut out, mut talk) = (String::new(), String::new());
    child.stdout.take().ok_or("no output")?.read_to_string(&mut out)?;
    child.stderr.take().ok_or("no output")?.read_to_string(&mut talk)?;
    if child.wait()?.success() {
        return Ok(out.trim().to_owned());
    }
    let reason = talk.lines().find(|line| !line.is_empty() && !line.contains(" panicked at "));
    Ok(format!("fails: {} | | | ", reason.unwrap_or("no word why")))
}

/// The median times for one event, how long the filters took to load and the memory they take.
fn measure(engine: Engine, workload: &Workload) -> Result<String, Box<dyn Error>> {
    let before = resident()?;
    let started = Instant::now();
    let mut run = engine.load(workload)?;
    let loaded = started.elapsed();
    let memory = (resident()? - before) as f64 / f64::from(1 << 20);
    let event = workload.events.first().ok_or("there is no event")?;
    let kind = format!("T{}", workload.rules.len() / 2);
    let first = event.body.replacen("\"quantity\"", &format!("\"{}\"", engine.quantity()), 1);
    let parts = [format!("\"type\":\"{}\",", kind), format!("\"{}\":7,", engine.quantity())];
    let rest = parts.iter().fold(first.clone(), |body, part| body.replacen(part, "", 1));
    let last =
        format!("{},{}", rest.trim_end_matches('}'), parts.concat()).trim_end_matches(',').to_owned() + "}";
    let first = median(&mut run, &first, workload.matches)?;
    let last = median(&mut run, &last, workload.matches)?;
    Ok(format!("{first:.2?} | {last:.2?} | {loaded:.1?} | {memory:.0} MiB"))
}

fn median(run: &mut Run, event: &str, matches: usize) -> Result<Duration, Box<dyn Error>> {
    let matched = run(event);
    if matched != matches {
        return Err(format!("{matched} filters match, {matches} should").into());
    }
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 10_000 && (times.len() < 20 || started.elapsed() < Duration::from_secs(1)) {
        let started = Instant::now();
        black_box(run(black_box(event)));
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(*times.get(times.len() / 2).ok_or("nothing was measured")?)
}

/// The memory that this process has, in bytes.
fn resident() -> Result<i64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<i64>()? * 1024)
}
