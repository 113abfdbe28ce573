//! What is asked for, and the configuration that is put under load.

use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    pub(crate) rate: u32,
}

impl Plan {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, String> {
        let mut plan =
            Self { length: Duration::from_secs(30 * 60), seed: fastrand::u64(..1 << 32), rate: 100 };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number: u64 = value.parse().map_err(|_| format!("{name} needs a number, not {value:?}"))?;
            match name.as_str() {
                "--minutes" => plan.length = Duration::from_secs(number * 60),
                "--seconds" => plan.length = Duration::from_secs(number),
                "--seed" => plan.seed = number,
                "--rate" => plan.rate = u32::try_from(number).map_err(|_| "the rate is too high")?.max(1),
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(plan)
    }
}

/// The secret of all sources.
pub(crate) const SECRET: &str = "secret of the soak";

/// How many sources there are: `s0`, `s1`, …
pub(crate) const SOURCES: usize = 3;

/// A subscription: its receiver's kind is its id.
pub(crate) struct Subscriber {
    pub(crate) id: &'static str,
    /// The filter, and the same as a function of an event's number.
    pub(crate) filter: &'static str,
    pub(crate) wants: fn(u64) -> bool,
    pub(crate) delivery: &'static str,
}

pub(crate) const SUBSCRIBERS: [Subscriber; 5] = [
    Subscriber { id: "fine", filter: "true", wants: |_| true, delivery: "concurrency = 20" },
    Subscriber {
        id: "flaky",
        filter: "message.n % 2 == 0",
        wants: |number| number.is_multiple_of(2),
        delivery: "concurrency = 10",
    },
    // A quarter of its attempts take two seconds: with fewer places it would fall behind for as long as it is sent to.
    Subscriber {
        id: "hanging",
        filter: "message.n % 10 == 0",
        wants: |number| number.is_multiple_of(10),
        delivery: "concurrency = 20",
    },
    Subscriber {
        id: "slow",
        filter: "source == \"s1\"",
        wants: |number| number % SOURCES as u64 == 1,
        delivery: "concurrency = 10",
    },
    Subscriber {
        id: "costly",
        filter: "message.list.all(a, message.list.exists(b, a <= b)) && message.n % 5 == 0",
        wants: |number| number.is_multiple_of(5),
        delivery: "concurrency = 10",
    },
];

/// The tables of the configuration; `extra` is a subscription that comes and goes.
pub(crate) fn tables(ports: &[u16], extra: bool) -> String {
    let mut text = "[store]\nretention = \"10m\"\n[log]\nfilter = \"info\"\n".to_owned();
    for source in 0..SOURCES {
        text.push_str(&format!(
            "[[source]]\nname = \"s{source}\"\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n"
        ));
    }
    for (subscriber, port) in SUBSCRIBERS.iter().zip(ports) {
        let Subscriber { id, filter, delivery, .. } = subscriber;
        let delays = ["\"200ms\"", "\"500ms\""].into_iter().chain(std::iter::repeat_n("\"5s\"", 98));
        let delays = delays.collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "[[subscription]]\nid = \"{id}\"\nfilter = '{filter}'\n[subscription.endpoint]\n\
             url = \"http://127.0.0.1:{port}/{id}\"\nallow_private = true\n[subscription.delivery]\n\
             timeout = \"2s\"\n{delivery}\nretry = {{ delays = [{delays}], jitter = 0.3 }}\n"
        ));
    }
    if extra {
        text.push_str(
            "[[subscription]]\nid = \"passing\"\n[subscription.endpoint]\nurl = \"http://127.0.0.1:1029/\"\n\
             allow_private = true\n",
        );
    }
    text
}
