//! Where a batch goes on: the address as it was asked for, from another position.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What ends the target of a link (RFC 8288, section 3), or stands in no address (RFC 3986, section 3.4). What is encoded already
/// stays as it is.
const OUTSIDE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What says where to begin, in the place of which the position stands; and the token, which is for no place where it is kept.
const REPLACED: [&str; 4] = ["from", "after", "last-event-id", "access_token"];

/// The value of `Link` that names the next batch of what these parameters asked for.
pub(super) fn next(asked: Option<&str>, position: &str) -> String {
    let kept = asked.unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        !name.is_empty() && !REPLACED.contains(&&*name)
    });
    let kept = kept.map(|pair| format!("{}&", utf8_percent_encode(pair, OUTSIDE))).collect::<String>();
    format!("<?{kept}after={position}>; rel=\"next\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_stays_but_for_where_it_begins_and_the_token() {
        assert_eq!(next(None, "p"), "<?after=p>; rel=\"next\"");
        let asked =
            "source=shop&access_token=t&from=earliest&filter=message.i%20%3E%203+%26%26+true&wait=0s&&max=1";
        assert_eq!(
            next(Some(asked), "p"),
            "<?source=shop&filter=message.i%20%3E%203+%26%26+true&wait=0s&max=1&after=p>; rel=\"next\""
        );
        // Also where it is written in another way.
        assert_eq!(next(Some("access%5Ftoken=t&after=o&Last=x"), "p"), "<?Last=x&after=p>; rel=\"next\"");
    }

    #[test]
    fn nothing_in_an_address_ends_the_link() {
        assert_eq!(
            next(Some("filter=a>\"b\"|é%3E"), "p"),
            "<?filter=a%3E%22b%22%7C%C3%A9%3E&after=p>; rel=\"next\""
        );
    }
}
