//! The rules in force in a directory: those of its own rule file first, then of each folder above, then the built-in.

use std::sync::{Arc, LazyLock, OnceLock};

use crate::digest::Digest;

use super::parse::{Rule, RuleFile};

/// The weakest rules of all, which any rule of a file undoes.
const BUILTIN: &[u8] = b"__pycache__/\n*.py[co]\n.ipynb_checkpoints/\n.DS_Store\n/scriptstep.toml\n";

/// Names that are never content, at any depth, and that no rule brings back.
pub fn is_never_content(name: &[u8]) -> bool {
    matches!(name, b".git" | b".scriptstep")
}

/// The built-in rules.
pub fn builtin_rules() -> Arc<RuleFile> {
    static RULES: LazyLock<Arc<RuleFile>> = LazyLock::new(|| Arc::new(RuleFile::parse(b"(built-in)", BUILTIN)));
    Arc::clone(&RULES)
}

/// A rule, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct RuleRef<'a> {
    /// The folder of its file, relative to the root; empty for the root itself.
    pub folder: &'a [u8],
    /// Its file.
    pub file: &'a RuleFile,
    /// The rule.
    pub rule: &'a Rule,
}

/// The rule files in force in a directory, the deepest on top; cheap to clone and to extend.
///
/// A file that is known by its digest alone may stand in it unread: then the stack can be told from others, and must be
/// [filled](RuleStack::fill) before it is asked for a verdict.
#[derive(Debug, Clone, Default)]
pub struct RuleStack(Option<Arc<Level>>);

#[derive(Debug)]
struct Level {
    folder: Vec<u8>,
    digest: Digest,
    file: OnceLock<Arc<RuleFile>>,
    /// Tells this stack from every other.
    identity: Digest,
    below: RuleStack,
}

impl RuleStack {
    /// The stack that holds the built-in rules alone.
    pub fn with_builtins() -> Self {
        Self::default().push(b"", builtin_rules())
    }

    /// The stack with one more file on top, which stands in `folder`, relative to the root.
    #[must_use]
    pub fn push(&self, folder: &[u8], file: Arc<RuleFile>) -> Self {
        self.level(folder, file.digest(), OnceLock::from(file))
    }

    /// The stack with one more file on top, which was not read: its bytes have this digest.
    #[must_use]
    pub fn push_unread(&self, folder: &[u8], digest: Digest) -> Self {
        self.level(folder, digest, OnceLock::new())
    }

    fn level(&self, folder: &[u8], digest: Digest, file: OnceLock<Arc<RuleFile>>) -> Self {
        let framed = [&self.identity().0, &digest.0, folder].concat();
        let identity = Digest::in_domain("scriptstep 2026 rules in force 1", &framed);
        Self(Some(Arc::new(Level { folder: folder.to_vec(), digest, file, identity, below: self.clone() })))
    }

    /// Tells it from every stack of other files, or of files in other folders.
    pub fn identity(&self) -> Digest {
        self.0.as_ref().map_or(Digest([0; 32]), |level| level.identity)
    }

    /// Reads the files that were not read yet.
    ///
    /// `read` is given a file's folder and the digest that its bytes have.
    ///
    /// # Errors
    /// What `read` says.
    pub fn fill<E>(&self, mut read: impl FnMut(&[u8], Digest) -> Result<RuleFile, E>) -> Result<(), E> {
        let mut next = self.0.as_deref();
        while let Some(level) = next {
            if level.file.get().is_none() {
                let file = read(&level.folder, level.digest)?;
                // Another thread may have been first, with the same bytes.
                let _ = level.file.set(Arc::new(file));
            }
            next = level.below.0.as_deref();
        }
        Ok(())
    }

    /// The rule that decides about an entry, whose folders above are all content; `None` where no rule speaks of it.
    ///
    /// `path` is relative to the root. An entry is content unless the rule ignores it.
    pub fn verdict(&self, path: &[u8], is_dir: bool) -> Option<RuleRef<'_>> {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        let mut level = self.0.as_deref();
        while let Some(Level { folder, file, below, .. }) = level {
            debug_assert!(file.get().is_some(), "a verdict of rules that were not read");
            let relative = if folder.is_empty() { Some(path) } else { below_folder(path, folder) };
            if let Some(file) = file.get()
                && let Some(rule) = relative.and_then(|relative| file.deciding(relative, name, is_dir))
            {
                return Some(RuleRef { folder, file, rule });
            }
            level = below.0.as_deref();
        }
        None
    }

    /// Whether the rules take an entry out.
    pub fn ignores(&self, path: &[u8], is_dir: bool) -> bool {
        self.verdict(path, is_dir).is_some_and(|found| found.rule.ignores())
    }
}

fn below_folder<'a>(path: &'a [u8], folder: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(folder)?.strip_prefix(b"/")
}

impl Drop for Level {
    /// Takes a deep stack down in a loop: one level drops the next, and thousands would end the thread's stack.
    fn drop(&mut self) {
        let mut next = self.below.0.take();
        while let Some(level) = next {
            match Arc::try_unwrap(level) {
                Ok(mut level) => next = level.below.0.take(),
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(files: &[(&[u8], &[u8])]) -> RuleStack {
        files.iter().fold(RuleStack::with_builtins(), |stack, (folder, rules)| {
            stack.push(folder, Arc::new(RuleFile::parse(b".gitignore", rules)))
        })
    }

    #[test]
    fn a_deeper_file_wins() {
        let stack = stack(&[(b"", b"*.log\n"), (b"sub", b"!keep.log\n")]);
        assert!(!stack.ignores(b"sub/keep.log", false));
        assert!(stack.ignores(b"keep.log", false));
        assert!(stack.ignores(b"sub/other.log", false));
    }

    #[test]
    fn builtins_are_undone_by_any_rule() {
        assert!(stack(&[]).ignores(b"a/__pycache__", true));
        assert!(!stack(&[(b"", b"!__pycache__/\n")]).ignores(b"a/__pycache__", true));
        assert!(stack(&[]).ignores(b"scriptstep.toml", false));
        assert!(!stack(&[]).ignores(b"a/scriptstep.toml", false));
    }

    #[test]
    fn a_verdict_names_file_and_line() {
        let stack = stack(&[(b"", b"# c\n*.log\n")]);
        let found = stack.verdict(b"x/a.log", false).expect("a rule speaks of it");
        assert_eq!(
            (found.file.name(), found.rule.line, found.rule.text.as_slice()),
            (&b".gitignore"[..], 2, &b"*.log"[..])
        );
    }

    #[test]
    fn a_stack_of_100_000_levels_is_dropped() {
        let file = Arc::new(RuleFile::parse(b"f", b"a\n"));
        let mut stack = RuleStack::default();
        for _ in 0..100_000 {
            stack = stack.push(b"", Arc::clone(&file));
        }
        drop(stack);
    }
}
