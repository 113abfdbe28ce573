//! What matching one event costs inside WebAssembly, by the number of rules. `cargo bench -p anglerfish-filter` has the same natively.
//!
//! The module is `guest/bench`, built here as the component is built. It loops by itself, so that the way into the sandbox is not
//! measured with it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on had better stop")]

#[path = "../../guest/filter/benches/matching/github.rs"]
mod github;
#[path = "../../guest/filter/benches/worst/pairs.rs"]
mod pairs;
#[path = "../../guest/filter/benches/matching/workload.rs"]
mod workload;

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use pairs::pairs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, TypedFunc};
use workload::{COUNTS, NAMES, Sample, Workload, workload};

/// A table of filters in a sandbox.
struct Sandbox {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    run: TypedFunc<u32, u64>,
}

impl Sandbox {
    fn new(module: &Module) -> Self {
        let mut store = Store::new(module.engine(), ());
        store.set_epoch_deadline(u64::MAX);
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let run = instance.get_typed_func(&mut store, "run").unwrap();
        Self { store, instance, memory, run }
    }

    /// Puts a text into the buffer.
    fn put(&mut self, text: &[u8]) {
        let reserve = self.instance.get_typed_func::<u32, u32>(&mut self.store, "reserve").unwrap();
        let address = reserve.call(&mut self.store, u32::try_from(text.len()).unwrap()).unwrap();
        self.memory.write(&mut self.store, address as usize, text).unwrap();
    }

    /// Loads rules and events; how long the rules took.
    fn load(&mut self, rules: &[String], events: &[Sample]) -> Duration {
        self.put(rules.join("\n").as_bytes());
        let add = self.instance.get_typed_func::<(), u32>(&mut self.store, "add_rules").unwrap();
        let started = Instant::now();
        let added = add.call(&mut self.store, ()).unwrap();
        let took = started.elapsed();
        assert_eq!(added as usize, rules.len());
        let add = self.instance.get_typed_func::<u32, ()>(&mut self.store, "add_event").unwrap();
        for event in events {
            self.put([event.kind.as_bytes(), event.body.as_bytes()].concat().as_slice());
            add.call(&mut self.store, u32::try_from(event.kind.len()).unwrap()).unwrap();
        }
        took
    }

    fn run(&mut self, times: u64) -> u64 {
        self.run.call(&mut self.store, u32::try_from(times).unwrap()).unwrap()
    }

    /// Removes a rule and adds one, so often.
    fn replace(&mut self, rule: &str, times: u64) {
        self.put(rule.as_bytes());
        let replace = self.instance.get_typed_func::<(u32, u32), u32>(&mut self.store, "replace").unwrap();
        assert_eq!(replace.call(&mut self.store, (500, u32::try_from(times).unwrap())).unwrap(), 1);
    }

    fn size(&mut self) -> u32 {
        self.instance.get_typed_func(&mut self.store, "size").unwrap().call(&mut self.store, ()).unwrap()
    }
}

/// Builds the module as `host/build.rs` builds the component: same profile, same flags.
fn module() -> Module {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("component");
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "--package", "anglerfish-bench", "--profile", "guest"])
        .args(["--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success(), "the module does not build");
    let file = target.join("wasm32-unknown-unknown/guest/anglerfish_bench.wasm");
    // The gateway runs its component so, and that costs a little.
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    Module::from_file(&engine, file).unwrap()
}

fn measure(criterion: &mut Criterion, module: &Module, workload: &Workload) {
    let count = workload.rules.len();
    let mut sandbox = Sandbox::new(module);
    let loaded = sandbox.load(&workload.rules, &workload.events);
    let (size, memory) = (sandbox.size() as usize, sandbox.memory.data_size(&sandbox.store));
    println!(
        "{}/{count}: loaded in {loaded:.1?}, {} bytes a rule, {:.1} MiB of memory with the expressions' text",
        workload.name,
        size / count,
        memory as f64 / f64::from(1 << 20),
    );
    let matched = sandbox.run(workload.events.len() as u64);
    assert_eq!(matched, workload.matches as u64, "{} with {count} rules", workload.name);
    let mut group = criterion.benchmark_group(format!("wasm/{}", workload.name));
    group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
        bencher.iter_custom(|times| {
            let started = Instant::now();
            sandbox.run(times);
            started.elapsed()
        });
    });
    group.finish();
}

fn matching(criterion: &mut Criterion) {
    let module = module();
    for name in NAMES {
        for count in COUNTS {
            measure(criterion, &module, &workload(name, count));
        }
    }
}

/// How many rules all events together make true.
fn natively(workload: &Workload) -> usize {
    let mut table = Table::without_index();
    for (key, rule) in (0..).map(RuleKey).zip(&workload.rules) {
        table.insert(key, &Expression::compile(rule).unwrap(), None);
    }
    let mut matches = Matches::default();
    let mut matched = 0;
    for event in &workload.events {
        let input = EventInput {
            id: "1",
            source: "shop",
            kind: &event.kind,
            time: 1,
            now: 1,
            ..EventInput::default()
        };
        table.evaluate(&input, Some(event.body.as_bytes()), &mut matches);
        matched += matches.matched.len();
    }
    matched
}

/// Events as they are, some ten kilobytes each.
fn real(criterion: &mut Criterion) {
    match github::github(1000) {
        Some(workload) => {
            measure(criterion, &module(), &Workload { matches: natively(&workload), ..workload })
        }
        None => println!("GitHub's examples are not there: `cargo xtask test` installs them"),
    }
}

/// What filters and events can do to each other at the most. A decision has a deadline, a second by default.
fn worst(criterion: &mut Criterion) {
    let module = module();
    let mut group = criterion.benchmark_group("wasm/worst");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for worst in pairs() {
        let mut sandbox = Sandbox::new(&module);
        let event = Sample { kind: "sale".to_owned(), body: worst.body };
        let loaded = sandbox.load(&worst.rules, &[event]);
        let memory = sandbox.memory.data_size(&sandbox.store) >> 20;
        println!("{}: loaded in {loaded:.1?}, {} match, {memory} MiB of memory", worst.name, sandbox.run(1));
        group.bench_function(worst.name, |bencher| {
            bencher.iter_custom(|times| {
                let started = Instant::now();
                sandbox.run(times);
                started.elapsed()
            });
        });
    }
    group.finish();
}

/// Adding and removing one rule of many.
fn change(criterion: &mut Criterion) {
    let workload = workload("five_clauses", 100_000);
    let mut sandbox = Sandbox::new(&module());
    sandbox.load(&workload.rules, &workload.events);
    let rule = workload.rules.get(500).unwrap_or_else(|| panic!("there are as many as asked for"));
    criterion.bench_function("wasm/remove_and_insert", |bencher| {
        bencher.iter_custom(|times| {
            let started = Instant::now();
            sandbox.replace(rule, times);
            started.elapsed()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = matching, real, worst, change
}
criterion_main!(benches);
