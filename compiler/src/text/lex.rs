//! Splits text into tokens with line numbers.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    /// 1-based line.
    pub line: u32,
    /// What it is.
    pub kind: Kind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'a> {
    /// Letters, digits, `_`, `.`, `-`, `+`: keywords, numbers, `set.binding`.
    Word(&'a str),
    /// `%`, `@` or `$` with a number.
    Id(char, u32),
    /// The inside of a string literal, escapes not yet resolved.
    Text(&'a str),
    /// One of `( ) { } [ ] = : ?`.
    Punct(char),
}

/// Splits `text`; commas count as blanks.
///
/// # Errors
/// Line and message.
pub fn lex(text: &str) -> Result<Vec<Token<'_>>, (u32, String)> {
    let mut tokens = Vec::new();
    for (i, line_text) in text.lines().enumerate() {
        let line = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let mut rest = line_text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match c {
                ';' => break,
                ',' => rest = after,
                c if c.is_whitespace() => rest = after,
                '(' | ')' | '{' | '}' | '[' | ']' | '=' | ':' | '?' => {
                    tokens.push(Token { line, kind: Kind::Punct(c) });
                    rest = after;
                }
                '%' | '@' | '$' => {
                    let n = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                    let id = after[..n].parse().map_err(|_| (line, format!("a number must follow {c}")))?;
                    tokens.push(Token { line, kind: Kind::Id(c, id) });
                    rest = &after[n..];
                }
                '"' => {
                    let mut escaped = false;
                    let end = after.find(|c: char| {
                        let end = c == '"' && !escaped;
                        escaped = c == '\\' && !escaped;
                        end
                    });
                    let end = end.ok_or((line, "string without end".to_string()))?;
                    tokens.push(Token { line, kind: Kind::Text(&after[..end]) });
                    rest = &after[end + 1..];
                }
                c if is_word(c) => {
                    let n = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                    tokens.push(Token { line, kind: Kind::Word(&rest[..n]) });
                    rest = &rest[n..];
                }
                c => return Err((line, format!("unexpected character {c:?}"))),
            }
        }
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+')
}

/// Resolves the escapes of a string literal.
pub fn unquote(s: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = s;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            out.push(c);
            continue;
        }
        if let Some(r) = rest.strip_prefix("u{") {
            let (digits, r) = r.split_once('}')?;
            out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            rest = r;
        } else {
            let c = rest.chars().next().filter(|c| matches!(c, '"' | '\\'))?;
            out.push(c);
            rest = &rest[1..];
        }
    }
    Some(out)
}
