//! The classic text format of Prometheus, version 0.0.4, made of `OpenMetrics`.
//!
//! The two differ in how a counter's family is named (`OpenMetrics` leaves `_total` to its samples) and in lines that only
//! the newer one has. See <https://prometheus.io/docs/instrumenting/exposition_formats/>.

/// The media type.
pub const CLASSIC_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The same metrics in the classic format.
pub(super) fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // A family's help comes before its type, which says how it is named.
    let mut help: Option<&str> = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = Some(rest);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, said)) = help.take().and_then(|help| help.split_once(' ')) {
                text.push_str(&format!("# HELP {name}{suffix} {said}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            text.push_str(without_exemplar(line));
            text.push('\n');
        }
    }
    text
}

/// A sample without what stands behind its value.
fn without_exemplar(sample: &str) -> &str {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, letter) in sample.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '#' if !is_quoted => return sample.get(..at).unwrap_or(sample).trim_end(),
            _ => {}
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::exemplar::CounterWithExemplar;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::{Registry, Unit};

    #[test]
    fn each_kind_of_metric_is_named_as_the_classic_format_names_it() {
        let mut registry = Registry::with_prefix("a");
        let (counter, gauge, histogram) =
            (Counter::<u64>::default(), Gauge::<i64>::default(), Histogram::new([0.5]));
        registry.register("things", "Things", counter.clone());
        registry.register_with_unit("taken", "How much", Unit::Bytes, counter.clone());
        registry.register("now", "Now", gauge);
        registry.register_with_unit("took", "How long", Unit::Seconds, histogram.clone());
        counter.inc();
        histogram.observe(0.25);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let classic = classic(&text);
        let expected = "# HELP a_things_total Things.\n# TYPE a_things_total counter\na_things_total 1\n\
            # HELP a_taken_bytes_total How much.\n# TYPE a_taken_bytes_total counter\na_taken_bytes_total 1\n\
            # HELP a_now Now.\n# TYPE a_now gauge\na_now 0\n\
            # HELP a_took_seconds How long.\n# TYPE a_took_seconds histogram\na_took_seconds_sum 0.25\n\
            a_took_seconds_count 1\na_took_seconds_bucket{le=\"0.5\"} 1\na_took_seconds_bucket{le=\"+Inf\"} 1\n";
        assert_eq!(classic, expected);
    }

    #[test]
    fn what_a_program_has_of_its_own_is_taken_by_scrapers_of_the_classic_format() {
        let mut registry = Registry::default();
        registry.register("build", "Build", Info::new([("sign", "a # {b} \\\" # c")]));
        let counter = CounterWithExemplar::<[(&str, &str); 1]>::default();
        registry.register("things", "Things", counter.clone());
        counter.inc_by(2, Some([("trace", "x")]), None);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(
            text.contains("# TYPE build info\n") && text.contains("things_total 2 # {trace=\"x\"} 2"),
            "{text}"
        );
        let told = text.lines().find_map(|line| line.strip_prefix("build_info")).unwrap();
        let expected = format!(
            "# HELP build_info Build.\n# TYPE build_info gauge\nbuild_info{told}\n\
            # HELP things_total Things.\n# TYPE things_total counter\nthings_total 2\n"
        );
        assert_eq!(classic(&text), expected);
    }
}
