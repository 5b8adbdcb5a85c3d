//! Finds the rule of a file that decides about an entry without holding it against each of them.

use super::parse::Rule;

/// Texts with the rules that speak of exactly them, sorted.
#[derive(Debug, Clone, Default)]
struct Texts(Vec<(Vec<u8>, Vec<usize>)>);

impl Texts {
    fn new(mut found: Vec<(Vec<u8>, usize)>) -> Self {
        found.sort_unstable();
        let mut texts: Vec<(Vec<u8>, Vec<usize>)> = Vec::new();
        for (text, rule) in found {
            match texts.last_mut() {
                Some((last, rules)) if *last == text => rules.push(rule),
                _ => texts.push((text, vec![rule])),
            }
        }
        Self(texts)
    }

    fn get(&self, text: &[u8]) -> &[usize] {
        self.0.binary_search_by(|(known, _)| known.as_slice().cmp(text)).map_or(&[], |at| &self.0[at].1)
    }
}

/// The rules of a file by what they look at; every rule stands in one of the lists, and lists are in the file's order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// `name`, by that name.
    names: Texts,
    /// `/a/name`, by that path.
    paths: Texts,
    /// `*.c`, and `*.mod.c` too, by what begins with the last dot.
    extensions: Texts,
    /// All others.
    rest: Vec<usize>,
}

/// A text from its last dot on.
fn extension(text: &[u8]) -> Option<&[u8]> {
    text.iter().rposition(|&byte| byte == b'.').map(|at| &text[at..])
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let (mut names, mut paths, mut extensions, mut rest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, rule) in rules.iter().enumerate() {
            if let Some(literal) = rule.pattern.literal() {
                let list = if rule.by_name { &mut names } else { &mut paths };
                list.push((literal.to_vec(), at));
            } else if let Some(found) = rule.pattern.ending().filter(|_| rule.by_name).and_then(extension) {
                extensions.push((found.to_vec(), at));
            } else {
                rest.push(at);
            }
        }
        Self { names: Texts::new(names), paths: Texts::new(paths), extensions: Texts::new(extensions), rest }
    }

    /// The last rule that matches.
    pub(super) fn deciding<'a>(
        &self,
        rules: &'a [Rule],
        relative: &[u8],
        name: &[u8],
        is_dir: bool,
    ) -> Option<&'a Rule> {
        let matches = |at: &usize| rules[*at].matches(relative, name, is_dir);
        let lists = [
            self.names.get(name),
            self.paths.get(relative),
            extension(name).map_or(&[][..], |found| self.extensions.get(found)),
        ];
        let known = lists.into_iter().filter_map(|list| list.iter().rev().copied().find(matches)).max();
        let later =
            self.rest.iter().rev().copied().take_while(|&at| known.is_none_or(|known| at > known)).find(matches);
        later.or(known).map(|at| &rules[at])
    }
}
