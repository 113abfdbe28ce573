//! A conversation over webhooks that reads like a straight program: orders come in for a region, for each a partner is asked to
//! fulfil it and given an address of its own, and one that answers in time is granted.
//!
//! `cargo run -p anglerfish --example delivery_app` lets three orders come: to a partner who answers, to one who does not, and to one who
//! answers late.

use anglerfish::{Anglerfish, CallbackError};
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// How long a partner has.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of an order.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The partner of this name has it.
    Granted(String, String),
    /// Nobody answered in time.
    Open(String),
}

/// Whoever is asked to fulfil an order, and answers at the address that they are given or not.
pub trait Partner {
    /// Asks them.
    fn ask(&self, order: &str, answer_to: &str);
}

/// Takes so many orders, one after the other.
///
/// # Errors
///
/// The callbacks cannot be held.
pub async fn take_orders(
    gateway: &Anglerfish,
    partner: &dyn Partner,
    count: usize,
) -> Result<Vec<Outcome>, CallbackError> {
    // The same address after every restart; what came meanwhile is there.
    let mut orders = gateway.callback("orders/eu").await?;
    println!("orders: {}", orders.url());
    let mut outcomes = Vec::new();
    while outcomes.len() < count
        && let Some(order) = orders.next().await?
    {
        let id = String::from_utf8_lossy(&order.data).into_owned();
        let mut fulfilment = gateway.callback(format!("fulfilment/{id}")).once().await?;
        partner.ask(&id, fulfilment.url());
        outcomes.push(match timeout(PATIENCE, fulfilment.next()).await {
            Ok(answer) => match answer? {
                Some(answer) => Outcome::Granted(id, String::from_utf8_lossy(&answer.data).into_owned()),
                None => Outcome::Open(id),
            },
            Err(_) => {
                // From now on an answer is refused: whoever gives it learns that it came too late. One that came just before
                // that counts.
                fulfilment.close().await?;
                match fulfilment.next().await? {
                    Some(answer) => Outcome::Granted(id, String::from_utf8_lossy(&answer.data).into_owned()),
                    None => Outcome::Open(id),
                }
            }
        });
    }
    orders.ack().await?;
    Ok(outcomes)
}

/// Sends a text to an address; the status that it is answered with.
async fn post(url: &str, text: &str) -> Result<u16, Box<dyn Error + Send + Sync>> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (address, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or("not an address")?;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let length = text.len();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split(' ').nth(1).ok_or("no status")?.parse()?)
}

/// Three partners in one: who answers depends on the order.
struct Partners {
    late: tokio::sync::mpsc::UnboundedSender<u16>,
}

impl Partner for Partners {
    fn ask(&self, order: &str, answer_to: &str) {
        let (order, url, late) = (order.to_owned(), answer_to.to_owned(), self.late.clone());
        tokio::spawn(async move {
            match order.as_str() {
                "silent" => {}
                "late" => {
                    tokio::time::sleep(PATIENCE * 2).await;
                    if let Ok(status) = post(&url, "courier").await {
                        let _ = late.send(status);
                    }
                }
                _ => drop(post(&url, "courier").await),
            }
        });
    }
}

/// The story, in a directory of its own. Returns what became of the orders, and what the late partner was answered.
///
/// # Errors
///
/// The gateway cannot be started, or its callbacks cannot be held.
pub async fn run(
    directory: &std::path::Path,
) -> Result<(Vec<Outcome>, Option<u16>), Box<dyn Error + Send + Sync>> {
    let gateway =
        Anglerfish::builder().data_dir(directory).listen(([127, 0, 0, 1], 0).into()).build().await?.start();
    let orders = gateway.callback("orders/eu").await?;
    for order in ["prompt", "silent", "late"] {
        post(orders.url(), order).await?;
    }
    let (sender, mut late) = tokio::sync::mpsc::unbounded_channel();
    let outcomes = take_orders(&gateway, &Partners { late: sender }, 3).await?;
    let late = timeout(PATIENCE * 4, late.recv()).await.ok().flatten();
    gateway.shutdown().await;
    Ok((outcomes, late))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = std::env::temp_dir().join(format!("anglerfish-delivery-app-{}", std::process::id()));
    let (outcomes, late) = run(&directory).await?;
    for outcome in outcomes {
        println!("{outcome:?}");
    }
    println!("the late partner was answered {late:?}");
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_partner_has_it_and_who_is_silent_or_late_has_not() {
        let directory = tempfile::tempdir().unwrap();
        let (outcomes, late) = run(directory.path()).await.unwrap();
        let granted = Outcome::Granted("prompt".to_owned(), "courier".to_owned());
        assert_eq!(outcomes, [granted, Outcome::Open("silent".into()), Outcome::Open("late".into())]);
        assert_eq!(late, Some(410));
    }
}
