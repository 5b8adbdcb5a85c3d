//! Ignore rules, exactly as git reads them, in time linear in pattern and path.
//!
//! A rule file is parsed once ([`RuleFile::parse`]); the files in force for a directory form a [`RuleStack`], cheap to
//! extend on the way down; [`RuleStack::verdict`] says which rule decides about an entry, if any does.
//!
//! ```
//! use scriptstep_core::rules::{RuleFile, RuleStack};
//! use std::sync::Arc;
//!
//! let file = Arc::new(RuleFile::parse(b".gitignore", b"*.log\n!keep.log\n"));
//! let stack = RuleStack::default().push(b"", file);
//! assert!(stack.verdict(b"a/b.log", false).is_some_and(|found| found.rule.ignores()));
//! assert!(stack.verdict(b"keep.log", false).is_some_and(|found| !found.rule.ignores()));
//! assert!(stack.verdict(b"main.py", false).is_none());
//! ```

mod index;
mod matcher;
mod parse;
mod sdk;
mod stack;

pub use matcher::Pattern;
pub use parse::{Rule, RuleFile};
pub use sdk::SdkRules;
pub use stack::{RuleRef, RuleStack, builtin_rules, is_never_content};

/// The largest rule file that is read, in bytes; a larger one is an error, never an empty one.
pub const MAX_RULE_FILE_BYTES: u64 = 1 << 20;
