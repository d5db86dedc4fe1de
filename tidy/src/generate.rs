//! Reads a table of facts from a TOML file, and writes sources and documents from it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use toml::Table;

/// The whole of a generator's `main`: writes each path that does not hold its text yet. With the only
/// argument `--check` it writes nothing, and fails when something would be written.
pub fn run(generator: &str, outputs: &[(&str, String)]) -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => {
            eprintln!("usage: {generator} [--check]");
            return ExitCode::from(2);
        }
    };
    let mut stale = false;
    for (path, new) in outputs {
        if fs::read_to_string(root().join(path)).is_ok_and(|old| old == *new) {
            continue;
        }
        if check {
            eprintln!("{path} is not what `cargo run -p tidy --bin {generator}` writes");
            stale = true;
        } else {
            write(path, new);
            println!("wrote {path}");
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn write(path: &str, text: &str) {
    let file = root().join(path);
    let folder = file.parent().expect("a file is in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, text))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tidy/ is a folder of the root").to_owned()
}

/// A file of the repository.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A TOML file that holds nothing but lists of tables, `[[kind]]`.
pub struct Source {
    path: &'static str,
    tables: Table,
}

impl Source {
    /// Reads it, or says what is wrong with it and ends.
    pub fn read(path: &'static str) -> Self {
        let tables = text(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path, tables }
    }

    /// Takes all tables of a kind out of it; there have to be some.
    pub fn rows(&mut self, kind: &str) -> Vec<Row> {
        let Some(toml::Value::Array(rows)) = self.tables.remove(kind) else {
            panic!("{} has no [[{kind}]]", self.path);
        };
        let row = |value: toml::Value| match value {
            toml::Value::Table(table) => Row { path: self.path, table },
            other => panic!("{}: {other:?} is no table of [[{kind}]]", self.path),
        };
        rows.into_iter().map(row).collect()
    }

    /// Ends if there are kinds that nobody took.
    pub fn end(self) {
        let left: Vec<&String> = self.tables.keys().collect();
        assert!(left.is_empty(), "{}: nothing knows what {left:?} is", self.path);
    }
}

/// One table of the source. Asking for a field that is not there, or is of another type, ends.
pub struct Row {
    path: &'static str,
    table: Table,
}

impl Row {
    fn field(&self, name: &str) -> &toml::Value {
        let (path, table) = (self.path, &self.table);
        table.get(name).unwrap_or_else(|| panic!("{path}: {name} is missing in {table:?}"))
    }

    /// A text.
    pub fn str(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_else(|| panic!("{}: {name} must be text", self.path))
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> i64 {
        self.field(name).as_integer().unwrap_or_else(|| panic!("{}: {name}: a number", self.path))
    }

    /// A truth.
    pub fn flag(&self, name: &str) -> bool {
        let flag = self.field(name).as_bool();
        flag.unwrap_or_else(|| panic!("{}: {name}: true or false", self.path))
    }

    /// A list of texts.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let list = self.field(name).as_array();
        let list = list.unwrap_or_else(|| panic!("{}: {name} must be a list", self.path));
        let texts: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
        texts.unwrap_or_else(|| panic!("{}: {name} must be a list of texts", self.path))
    }
}

/// `invalid_json` and `setPresence` as `InvalidJson` and `SetPresence`.
pub fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

/// A sentence.
pub fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}

/// The words in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line from the start");
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The text as a comment of Rust's documentation.
pub fn doc_comment(out: &mut String, indent: &str, text: &str) {
    for line in wrapped(text, 100 - indent.len() - 4) {
        let _ = writeln!(out, "{indent}/// {line}");
    }
}

/// Puts `new` between `<!-- name: from source -->` and `<!-- /name -->` in a document.
pub fn fill(text: &mut String, (document, source): (&str, &str), name: &str, new: &str) {
    let begin = format!("<!-- {name}: from {source} -->\n");
    let end = format!("<!-- /{name} -->\n");
    let from = text.find(&begin).unwrap_or_else(|| panic!("{document} lacks {begin:?}"));
    let to = text.find(&end).unwrap_or_else(|| panic!("{document} lacks {end:?}"));
    text.replace_range(from + begin.len()..to, new);
}
