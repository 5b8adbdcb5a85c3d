//! What git keeps of 1,370 small trees, by git itself; the walk here is in memory, so that rules alone are tested.

#![allow(clippy::disallowed_methods)] // A test reads its own data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scriptstep_core::rules::{RuleFile, RuleStack, is_never_content};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    trees: BTreeMap<String, Vec<Entry>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    entries: Vec<Entry>,
    tree: Option<String>,
    kept: Vec<Name>,
    exclude: Option<serde_json::Value>,
    icase: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Hex { px: String },
}

#[derive(Deserialize, Clone)]
struct Entry {
    p: Option<String>,
    px: Option<String>,
    t: Option<String>,
    c: Option<String>,
    cx: Option<String>,
    #[serde(skip)]
    bytes: Option<Vec<u8>>,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

impl Name {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex { px } => unhex(px),
        }
    }
}

impl Entry {
    fn path(&self) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            return bytes.clone();
        }
        self.p.clone().map_or_else(|| unhex(self.px.as_deref().unwrap_or_default()), String::into_bytes)
    }

    fn content(&self) -> Vec<u8> {
        self.c.clone().map_or_else(|| unhex(self.cx.as_deref().unwrap_or_default()), String::into_bytes)
    }
}

#[derive(Debug)]
enum Node {
    File(Vec<u8>),
    Link,
    Other,
    Folder(BTreeMap<Vec<u8>, Node>),
}

fn tree(entries: &[Entry]) -> BTreeMap<Vec<u8>, Node> {
    let mut root = BTreeMap::new();
    for entry in entries {
        let path = entry.path();
        let parts: Vec<&[u8]> = path.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
        let (last, folders) = parts.split_last().expect("a path");
        let mut here = &mut root;
        for folder in folders {
            let node = here.entry(folder.to_vec()).or_insert_with(|| Node::Folder(BTreeMap::new()));
            here = match node {
                Node::Folder(inner) => inner,
                _ => panic!("a file where a folder must be"),
            };
        }
        let node = match entry.t.as_deref() {
            None | Some("f") => Node::File(entry.content()),
            Some("l") => Node::Link,
            Some("d") => Node::Folder(BTreeMap::new()),
            _ => Node::Other,
        };
        here.entry(last.to_vec()).or_insert(node);
    }
    root
}

fn walk(folder: &BTreeMap<Vec<u8>, Node>, path: &[u8], above: &RuleStack, name: &[u8], kept: &mut BTreeSet<Vec<u8>>) {
    let stack = match folder.get(name) {
        Some(Node::File(bytes)) => above.push(path, Arc::new(RuleFile::parse(name, bytes))),
        _ => above.clone(),
    };
    for (part, node) in folder {
        let mut full = path.to_vec();
        if !full.is_empty() {
            full.push(b'/');
        }
        full.extend_from_slice(part);
        if is_never_content(part) || stack.ignores(&full, matches!(node, Node::Folder(_))) {
            continue;
        }
        match node {
            Node::Folder(inner) => walk(inner, &full, &stack, name, kept),
            Node::Other => {}
            _ => {
                kept.insert(full);
            }
        }
    }
}

fn renamed(bytes: &[u8], to: &str) -> Vec<u8> {
    let parts: Vec<&[u8]> =
        bytes.split(|&b| b == b'/').map(|part| if part == b".gitignore" { to.as_bytes() } else { part }).collect();
    parts.join(&b'/')
}

fn disagreements(rule_file: &str) -> Vec<String> {
    let text =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/ignore_cases.json")).expect("the cases");
    let all: Cases = serde_json::from_slice(&text).expect("the cases' format");
    let mut compared = 0;
    let mut wrong = Vec::new();
    for case in &all.cases {
        if case.exclude.is_some() || case.icase.is_some() {
            continue;
        }
        compared += 1;
        let mut entries = case.entries.clone();
        if let Some(name) = &case.tree {
            entries.extend(all.trees[name].iter().cloned());
        }
        for entry in &mut entries {
            entry.bytes = Some(renamed(&entry.path(), rule_file));
        }
        let mut kept = BTreeSet::new();
        walk(&tree(&entries), b"", &RuleStack::default(), rule_file.as_bytes(), &mut kept);
        let mut expected: BTreeSet<Vec<u8>> = case.kept.iter().map(|name| renamed(&name.bytes(), rule_file)).collect();
        if rule_file != ".gitignore" {
            // Some rules speak of `.gitignore` by name, so that of the renamed files themselves nothing is known.
            let is_rule_file = |path: &Vec<u8>| path.rsplit(|&b| b == b'/').next() == Some(rule_file.as_bytes());
            kept.retain(|path| !is_rule_file(path));
            expected.retain(|path| !is_rule_file(path));
        }
        if kept != expected {
            let show =
                |set: Vec<&Vec<u8>>| set.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect::<Vec<_>>();
            wrong.push(format!(
                "{}: lost {:?}, took in {:?}",
                case.id,
                show(expected.difference(&kept).collect()),
                show(kept.difference(&expected).collect())
            ));
        }
    }
    assert!(compared > 1_200, "only {compared} cases were compared");
    wrong
}

#[test]
fn every_case_is_kept_as_git_keeps_it() {
    assert_eq!(disagreements(".gitignore"), Vec::<String>::new());
}

#[test]
fn amlignore_files_keep_the_same() {
    assert_eq!(disagreements(".amlignore"), Vec::<String>::new());
}
