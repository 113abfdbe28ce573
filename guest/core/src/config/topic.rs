//! Topics: named places that connected members publish to and read from.

use super::AccessToken;
use std::fmt;
use std::time::Duration;

/// What stands in front of a topic's name in the source of what is published to it, and where it is addressed.
pub const TOPIC_PREFIX: &str = "/topic/";

/// The longest name of a topic, in bytes: with the prefix it has room in an event's source.
const LONGEST: usize = 200;

/// What a part of a name has.
fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether a text can name a topic: parts of `a-z A-Z 0-9 _ -` with dots between them.
#[must_use]
pub fn is_topic_name(text: &str) -> bool {
    text.len() <= LONGEST && text.split('.').all(is_part)
}

/// The name of the topic that a source stands for, if it stands for one.
#[must_use]
pub fn topic_of(source: &str) -> Option<&str> {
    source.strip_prefix(TOPIC_PREFIX).filter(|name| is_topic_name(name))
}

/// The name of a topic, or of all topics of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern(String);

impl TopicPattern {
    /// A pattern by its text: parts with dots between them, `*` for any one part, and `**` at the end for all that follow.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (last, before) = (text.rsplit('.').next()?, text.rsplit('.').skip(1));
        let is_valid = text.len() <= LONGEST
            && (matches!(last, "*" | "**") || is_part(last))
            && before.into_iter().all(|part| part == "*" || is_part(part));
        is_valid.then(|| Self(text.to_owned()))
    }

    /// Whether a topic is one of them.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (mut parts, mut named) = (self.0.split('.'), name.split('.'));
        loop {
            match (parts.next(), named.next()) {
                (None, None) => return true,
                (Some("**"), Some(_)) => return true,
                (Some(part), Some(name)) if part == "*" || part == name => {}
                _ => return false,
            }
        }
    }
}

impl TopicPattern {
    /// Whether any topic is one of both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut parts, mut others) = (self.0.split('.'), other.0.split('.'));
        loop {
            match (parts.next(), others.next()) {
                (None, None) => return true,
                (Some("**"), Some(_)) | (Some(_), Some("**")) => return true,
                (Some(one), Some(other)) if one == "*" || other == "*" || one == other => {}
                _ => return false,
            }
        }
    }

    /// Whether all topics of the other are of this one, too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (mut parts, mut others) = (self.0.split('.'), other.0.split('.'));
        loop {
            match (parts.next(), others.next()) {
                (None, None) | (Some("**"), Some(_)) => return true,
                (Some("*"), Some(other)) if other != "**" => {}
                (Some(part), Some(other)) if part == other => {}
                _ => return false,
            }
        }
    }

    /// A CEL expression that says of an event whether it was published to one of them.
    #[must_use]
    pub fn expression(&self) -> String {
        let parts = self.0.split('.').map(|part| match part {
            "*" => "[A-Za-z0-9_-]+",
            "**" => "[A-Za-z0-9_.-]+",
            // It has nothing that means something else in a regular expression.
            part => part,
        });
        let parts: Vec<&str> = parts.collect();
        format!("event.source.matches(r'^{TOPIC_PREFIX}{}$')", parts.join("[.]"))
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A topic, or all topics of a kind: valid by construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfig {
    /// Which topics.
    pub name: TopicPattern,
    /// Who shows one of these may read and publish.
    pub tokens: Vec<AccessToken>,
    /// Who shows one of these may read.
    pub read_tokens: Vec<AccessToken>,
    /// Who shows one of these may publish.
    pub publish_tokens: Vec<AccessToken>,
    /// The largest message, in bytes.
    pub max_size: u64,
    /// How far back it can be read; without it as far as events are kept.
    pub history: Option<Duration>,
}

impl TopicConfig {
    /// The largest message where nothing is said, in bytes.
    pub const MAX_SIZE: u64 = 64 << 10;

    /// Whether what somebody shows lets them read. It takes as long whichever token it is, and as long for none.
    #[must_use]
    pub fn lets_read(&self, shown: &[u8]) -> bool {
        AccessToken::is_one_of(&self.tokens, shown) | AccessToken::is_one_of(&self.read_tokens, shown)
    }

    /// Whether what somebody shows lets them publish, in the same way.
    #[must_use]
    pub fn lets_publish(&self, shown: &[u8]) -> bool {
        AccessToken::is_one_of(&self.tokens, shown) | AccessToken::is_one_of(&self.publish_tokens, shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_part_and_two_for_all_that_follow() {
        let cases = [
            ("chat", "chat", true),
            ("chat", "chat.a", false),
            ("chat.*", "chat.a", true),
            ("chat.*", "chat", false),
            ("chat.*", "chat.a.b", false),
            ("chat.**", "chat.a.b", true),
            ("chat.**", "chat", false),
            ("*.news", "de.news", true),
            ("*.news", "de.old", false),
            ("**", "a.b.c", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(TopicPattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        for text in ["", ".", "a.", "a..b", "a b", "**.a", "a*", "ä", &"a".repeat(201)] {
            assert_eq!(TopicPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_patterns_overlap_if_a_topic_is_one_of_both() {
        let cases = [
            ("chat.*", "chat.vip", true),
            ("chat.*", "*.vip", true),
            ("chat.*", "news.*", false),
            ("chat.*", "chat.*.a", false),
            ("chat.**", "chat.*.a", true),
            ("chat.**", "chat", false),
            ("**", "a.b", true),
            ("a.b", "a.b", true),
        ];
        for (one, other, expected) in cases {
            let [one, other] = [one, other].map(|text| TopicPattern::parse(text).unwrap());
            assert_eq!((one.overlaps(&other), other.overlaps(&one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn a_pattern_covers_another_if_it_has_all_of_its_topics() {
        let cases = [
            ("chat.*", "chat.vip", true),
            ("chat.vip", "chat.*", false),
            ("chat.*", "chat.*", true),
            ("chat.**", "chat.*.a", true),
            ("chat.*", "chat.**", false),
            ("**", "**", true),
            ("*.vip", "chat.*", false),
            ("chat", "chat.a", false),
            ("chat.a", "chat", false),
        ];
        for (one, other, expected) in cases {
            let [one, other] = [one, other].map(|text| TopicPattern::parse(text).unwrap());
            assert_eq!(one.covers(&other), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_topic_is_a_source_and_names_have_no_stars() {
        assert_eq!(topic_of("/topic/chat.a"), Some("chat.a"));
        for source in ["chat.a", "/topic/", "/topic/*", "/topic/a/b", "/topics/a"] {
            assert_eq!(topic_of(source), None, "{source}");
        }
    }

    #[test]
    fn each_token_opens_what_it_is_for() {
        let token = |text| vec![AccessToken::of(text)];
        let topic = TopicConfig {
            name: TopicPattern::parse("a").unwrap(),
            tokens: token("both"),
            read_tokens: token("read"),
            publish_tokens: token("publish"),
            max_size: 1,
            history: None,
        };
        let opens = |shown: &str| (topic.lets_read(shown.as_bytes()), topic.lets_publish(shown.as_bytes()));
        assert_eq!(
            [opens("both"), opens("read"), opens("publish"), opens("")],
            [(true, true), (true, false), (false, true), (false, false)]
        );
    }
}
