//! From the bytes of a rule file to its rules.

use crate::digest::Digest;

use super::index::Index;
use super::matcher::Pattern;

/// One line of a rule file that says something.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The line it stands on, from 1.
    pub line: usize,
    /// The line as written, without its end and its trailing blanks.
    pub text: Vec<u8>,
    negated: bool,
    directories_only: bool,
    /// Whether it is held against the last part of a path alone; else against the whole path below its file.
    pub(super) by_name: bool,
    pub(super) pattern: Pattern,
}

impl Rule {
    /// Whether it takes out what it matches; else it brings it back.
    pub fn ignores(&self) -> bool {
        !self.negated
    }

    /// Whether it speaks of an entry.
    ///
    /// `relative` is the entry's path below the folder of the rule file, `name` its last part.
    pub fn matches(&self, relative: &[u8], name: &[u8], is_dir: bool) -> bool {
        (is_dir || !self.directories_only) && self.pattern.matches(if self.by_name { name } else { relative })
    }

    /// Reads one line, without its LF; `None` where it says nothing.
    fn parse(line: &[u8], number: usize) -> Option<Self> {
        if line.is_empty() || line[0] == b'#' {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // git holds lines as C strings: a NUL ends the rule.
        let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = without_trailing_blanks(line);
        let (negated, rest) = match text.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (directories_only, rest) = match rest.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let by_name = !rest.contains(&b'/');
        let pattern = rest.strip_prefix(b"/").unwrap_or(rest);
        Some(Self {
            line: number,
            text: text.to_vec(),
            negated,
            directories_only,
            by_name,
            pattern: Pattern::new(pattern),
        })
    }
}

/// Cuts trailing blanks, and blanks alone, that no backslash keeps.
fn without_trailing_blanks(line: &[u8]) -> &[u8] {
    let mut end = None;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b' ' => {
                end.get_or_insert(at);
            }
            b'\\' => {
                at += 1;
                if at == line.len() {
                    return line;
                }
                end = None;
            }
            _ => end = None,
        }
        at += 1;
    }
    &line[..end.unwrap_or(line.len())]
}

/// The rules of one file, in their order.
#[derive(Debug, Clone)]
pub struct RuleFile {
    name: Vec<u8>,
    digest: Digest,
    rules: Vec<Rule>,
    index: Index,
}

impl RuleFile {
    /// Reads a rule file; every sequence of bytes is one.
    ///
    /// `name` is what a verdict calls it.
    pub fn parse(name: &[u8], bytes: &[u8]) -> Self {
        let digest = Digest::of(bytes);
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let rules: Vec<Rule> = bytes
            .split(|&byte| byte == b'\n')
            .enumerate()
            .filter_map(|(index, line)| Rule::parse(line, index + 1))
            .collect();
        Self { name: name.to_vec(), digest, index: Index::new(&rules), rules }
    }

    /// What a verdict calls the file.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that decides about an entry: the last that matches.
    pub fn deciding(&self, relative: &[u8], name: &[u8], is_dir: bool) -> Option<&Rule> {
        self.index.deciding(&self.rules, relative, name, is_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &[u8]) -> Vec<String> {
        let file = RuleFile::parse(b"f", file);
        file.rules().iter().map(|rule| String::from_utf8_lossy(&rule.text).into_owned()).collect()
    }

    macro_rules! lines {
        ($($name:ident: $file:expr => $($text:expr),*;)*) => {$(
            #[test]
            fn $name() {
                assert_eq!(texts($file), Vec::<&str>::from([$($text),*]));
            }
        )*};
    }

    lines! {
        empty_lines_and_comments: b"\n# no\n\na\n" => "a";
        an_escaped_hash_is_a_rule: b"\\#a\n" => "\\#a";
        the_last_line_needs_no_end: b"a" => "a";
        one_cr_goes: b"a\r\nb\r\r\n" => "a", "b\r";
        one_bom_goes: b"\xef\xbb\xbfa\n" => "a";
        blanks_go_tabs_stay: b"a  \nb\t\n" => "a", "b\t";
        an_escaped_blank_stays: b"a\\ \nb\\  \n" => "a\\ ", "b\\ ";
        an_escaped_backslash_keeps_no_blank: b"a\\\\ \n" => "a\\\\";
        a_trailing_backslash_keeps_all: b"a \\\n" => "a \\";
        a_nul_ends_the_rule: b"a\0b\n" => "a";
        a_blank_line_of_blanks_says_nothing_that_matches: b"   \n" => "";
    }

    #[test]
    fn rules_know_their_line() {
        let file = RuleFile::parse(b"f", b"# one\n\nthree\n");
        assert_eq!(file.rules()[0].line, 3);
    }
}
