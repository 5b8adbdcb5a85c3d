//! One spelling for a value of plain data, so that equal values have equal bytes on every machine, and different ones
//! never. Each value is a tag, and what it holds, framed by its length or count; docs/reuse.md publishes the form.

use std::io::Write as _;

/// The bytes of a value, put together part by part.
#[derive(Debug, Default)]
pub struct Spelling(Vec<u8>);

impl Spelling {
    /// Nothing.
    pub fn none(&mut self) {
        self.0.push(b'n');
    }

    /// True or false.
    pub fn truth(&mut self, value: bool) {
        self.0.push(if value { b't' } else { b'f' });
    }

    /// A whole number, by its decimal digits.
    pub fn integer(&mut self, digits: &[u8]) {
        self.framed(b'i', digits);
    }

    /// A floating-point number, by its hexadecimal form, which loses nothing.
    pub fn float(&mut self, hex: &[u8]) {
        self.framed(b'd', hex);
    }

    /// Text, by its UTF-8 or, where it holds bytes that are none, by those.
    pub fn text(&mut self, text: &[u8]) {
        self.framed(b's', text);
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.framed(b'b', bytes);
    }

    /// Begins a list of so many values, which follow.
    pub fn list(&mut self, count: usize) {
        self.head(b'l', count);
    }

    /// Begins a mapping of so many rows, which follow in the order of their keys' bytes: each key as text, and its value.
    pub fn mapping(&mut self, count: usize) {
        self.head(b'm', count);
    }

    /// All of it.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn framed(&mut self, tag: u8, data: &[u8]) {
        self.head(tag, data.len());
        self.0.extend_from_slice(data);
    }

    fn head(&mut self, tag: u8, count: usize) {
        self.0.push(tag);
        // To write to memory never fails.
        let _ = write!(self.0, "{count}:");
    }
}

#[cfg(test)]
mod tests {
    use super::Spelling;

    #[test]
    fn a_value_is_spelled_as_the_published_form_has_it() {
        let mut made = Spelling::default();
        made.mapping(2);
        made.text(b"a");
        made.list(3);
        made.none();
        made.truth(true);
        made.integer(b"-12");
        made.text("\u{e9}".as_bytes());
        made.bytes(b"");
        assert_eq!(made.into_bytes(), b"m2:s1:al3:nti3:-12s2:\xc3\xa9b0:");
    }
}
