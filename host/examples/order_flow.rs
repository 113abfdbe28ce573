//! A flow that survives: an order is reserved, and waits for a person to approve it at an address of its own. The process is ended in the
//! middle; the next one goes on where it was.
//!
//! `cargo run -p anglerfish --example order_flow` is both of them.

use anglerfish::{Anglerfish, CallbackError, Flow, FlowContext, FlowError, FlowOutcome};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

/// Why an order came to nothing.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error(transparent)]
    Callback(#[from] CallbackError),
    #[error("nobody approved it")]
    NotApproved,
}

/// Reserves what is ordered once, whatever happens, and waits for somebody's word.
async fn order(mut cx: FlowContext, what: String) -> Result<String, OrderError> {
    let reserved = what.clone();
    let number: u32 = cx
        .step("reserve", || async move {
            println!("reserving {reserved}");
            Ok::<_, std::convert::Infallible>(17)
        })
        .await?;
    let approval = cx.callback("approval").await?;
    println!("to be approved at {}", approval.url().unwrap_or_default());
    match cx.timeout(Duration::from_secs(3600), &approval).await {
        Some(FlowOutcome::Received(word)) => {
            Ok(format!("{what} no. {number}, {}", String::from_utf8_lossy(&word.data)))
        }
        _ => Err(OrderError::NotApproved),
    }
}

/// A gateway in this directory that knows the flow.
async fn start(directory: &Path) -> Result<(Anglerfish, Flow<String, String>), Failure> {
    let listen = ([127, 0, 0, 1], 0).into();
    let gateway = Anglerfish::builder().data_dir(directory).listen(listen).build().await?.start();
    let orders = gateway.flow("order", order).await?;
    Ok((gateway, orders))
}

/// The story: started by one gateway that ends in the middle, approved and ended under another. Returns its result.
///
/// # Errors
///
/// The gateway cannot be started, or the flow ends without a result.
async fn run(directory: &Path) -> Result<String, Failure> {
    let (gateway, orders) = start(directory).await?;
    orders.start("order-17", &"one fish".to_owned()).await?;
    // As much as it does before it waits.
    while gateway.flows().journal(&gateway.flows().get("order", "order-17").await?).await?.len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("the first process ends");
    gateway.shutdown().await;

    let (gateway, orders) = start(directory).await?;
    println!("the second process goes on");
    let callback = gateway.callbacks().list(None, 1).await?.pop().ok_or("no callback")?;
    let approved = gateway.callbacks().url(&callback);
    tokio::task::spawn_blocking(move || approve(&approved)).await??;
    let result = orders.get("order-17").await?.result().await?;
    gateway.shutdown().await;
    Ok(result)
}

/// Somebody approves.
fn approve(url: &str) -> Result<(), Failure> {
    use std::io::Read;
    let (address, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or("not an address")?;
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 8\r\nconnection: close\r\n\r\napproved"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 202") { Ok(()) } else { Err(answer.into()) }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = std::env::temp_dir().join(format!("anglerfish-order-flow-{}", std::process::id()));
    println!("{}", run(&directory).await?);
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_order_is_reserved_once_and_approved_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run(directory.path()).await.unwrap(), "one fish no. 17, approved");
    }
}
