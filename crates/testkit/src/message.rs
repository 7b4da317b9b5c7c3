//! HTTP/1 messages as they are on the wire, read strictly: a test must not overlook what a lenient reader forgives.

/// A request or an answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line, without its end.
    pub start: String,
    /// The header fields as they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// What came behind a chunked body.
    pub trailers: Vec<(String, String)>,
}

/// What ends the body of a message, if its header does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// There is no body: a request.
    Nothing,
    /// The end of the connection: an answer.
    Close,
    /// There is no body whatever the header says: an answer to `HEAD`, a `1xx`, `204` or `304`.
    NeverABody,
}

impl Message {
    /// The first message in `bytes` and how many of them it takes; `None` if it is not complete. `ended` says that
    /// nothing follows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8], otherwise: Otherwise, ended: bool) -> Result<Option<(Self, usize)>, String> {
        let Some((mut message, head)) = Self::parse_head(bytes)? else { return Ok(None) };
        let rest = &bytes[head..];
        let lengths = message.all("content-length");
        let encodings = message.all("transfer-encoding");
        let body = match (lengths.as_slice(), encodings.as_slice(), otherwise) {
            (_, _, Otherwise::NeverABody) | ([], [], Otherwise::Nothing) => Some(0),
            ([], [], Otherwise::Close) => ended.then(|| {
                message.body = rest.to_vec();
                rest.len()
            }),
            ([length], [], _) => {
                let length: usize = length.parse().map_err(|_| format!("Content-Length {length:?}"))?;
                rest.get(..length).map(|body| {
                    message.body = body.to_vec();
                    length
                })
            }
            ([], [encoding], _) if encoding == "chunked" => message.parse_chunks(rest)?,
            _ => return Err(format!("framed more than once: {:?}", message.headers)),
        };
        Ok(body.map(|body| (message, head + body)))
    }

    /// The head alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_head(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let (start, fields) = match find(&bytes[..end], b"\r\n") {
            Some(line) => (&bytes[..line], &bytes[line + 2..end]),
            None => (&bytes[..end], &b""[..]),
        };
        let message = Self { start: text(start)?, headers: fields_of(fields)?, body: vec![], trailers: vec![] };
        Ok(Some((message, end + 4)))
    }

    fn parse_chunks(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let mut at = 0;
        loop {
            let Some(line) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
            let size = text(&bytes[at..at + line])?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| format!("chunk size {size:?}"))?;
            at += line + 2;
            if size == 0 {
                return self.parse_trailers(bytes, at);
            }
            let Some(chunk) = bytes.get(at..at + size + 2) else { return Ok(None) };
            let data = chunk.strip_suffix(b"\r\n").ok_or("a chunk longer than its size")?;
            self.body.extend_from_slice(data);
            at += size + 2;
        }
    }

    fn parse_trailers(&mut self, bytes: &[u8], at: usize) -> Result<Option<usize>, String> {
        if bytes[at..].starts_with(b"\r\n") {
            return Ok(Some(at + 2));
        }
        let Some(end) = find(&bytes[at..], b"\r\n\r\n") else { return Ok(None) };
        self.trailers = fields_of(&bytes[at..at + end])?;
        Ok(Some(at + end + 4))
    }

    /// The only value of the field `name`; `None` if there is none.
    ///
    /// # Panics
    /// When there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let value = values.next();
        assert!(values.next().is_none(), "several {name} in {:?}", self.headers);
        value.map(|(_, value)| &**value)
    }

    /// All values of the field `name`.
    pub fn all(&self, name: &str) -> Vec<String> {
        let fields = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| value.clone()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The method, of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The target, of a request.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status, of an answer.
    ///
    /// # Panics
    /// When it is none.
    pub fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not a status line: {:?}", self.start))
    }
}

fn fields_of(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = text(bytes)?;
    let lines = text.split("\r\n").filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains([' ', '\t']) => {
                Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
            }
            _ => Err(format!("not a field: {line:?}")),
        })
        .collect()
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let bare = text.replace("\r\n", "");
    if bare.contains(['\r', '\n', '\0']) { Err(format!("a bare CR, LF or NUL in {text:?}")) } else { Ok(text) }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> Result<Option<(Message, usize)>, String> {
        Message::parse(bytes, Otherwise::Nothing, false)
    }

    #[test]
    fn a_message_ends_where_its_framing_says() {
        let (message, length) = request(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET").unwrap().unwrap();
        assert_eq!((message.text().as_str(), length), ("abc", 41));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nGET";
        let (message, length) = request(chunked).unwrap().unwrap();
        assert_eq!((message.text().as_str(), length), ("abc", chunked.len() - 3));
        assert_eq!(message.trailers, [("X".to_owned(), "y".to_owned())]);
        for end in 0..chunked.len() - 3 {
            assert_eq!(request(&chunked[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn two_ways_to_read_a_message_are_an_error() {
        for bytes in [
            &b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            b"GET / HTTP/1.1\r\nno field\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n",
        ] {
            assert!(request(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
