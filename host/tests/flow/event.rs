//! Flows that events start.

use super::{Failure, find_compiled, many};
use anglerfish::{
    Anglerfish, Config, Environment, FlowContext, FlowError, NewEvent, StoredFlow, Subscription,
    event_flow_id,
};
use anglerfish_tests::{Request, send};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The event, as the code takes it.
#[derive(Deserialize)]
struct Placed {
    id: String,
    data: Order,
}

#[derive(Deserialize)]
struct Order {
    number: usize,
}

/// A gateway of a configuration that has each order start a flow.
async fn start(directory: &Path) -> Anglerfish {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"{}\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[subscription]]\nid = \"orders\"\n\
         flow = \"placed\"\nfilter = \"event.type == 'order.placed'\"\n\n[subscription.delivery]\nretry = {{ delays = [] }}\ntimeout = \"100ms\"\n",
        directory.display()
    );
    let config = Config::parse("test.toml", &text, directory, &Environment::default()).unwrap();
    Anglerfish::with_config(config).build().await.unwrap().start()
}

async fn publish(gateway: &Anglerfish, id: &str, number: usize) {
    let event = NewEvent::new("/shop", "order.placed").id(id).json(&json!({"number": number})).unwrap();
    gateway.publish(event).await.unwrap();
}

/// What the management API says.
async fn ask(gateway: &Anglerfish, method: &'static str, path: String) -> Value {
    let address = gateway.admin_address().unwrap();
    let request =
        Request { method: method.into(), path, headers: Vec::new(), body: Vec::new(), chunked: false };
    tokio::task::spawn_blocking(move || send(address, &request).unwrap().json()).await.unwrap()
}

/// The deliveries, once none is open.
async fn settled(gateway: &Anglerfish) -> Vec<Value> {
    loop {
        let listed = ask(gateway, "GET", "/v1/deliveries?subscription=orders&limit=500".to_owned()).await;
        let items = listed["items"].as_array().unwrap();
        if items.iter().all(|delivery| delivery["status"] != "pending") {
            return items.clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The flows that have ended, once none runs and there are so many.
async fn ended(gateway: &Anglerfish, count: usize) -> Vec<StoredFlow> {
    let flows = gateway.flows();
    loop {
        let ended = flows.list(true, "placed", "", 500).await.unwrap();
        if ended.len() >= count && flows.list(false, "", "", 1).await.unwrap().is_empty() {
            return ended;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The program that is killed: publishes what it has published already or has not, knows the flow after that, and ends when all is
/// done.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the program that another test starts and kills"]
async fn program() {
    let Ok(directory) = std::env::var("FLOW_DIR").map(PathBuf::from) else { return };
    let count: usize = std::env::var("FLOW_COUNT").unwrap().parse().unwrap();
    let gateway = start(&directory).await;
    for number in 0..count {
        publish(&gateway, &format!("e{number}"), number).await;
    }
    let noted = directory.join("noted");
    let code = move |mut cx: FlowContext, placed: Placed| {
        let noted = noted.clone();
        async move {
            let line = placed.id.clone();
            cx.step("note", || async move {
                let mut file = std::fs::File::options().append(true).create(true).open(noted)?;
                writeln!(file, "{line}")
            })
            .await?;
            Ok::<_, Failure>(format!("{} {}", placed.id, placed.data.number))
        }
    };
    gateway.flow("placed", code).await.unwrap();
    let deliveries = settled(&gateway).await;
    let ended = ended(&gateway, count).await;
    let results: BTreeMap<_, _> =
        ended.iter().map(|flow| (flow.id.clone(), flow.end.as_ref().unwrap().result.clone())).collect();
    let report = json!({"deliveries": deliveries, "ended": results});
    std::fs::write(directory.join("report.json"), serde_json::to_vec(&report).unwrap()).unwrap();
    gateway.shutdown().await;
}

/// Events that start flows while the process is killed around what is written of that.
#[test]
fn an_event_starts_one_flow_wherever_the_process_is_killed() {
    let count = many("ANGLERFISH_TEST_EVENT_FLOWS", 8);
    let directory = TempDir::new().unwrap();
    let faults = directory.path().join("faults");
    std::fs::create_dir_all(&faults).unwrap();
    // What was begun by the program before comes again by its delivery, or goes on by its journal.
    let points = [
        "flow-before-start",
        "flow-after-start",
        "flow-before-entry",
        "flow-after-start",
        "flow-after-entry",
        "flow-after-end",
    ];
    let mut kills = points.iter().zip([1, 2, 1, 3, 2, 1]);
    let mut killed = 0;
    loop {
        for file in std::fs::read_dir(&faults).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let kill = kills.next();
        if let Some((point, number)) = kill {
            std::fs::write(faults.join(format!("{point}.kill")), number.to_string()).unwrap();
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "event::program", "--ignored", "--nocapture"])
            .env("FLOW_DIR", directory.path())
            .env("FLOW_COUNT", count.to_string())
            .env("ANGLERFISH_TEST_FAULTS", &faults)
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        killed += 1;
        assert!(kill.is_some(), "it does not end: {}", String::from_utf8_lossy(&output.stderr));
    }
    // What is written together leaves little for the last ones.
    assert!(killed >= 3, "only {killed} of the kills came");
    let report: Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("report.json")).unwrap()).unwrap();
    let deliveries = report["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), count);
    assert!(deliveries.iter().all(|delivery| delivery["status"] == "delivered"), "{deliveries:?}");
    let expected: serde_json::Map<String, Value> = (0..count)
        .map(|number| (event_flow_id("/shop", &format!("e{number}")), format!("e{number} {number}").into()))
        .collect();
    assert_eq!(report["ended"], Value::Object(expected));
    let noted = std::fs::read_to_string(directory.path().join("noted")).unwrap();
    for number in 0..count {
        let times = noted.lines().filter(|line| *line == format!("e{number}")).count();
        assert!((1..=killed + 1).contains(&times), "e{number} was noted {times} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_for_a_flow_that_is_not_known_yet_and_one_that_comes_again_starts_none() {
    let directory = TempDir::new().unwrap();
    find_compiled(directory.path()).await;
    let gateway = start(directory.path()).await;
    publish(&gateway, "e1", 1).await;
    // Its only attempt is not used up, however often it is tried in vain.
    let path = "/v1/subscriptions/orders".to_owned();
    loop {
        let shown = ask(&gateway, "GET", path.clone()).await;
        if shown.to_string().contains("\"local\"") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let code = |mut cx: FlowContext, placed: Placed| async move {
        let number = placed.data.number;
        cx.step("same", || async move { Ok::<_, Infallible>(number) }).await
    };
    let placed = gateway.flow("placed", code).await.unwrap();
    let delivery = settled(&gateway).await.remove(0);
    let shown = ask(&gateway, "GET", format!("/v1/deliveries/{}", delivery["id"])).await;
    let flow = event_flow_id("/shop", "e1");
    assert_eq!(
        (&shown["delivery"]["status"], shown["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 1)
    );
    assert_eq!(shown["attempts"][0]["answer"], format!("started flow placed/{flow}"), "{shown}");
    assert_eq!(placed.get(&flow).await.unwrap().result().await.unwrap(), 1);
    // What is delivered again finds the flow of its event.
    let event = delivery["event"]["id"].as_str().unwrap();
    ask(&gateway, "POST", format!("/v1/events/{event}/replay")).await;
    let deliveries = loop {
        let deliveries = settled(&gateway).await;
        if deliveries.len() == 2 {
            break deliveries;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let shown = ask(&gateway, "GET", format!("/v1/deliveries/{}", deliveries[0]["id"])).await;
    assert_eq!(shown["delivery"]["status"], "delivered");
    assert_eq!(shown["attempts"][0]["error"], format!("flow placed/{flow} is there already"), "{shown}");
    assert_eq!(ended(&gateway, 1).await.len(), 1);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_says_in_code_what_starts_a_flow_and_what_it_starts_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    find_compiled(directory.path()).await;
    for round in 0..2 {
        let gateway = Anglerfish::builder()
            .data_dir(directory.path())
            .subscription(Subscription::to_flow("orders", "placed").filter("event.type == 'order.placed'"))
            .build()
            .await
            .unwrap()
            .start();
        let code = |_: FlowContext, placed: Value| async move { Ok::<_, FlowError>(placed) };
        let placed = gateway.flow("placed", code).await.unwrap();
        let id = format!("order/{round}");
        publish(&gateway, &id, round).await;
        let flow = event_flow_id("/shop", &id);
        let run = loop {
            match placed.get(&flow).await {
                Ok(run) => break run,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let event = run.result().await.unwrap();
        assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("/shop")));
        assert_eq!((&event["id"], &event["data"]), (&json!(id), &json!({"number": round})));
        assert_eq!(gateway.flows().list(true, "placed", "", 9).await.unwrap().len(), round + 1);
        gateway.shutdown().await;
    }
}
