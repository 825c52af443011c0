//! The log `deqp-vk` writes (`.qpa`), read as it grows.

use super::Status;

/// What the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A case has begun.
    Begin(String),
    /// A case has ended, with a message.
    End(String, Status, String),
}

/// A reader fed with pieces of the log.
#[derive(Default)]
pub struct Reader {
    line: Vec<u8>,
    case: Option<String>,
    status: Option<(Status, String)>,
}

impl Reader {
    /// The case that has begun and not ended.
    pub fn open_case(&self) -> Option<&str> {
        self.case.as_deref()
    }

    /// Takes the next bytes; what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for b in bytes {
            if *b == b'\n' {
                let line = std::mem::take(&mut self.line);
                events.extend(self.take(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(*b);
            }
        }
        events
    }

    fn take(&mut self, line: &str) -> Option<Event> {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("#beginTestCaseResult") => {
                self.status = None;
                self.case = words.next().map(str::to_owned);
                self.case.clone().map(Event::Begin)
            }
            Some("#endTestCaseResult") => {
                // A case without a verdict is broken.
                let (status, text) = self.status.take().unwrap_or((Status::InternalError, "no verdict".to_owned()));
                self.case.take().map(|case| Event::End(case, status, text))
            }
            Some("#terminateTestCaseResult") => {
                let status = words.next().and_then(Status::parse).unwrap_or(Status::Crash);
                let text = self.status.take().map_or_else(String::new, |(_, text)| text);
                self.case.take().map(|case| Event::End(case, status, text))
            }
            _ => {
                if let (Some(_), Some(at)) = (&self.case, line.find("StatusCode=\"")) {
                    let rest = &line[at + 12..];
                    let (name, rest) = rest.split_once('"').unwrap_or((rest, ""));
                    let text = rest.strip_prefix('>').unwrap_or("");
                    let text = text.split("</Result>").next().unwrap_or("");
                    let status = Status::parse(name).unwrap_or(Status::InternalError);
                    self.status = Some((status, unescape(text)));
                }
                None
            }
        }
    }
}

/// The log is XML.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#sessionInfo releaseName x\n#beginSession\n\n#beginTestCaseResult dEQP-VK.a.one\n\
        <TestCaseResult Version=\"0.3.4\">\n <Text>StatusCode no</Text>\n <Result StatusCode=\"Pass\">fine &amp; &lt;good&gt;</Result>\n\
        </TestCaseResult>\n#endTestCaseResult\n#beginTestCaseResult dEQP-VK.a.two\n <Result StatusCode=\"Fail\">bad</Result>\n\
        #terminateTestCaseResult Timeout\n#beginTestCaseResult dEQP-VK.a.three\n#endTestCaseResult\n\
        #beginTestCaseResult dEQP-VK.a.four\n <Text>";

    fn want() -> Vec<Event> {
        let end = |c: &str, s, t: &str| Event::End(format!("dEQP-VK.a.{c}"), s, t.to_owned());
        let begin = |c: &str| Event::Begin(format!("dEQP-VK.a.{c}"));
        vec![
            begin("one"),
            end("one", Status::Pass, "fine & <good>"),
            begin("two"),
            end("two", Status::Timeout, "bad"),
            begin("three"),
            end("three", Status::InternalError, "no verdict"),
            begin("four"),
        ]
    }

    #[test]
    fn reads_a_log_at_once_and_in_pieces() {
        let mut r = Reader::default();
        assert_eq!(r.feed(LOG.as_bytes()), want());
        assert_eq!(r.open_case(), Some("dEQP-VK.a.four"));
        for n in [1, 3, 7, 64] {
            let mut r = Reader::default();
            let events: Vec<_> = LOG.as_bytes().chunks(n).flat_map(|c| r.feed(c)).collect();
            assert_eq!(events, want(), "in pieces of {n}");
        }
    }

    #[test]
    fn survives_nonsense() {
        let mut r = Reader::default();
        assert_eq!(
            r.feed(b"\xff\xfe\n#endTestCaseResult\n#beginTestCaseResult\nStatusCode=\"\n#terminateTestCaseResult\n"),
            []
        );
        assert_eq!(r.open_case(), None);
        assert_eq!(r.feed(b"#beginTestCaseResult a\nStatusCode=\"Odd\n#endTestCaseResult\n").len(), 2);
    }
}
