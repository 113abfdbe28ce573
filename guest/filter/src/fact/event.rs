//! One event, as a table is asked about it.

/// The attributes of one event and what came with it. Borrows everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventInput<'a> {
    /// `event.id`
    pub id: &'a str,
    /// `event.source`, and `source`: the source's name.
    pub source: &'a str,
    /// `event.type`
    pub kind: &'a str,
    /// `event.subject`; absent if there is none.
    pub subject: Option<&'a str>,
    /// `event.time`, in milliseconds since the Unix epoch.
    pub time: u64,
    /// `event.datacontenttype`; absent if there is none.
    pub datacontenttype: Option<&'a str>,
    /// `event.extensions`: names and values of CloudEvents extension attributes.
    pub extensions: &'a [(&'a str, &'a str)],
    /// `headers`: names in lower case, and values. Of equal names the last wins, so a caller that wants all values joins them.
    pub headers: &'a [(&'a str, &'a str)],
    /// `now`: when the request was received, in milliseconds since the Unix epoch.
    pub now: u64,
}
