//! Who says how often that it is there: section "Heart-beating".

use std::time::Duration;

/// What one side says about itself: the header `heart-beat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartBeat {
    /// After how long at most it says something; `None` if it does not promise that.
    pub sends: Option<Duration>,
    /// After how long it wants to hear something; `None` if it does not care.
    pub wants: Option<Duration>,
}

/// What holds for one side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartBeats {
    /// After how long of silence it has to say something.
    pub send: Option<Duration>,
    /// After how long of silence it may expect to have heard something.
    pub expect: Option<Duration>,
}

impl HeartBeat {
    /// What a header says: two numbers of milliseconds with a comma between them; nothing if it says something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sends, wants) = text.split_once(',')?;
        let time = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let millis = text.parse::<u32>().ok().filter(|_| is_number)?;
            Some((millis > 0).then(|| Duration::from_millis(u64::from(millis))))
        };
        Some(Self { sends: time(sends.trim())?, wants: time(wants.trim())? })
    }

    /// As the header says it.
    #[must_use]
    pub fn text(self) -> String {
        let millis = |time: Option<Duration>| time.map_or(0, |time| time.as_millis());
        format!("{},{}", millis(self.sends), millis(self.wants))
    }

    /// What holds for this side, with what the other one says: of both wishes the longer time, and nothing where one of
    /// the two does not want to.
    #[must_use]
    pub fn agree(self, other: Self) -> HeartBeats {
        let longer = |one: Option<Duration>, other: Option<Duration>| Some(one?.max(other?));
        HeartBeats { send: longer(self.sends, other.wants), expect: longer(self.wants, other.sends) }
    }
}
