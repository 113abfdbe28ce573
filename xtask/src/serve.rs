//! `cargo xtask serve`: the quick start.

use crate::{command, target};
use anyhow::{Context, Result, bail};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

/// Where the quick start's configuration listens and delivers.
const INGRESS: &str = "http://127.0.0.1:8080";
const SINK: &str = "127.0.0.1:9000";

pub(crate) fn run() -> Result<ExitCode> {
    target::install()?;
    eprintln!("building in release mode; the first time takes about twelve minutes on two cores");
    command::run(command::cargo().args(["build", "--release", "--package", "anglerfish"]))?;
    let binary = command::target_directory().join("release/anglerfish");
    let mut sink = Command::new(&binary)
        .current_dir(command::root())
        .args(["sink", "--listen", SINK])
        .spawn()
        .context("failed to start the receiver")?;
    let gateway = Command::new(&binary)
        .current_dir(command::root())
        .args(["serve", "--config", "examples/quickstart/anglerfish.toml"])
        .spawn()
        .context("failed to start the gateway");
    let mut gateway = match gateway {
        Ok(gateway) => gateway,
        Err(error) => {
            end(&mut sink);
            return Err(error);
        }
    };
    let outcome = wait_until_ready(&binary, &mut gateway, &mut sink).and_then(|()| {
        println!("{}", instructions(&binary.display().to_string()));
        // Ctrl-C reaches all processes of the terminal: the gateway ends by itself, and then so does this.
        gateway.wait().context("failed to wait for the gateway")
    });
    end(&mut sink);
    end(&mut gateway);
    Ok(if outcome?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wait_until_ready(binary: &std::path::Path, gateway: &mut Child, sink: &mut Child) -> Result<()> {
    for _ in 0..300 {
        if let Some(status) = gateway.try_wait()? {
            bail!("the gateway ended: {status}");
        }
        if let Some(status) = sink.try_wait()? {
            bail!("the receiver ended: {status}");
        }
        let ready = Command::new(binary).args(["events", "list", "--limit", "1"]).output()?;
        if ready.status.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the gateway did not become ready");
}

fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn instructions(binary: &str) -> String {
    let binary = std::path::Path::new(binary)
        .strip_prefix(command::root())
        .map_or_else(|_| binary.to_owned(), |path| path.display().to_string());
    format!(
        "
The gateway listens on {INGRESS}, the receiver on http://{SINK}.
Paste these lines into another terminal, in this directory:

  # send an order as the shop would, signed with its secret
  {binary} send --scheme standard-webhooks \\
    --secret whsec_cXVpY2tzdGFydC1zZWNyZXQtb2YtdGhlLXNob3A= \\
    --url {INGRESS}/in/shop examples/quickstart/order.json

  # see where it went
  {binary} events list
  {binary} deliveries list

Ctrl-C ends both.
"
    )
}
