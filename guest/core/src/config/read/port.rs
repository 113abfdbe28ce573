//! Which ports endpoints may have.

use crate::node::Node;
use http::Uri;
use serde_json::Value;

/// Below this number only the two ports of HTTP are where webhooks are taken.
const FIRST_FREE: u16 = 1024;

/// Ports that the operator names.
const MOST: usize = 100;

/// Ports from [`FIRST_FREE`] on where something else listens as a rule, with what that is. Many of them take a line of a request
/// for a command, or let whoever reaches them do everything.
///
/// Those that browsers do not call are all among them, by the names that they have there (the Fetch standard, "port blocking");
/// the others are the default ports of what holds data, passes messages on, or governs machines. What often serves HTTP to
/// everybody, such as 3000, 5000, 8000, 8080, 8123, 8443 and 9000, is not.
const ODD: &[(u16, &str)] = &[
    (1433, "SQL Server"),
    (1434, "SQL Server"),
    (1521, "Oracle"),
    (1719, "H.323"),
    (1720, "H.323"),
    (1723, "PPTP"),
    (1883, "MQTT"),
    (2049, "NFS"),
    (2181, "ZooKeeper"),
    (2375, "Docker"),
    (2376, "Docker"),
    (2377, "Docker"),
    (2379, "etcd"),
    (2380, "etcd"),
    (2525, "SMTP"),
    (3268, "LDAP"),
    (3269, "LDAP"),
    (3306, "MySQL"),
    (3389, "remote desktops"),
    (3659, "Apple's SASL"),
    (3690, "Subversion"),
    (4045, "NFS"),
    (4190, "ManageSieve"),
    (4222, "NATS"),
    (4369, "Erlang"),
    (4646, "Nomad"),
    (5060, "SIP"),
    (5061, "SIP"),
    (5222, "XMPP"),
    (5269, "XMPP"),
    (5432, "PostgreSQL"),
    (5433, "PostgreSQL"),
    (5671, "AMQP"),
    (5672, "AMQP"),
    (5900, "VNC"),
    (5901, "VNC"),
    (5984, "CouchDB"),
    (5985, "WinRM"),
    (5986, "WinRM"),
    (6000, "X11"),
    (6379, "Redis"),
    (6380, "Redis"),
    (6432, "PgBouncer"),
    (6443, "Kubernetes"),
    (6566, "SANE"),
    (6665, "IRC"),
    (6666, "IRC"),
    (6667, "IRC"),
    (6668, "IRC"),
    (6669, "IRC"),
    (6679, "OSAUT"),
    (6697, "IRC"),
    (7000, "Cassandra"),
    (7001, "Cassandra"),
    (7199, "Cassandra"),
    (7474, "Neo4j"),
    (7687, "Neo4j"),
    (8086, "InfluxDB"),
    (8125, "StatsD"),
    (8300, "Consul"),
    (8301, "Consul"),
    (8302, "Consul"),
    (8500, "Consul"),
    (8529, "ArangoDB"),
    (8883, "MQTT"),
    (9042, "Cassandra"),
    (9092, "Kafka"),
    (9093, "Kafka"),
    (9094, "Kafka"),
    (9160, "Cassandra"),
    (9200, "Elasticsearch"),
    (9300, "Elasticsearch"),
    (10080, "Amanda"),
    (10250, "Kubernetes"),
    (10255, "Kubernetes"),
    (10256, "Kubernetes"),
    (11211, "memcached"),
    (11300, "beanstalkd"),
    (15672, "RabbitMQ"),
    (26257, "CockroachDB"),
    (26379, "Redis"),
    (27017, "MongoDB"),
    (27018, "MongoDB"),
    (27019, "MongoDB"),
];

/// Whether a URL's port may be called; reports it otherwise.
pub(super) fn permits(node: &Node<'_>, url: &str, allowed: &[u16]) -> bool {
    let Some(port) = url.parse::<Uri>().ok().and_then(|uri| uri.port_u16()) else { return true };
    if allowed.contains(&port) {
        return true;
    }
    let hint = format!("if it is meant, name it beside the url: allow_ports = [{port}]");
    if let Some((_, what)) = ODD.iter().find(|(odd, _)| *odd == port) {
        node.report_with_hint(format!("port {port} is that of {what}, which takes no webhooks"), hint);
        return false;
    }
    if port < FIRST_FREE && !matches!(port, 80 | 443) {
        node.report_with_hint(format!("port {port} is not one where webhooks are taken as a rule"), hint);
        return false;
    }
    true
}

/// The ports that may be called although nobody takes webhooks there as a rule.
pub(super) fn read(node: &Node<'_>) -> Option<Vec<u16>> {
    let items = node.items_up_to(MOST)?;
    Some(items.filter_map(|item| u16::try_from(item.integer(1..=65535)?).ok()).collect())
}

/// The same, and nothing is reported.
pub(super) fn allowed(value: &Value) -> Vec<u16> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().take(MOST).filter_map(|port| u16::try_from(port.as_u64()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Problems;
    use serde_json::json;

    fn refusal(port: u16) -> Option<String> {
        let (value, problems) = (json!(""), Problems::default());
        let url = format!("https://example.com:{port}/x");
        let permitted = permits(&Node::root(&value, "url", &problems), &url, &[]);
        let told = problems.into_vec().pop().map(|problem| problem.message);
        assert_eq!(permitted, told.is_none(), "{port}");
        told
    }

    #[test]
    fn the_table_is_in_order_and_holds_nothing_twice() {
        assert!(ODD.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(ODD.iter().all(|(port, _)| *port >= FIRST_FREE));
    }

    #[test]
    fn no_port_is_called_that_a_browser_does_not_call() {
        // The Fetch standard, section 2.9, "port blocking", as of 2025.
        let blocked = [
            0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
            103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
            512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
            995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
            6669, 6679, 6697, 10080,
        ];
        for port in blocked {
            assert!(refusal(port).is_some(), "{port}");
        }
    }

    #[test]
    fn stores_of_data_brokers_and_what_governs_machines_are_named_in_the_refusal() {
        for (port, what) in [
            (1433, "SQL Server"),
            (1521, "Oracle"),
            (1883, "MQTT"),
            (2375, "Docker"),
            (2379, "etcd"),
            (2525, "SMTP"),
            (3306, "MySQL"),
            (4222, "NATS"),
            (5222, "XMPP"),
            (5432, "PostgreSQL"),
            (5433, "PostgreSQL"),
            (5672, "AMQP"),
            (5984, "CouchDB"),
            (6380, "Redis"),
            (7000, "Cassandra"),
            (7474, "Neo4j"),
            (7687, "Neo4j"),
            (8086, "InfluxDB"),
            (9042, "Cassandra"),
            (9092, "Kafka"),
            (10250, "Kubernetes"),
            (27018, "MongoDB"),
        ] {
            let told = refusal(port).unwrap_or_default();
            assert!(told.contains(what), "{port}: {told}");
        }
        for port in [80, 443, 1024, 3000, 5000, 8000, 8080, 8123, 8443, 9000, 40_000, 65535] {
            assert_eq!(refusal(port), None, "{port}");
        }
        assert!(refusal(1023).is_some() && refusal(81).is_some());
    }
}
