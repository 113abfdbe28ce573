//! The whole run: start, look every half minute, end, and say what is wrong.

use crate::clock::Clock;
use crate::fault::Faults;
use crate::ledger::Ledger;
use crate::plan::{Plan, SUBSCRIBERS, tables};
use crate::reader::LogReader;
use crate::{load, receiver};
use anglerfish_tests::{Gateway, Setup, free_port};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// How often it is looked at.
const STEP: Duration = Duration::from_secs(15);

/// How long the backlog may take to drain at the end.
const DRAIN: Duration = Duration::from_secs(300);

/// What is seen of the process.
#[derive(Debug, Clone, Copy)]
struct Sight {
    memory: u64,
    descriptors: usize,
    threads: usize,
}

fn look(gateway: &Gateway) -> Sight {
    let process = format!("/proc/{}", gateway.process());
    let count = |folder: &str| std::fs::read_dir(format!("{process}/{folder}")).map_or(0, Iterator::count);
    Sight { memory: gateway.memory().unwrap_or(0), descriptors: count("fd"), threads: count("task") }
}

/// The sum of a metric over its labels.
fn metric(text: &str, name: &str) -> f64 {
    let values =
        text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// What is measured, how, and how much more of it is no growth.
type Measure = (&'static str, fn(&Sight) -> u64, u64);

/// Runs it; what is returned is wrong.
pub(crate) fn run(plan: &Plan) -> Vec<String> {
    let ports: Vec<u16> = SUBSCRIBERS.iter().map(|_| free_port()).collect();
    let clock = Clock::find();
    if clock.is_none() {
        println!("without clock faults: libfaketime is not installed");
    }
    let setup = Setup {
        server:
            "header_timeout = \"3s\"\nbody_timeout = \"10s\"\nmax_connections = 400\nbody_memory = \"16MiB\""
                .into(),
        rest: tables(&ports, false),
        environment: clock.as_ref().map(Clock::environment).unwrap_or_default(),
        ..Setup::default()
    };
    let mut gateway = Gateway::prepare(&setup);
    let stderr = gateway.spawn_piped();
    let log = LogReader::start(stderr, &gateway.directory().join("log"));
    let ingress = gateway.ingress();
    let gateway = RwLock::new(gateway);
    let ledger = Arc::new(Ledger::default());
    let mut faults = Faults {
        gateway: &gateway,
        setup,
        ledger: &ledger,
        log,
        ports: ports.clone(),
        receivers: Vec::new(),
        random: fastrand::Rng::with_seed(plan.seed),
        done: Vec::new(),
        clock: clock.as_ref().map(|clock| clock.file().to_owned()),
    };
    faults.receivers = (0..ports.len())
        .map(|index| receiver::start(ports[index], &faults.notes(index), SUBSCRIBERS[index].id))
        .collect();
    let senders = load::start(ingress, plan.rate, &ledger);
    let (begun, end) = (Instant::now(), Instant::now() + plan.length);
    let mut sights = Vec::new();
    std::thread::scope(|scope| {
        let injecting = scope.spawn(|| faults.run(end));
        while Instant::now() < end {
            std::thread::sleep(STEP.min(end.saturating_duration_since(Instant::now())));
            let (sight, (p50, p99)) = (look(&read(&gateway)), ledger.waits());
            println!(
                "{:>5} s  accepted {:>7}  503 {:>6}  failed {:>5}  p50 {p50:>6.1} ms  p99 {p99:>7.1} ms  \
                 memory {:>4} MiB  descriptors {:>4}  threads {:>3}",
                begun.elapsed().as_secs(),
                ledger.count(),
                ledger.refused.load(Ordering::SeqCst),
                ledger.failed.load(Ordering::SeqCst),
                sight.memory >> 20,
                sight.descriptors,
                sight.threads,
            );
            sights.push(sight);
        }
        injecting.join().expect("the faults broke down");
    });
    ledger.stop.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.join().expect("a sender broke down");
    }
    let mut kinds = faults.done.clone();
    kinds.sort_unstable();
    for kind in kinds.chunk_by(|one, other| one == other) {
        println!("{:>4} times {}", kind.len(), kind[0]);
    }
    let findings = judge(&read(&gateway), &faults, &ledger, &sights);
    for receiver in &mut faults.receivers {
        let _ = receiver.kill();
        let _ = receiver.wait();
    }
    findings
}

fn read(gateway: &RwLock<Gateway>) -> RwLockReadGuard<'_, Gateway> {
    gateway.read().expect("nobody panics with the gateway in hand")
}

fn judge(gateway: &Gateway, faults: &Faults<'_>, ledger: &Ledger, sights: &[Sight]) -> Vec<String> {
    let mut findings = ledger.take_odd();
    for (id, open) in drain(gateway) {
        findings.push(format!("{open} deliveries to {id} are open {DRAIN:?} after the last event"));
    }
    for (index, subscriber) in SUBSCRIBERS.iter().enumerate() {
        let (missing, again) = ledger.missing(&faults.notes(index), subscriber.wants);
        println!("{:>8}: {} missing, {again} sent again", subscriber.id, missing.len());
        if !missing.is_empty() {
            let some: Vec<_> = missing.iter().take(5).collect();
            findings.push(format!("{} events did not reach {}: {some:?}", missing.len(), subscriber.id));
        }
    }
    match gateway.try_api("GET", "/ready", None) {
        Ok(answer) if answer.status == 200 => {}
        answer => findings.push(format!("it is not ready at the end: {answer:?}")),
    }
    if let Ok(answer) = gateway.try_api("GET", "/metrics", None) {
        let text = answer.text();
        for name in ["anglerfish_panics_total", "anglerfish_part_restarts_total"] {
            let count = metric(&text, name);
            if count > 0.0 {
                findings.push(format!("{name} is {count}"));
            }
        }
        println!("log lines lost: {}", metric(&text, "anglerfish_log_lines_lost_total"));
    }
    // Those before it was killed counted for themselves.
    let log = std::fs::read(gateway.directory().join("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    findings.extend(
        log.lines().filter(|line| line.contains("panic")).take(5).map(|line| format!("the log: {line}")),
    );
    findings.extend(flat(sights));
    findings
}

/// Waits until nothing is open any more for those whose events are counted; what is open for the subscriptions that come
/// and go leads nowhere. Whoever is still behind at the end is returned with how much is open.
fn drain(gateway: &Gateway) -> Vec<(&'static str, u64)> {
    let end = Instant::now() + DRAIN;
    let open = |id: &'static str| {
        let path = format!("/v1/subscriptions/{id}");
        let answer = gateway.try_api("GET", &path, None).ok().filter(|answer| answer.status == 200);
        // Who is not answered waits on.
        (id, answer.and_then(|answer| answer.json()["open_deliveries"].as_u64()).unwrap_or(u64::MAX))
    };
    loop {
        let open: Vec<_> = SUBSCRIBERS.iter().map(|one| open(one.id)).filter(|(_, open)| *open > 0).collect();
        if open.is_empty() || Instant::now() > end {
            return open;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Whether memory, descriptors and threads are what they were: the last quarter of the run against the third. In both it is
/// the same process.
fn flat(sights: &[Sight]) -> Vec<String> {
    let quarter = sights.len() / 4;
    if quarter < 4 {
        println!("too short to say whether memory is flat");
        return Vec::new();
    }
    let median = |part: &[Sight], of: fn(&Sight) -> u64| {
        let mut values: Vec<u64> = part.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let (early, late) = (&sights[quarter * 2..quarter * 3], &sights[sights.len() - quarter..]);
    let measures: [Measure; 3] = [
        ("memory in MiB", |sight| sight.memory >> 20, 24),
        ("descriptors", |sight| sight.descriptors as u64, 100),
        ("threads", |sight| sight.threads as u64, 8),
    ];
    let mut findings = Vec::new();
    for (what, of, slack) in measures {
        let (before, after) = (median(early, of), median(late, of));
        println!("{what}: {before} in the third quarter, {after} in the last");
        if after > before + before / 5 + slack {
            findings.push(format!("{what} grew from {before} to {after}"));
        }
    }
    findings
}
