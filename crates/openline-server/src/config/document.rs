//! The keys as text: the file that `openline config default` prints, and docs/config.md.

use super::Section;
use super::keys::Config;
use super::list::{LISTS, List, is_list};
use super::table::{Change, Key};

const WIDTH: usize = 96;

const FILE_INTRODUCTION: [&str; 3] = [
    "Openline's configuration. Every key stands here with its default, commented out.",
    "Each is an environment variable and a flag too: http.allowed_origins is \
     OPENLINE_HTTP_ALLOWED_ORIGINS and --http-allowed-origins. A flag wins over a variable, a \
     variable over the file.",
    "Paths are relative to the folder that the program is started in.",
];

const PAGE_INTRODUCTION: &str = "\
# Configuration

<!-- Made from crates/openline-server/src/config/keys.rs by that crate's tests: see the end. -->

`openline serve --config openline.toml` reads one TOML file. Each key is an environment variable
and a flag too, and they stand below with it: a flag wins over a variable, a variable over the file,
the file over the default. In a variable, and in a flag that is not repeated, the items of a list
are separated by commas. Namespaces are written in the file alone. Flags are seen by everyone who
lists the machine's processes, so secrets belong in the file or a variable.

`openline config default` prints a file with every key commented out, `openline config check FILE`
says what is wrong with one. A server that is told something wrong does not start: it exits with 78
and names the line, the variable or the flag.

Without a file `openline serve` is a server to try things with on the own machine: everyone may do
everything, the demos are on, and nothing is limited by address or rate. With one, even an empty
one, the demos are off and every guard is on; where that changes a default, both are given. Other
machines are let in without authentication only with `insecure_dev`.

Keys that are *live* have another value with a reload, while the server runs; *live for new lines*
means that lines that are open keep what they were opened with. All others need a restart, and a
reload that would change one of them is refused: see [Reloading](operations.md#reloading).

Paths are relative to the folder that the program is started in.
";

const PAGE_END: &str = "
---

This page is generated. After a change of a key: `BLESS=1 cargo test -p openline-server config`.
";

/// A configuration file with every key, its meaning and its default, commented out.
pub fn default_file() -> String {
    let mut file = String::new();
    for paragraph in FILE_INTRODUCTION {
        push_comment(&mut file, paragraph, "# ");
    }
    push_keys(&mut file, Config::KEYS);
    for section in Config::SECTIONS {
        file.push('\n');
        push_comment(&mut file, &joined(section.about), "# ");
        file.push_str(&format!("[{}]\n", header(section)));
        push_keys(&mut file, section.keys);
    }
    file
}

/// The page that describes every key, docs/config.md.
pub fn markdown() -> String {
    let mut page = PAGE_INTRODUCTION.to_owned();
    page.push_str("\n## Before the first table\n\n");
    push_wrapped(&mut page, &joined(Config::ABOUT), "");
    Config::KEYS.iter().for_each(|key| push_entry(&mut page, key, &key.path()));
    for section in Config::SECTIONS {
        page.push_str(&format!("\n## `[{}]`\n\n", header(section)));
        push_wrapped(&mut page, &joined(section.about), "");
        for key in section.keys {
            push_entry(&mut page, key, &format!("{}.{}", header(section), key.name));
        }
        for list in LISTS.iter().filter(|list| belongs(list, section)) {
            page.push_str(&format!("\n## `[[{}]]`\n\n", list.path));
            push_wrapped(&mut page, &joined(list.about), "");
            for key in list.keys {
                push_entry(&mut page, key, &key.path());
            }
        }
    }
    page.push_str(PAGE_END);
    page
}

/// The section as a file names it; of namespaces the one that is always there.
fn header(section: &Section) -> &'static str {
    if section.name == "namespace" { "namespace.default" } else { section.name }
}

/// Whether the list is the value of a key of the section.
fn belongs(list: &List, section: &Section) -> bool {
    list.path.split_once('.').is_some_and(|(table, _)| table == section.name)
}

fn push_keys(file: &mut String, keys: &[Key]) {
    for key in keys {
        file.push('\n');
        push_comment(file, &key.meaning(), "# ");
        if !key.is_switch {
            push_comment(file, &format!("{}.", capital(&key.expected())), "# ");
        }
        for list in LISTS.iter().filter(|list| list.path == key.path()) {
            for part in list.keys {
                let text = format!("{}: {}", part.name, part.meaning());
                push_comment(file, &text, "#   ");
            }
        }
        file.push_str(&format!("#{} = {}\n", key.name, key.default));
    }
}

fn push_entry(page: &mut String, key: &Key, path: &str) {
    let default = match key.default_without_file {
        None => format!("default `{}`", key.default),
        Some(bare) => format!("default `{}`, without a file `{bare}`", key.default),
    };
    let names = match key.section {
        "namespace" => String::new(),
        list if is_list(list) => String::new(),
        _ => format!("`{}` · `--{}` · ", key.variable(), key.flag()),
    };
    let change = match key.change {
        Change::Live => "live".to_owned(),
        Change::LiveForNew(whom) => format!("live for {}", whom.replace('_', " ")),
        Change::Restart => "needs a restart".to_owned(),
    };
    page.push_str(&format!("\n### `{path}`\n\n{names}{default} · {change}\n\n"));
    push_wrapped(page, &quotes_as_code(&key.meaning()), "");
    if !key.is_switch {
        page.push('\n');
        push_wrapped(page, &quotes_as_code(&format!("{}.", capital(&key.expected()))), "");
    }
}

fn push_comment(file: &mut String, text: &str, mark: &str) {
    push_wrapped(file, &text.replace('`', ""), mark);
}

/// Breaks the text between words, each line after the mark.
fn push_wrapped(out: &mut String, text: &str, mark: &str) {
    let mut length = 0;
    for word in text.split_whitespace() {
        let needed = word.chars().count() + 1;
        if length > 0 && length + needed > WIDTH {
            out.push('\n');
            length = 0;
        }
        if length == 0 {
            out.push_str(mark);
            length = mark.len() + needed - 1;
        } else {
            out.push(' ');
            length += needed;
        }
        out.push_str(word);
    }
    out.push('\n');
}

/// Sets what is in quotes as code, so that stars and brackets in it are only that.
fn quotes_as_code(text: &str) -> String {
    let parts = text.split('"').enumerate();
    parts.fold(String::new(), |out, (index, part)| match index % 2 {
        0 => out + part,
        _ => format!("{out}`\"{part}\"`"),
    })
}

fn joined(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
