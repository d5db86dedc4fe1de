//! What wins over what, and what is read.

use std::io::Write as _;
use std::path::Path;

use super::{errors, from_file, pairs};
use crate::config::{Config, Readers, Subscribers};

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let file = Some(("openline.toml", "threads = 1\n[limits]\nsubscriptions = 1\nchannels = 1"));
    let environment = [("OPENLINE_THREADS", "2"), ("OPENLINE_LIMITS_SUBSCRIPTIONS", "2")];
    let flags = [("threads", "3")];
    let config = Config::read(file, pairs(&environment), pairs(&flags)).unwrap();
    assert_eq!(config.threads.map_or(0, |n| n.get()), 3);
    assert_eq!(config.limits.subscriptions, 2);
    assert_eq!(config.limits.channels, 1);
    assert_eq!(config.limits.presence_page, 1000);
}

#[test]
fn without_a_file_everything_is_open_and_with_one_every_guard_is_on() {
    let bare = Config::read(None, [], []).unwrap();
    assert_eq!(bare, Config::default());
    assert!(bare.demo && bare.auth.anonymous && !bare.strict_namespaces);
    assert_eq!(bare.limits.connections_per_ip, None);
    assert_eq!(bare.rates.publish, None);
    assert_eq!(bare.namespace.default.history_read, Readers::Anyone);
    assert!(bare.warnings().is_empty());

    let guarded = from_file("");
    assert!(!guarded.demo && !guarded.auth.anonymous && guarded.strict_namespaces);
    assert_eq!(guarded.limits.connections_per_ip.map_or(0, |n| n.get()), 100);
    assert!(guarded.rates.publish.is_some());
    assert_eq!(guarded.namespace.default.history_read, Readers::Subscribers);
    assert_eq!(guarded.warnings().len(), 1, "nobody can come in");
}

#[test]
fn a_namespace_takes_what_it_leaves_out_from_the_default_one() {
    // The default one comes last here, and is read first all the same.
    let config = from_file(
        "[auth]\nkeys = [{secret_file = \"x\"}]\n[namespace.chat]\nfrom = true\n\
         [namespace.default]\nsubscribe = \"token\"\nhistory_size = 7",
    );
    let chat = config.namespace_of("chat").unwrap();
    assert_eq!((chat.from, chat.history_size, chat.subscribe), (true, 7, Subscribers::Token));
    let default = config.namespace_of("").unwrap();
    assert_eq!((default.from, default.history_size), (false, 7));
    assert_eq!(config.namespace_of("other"), None);
    assert_eq!(Config::default().namespace_of("other"), Config::default().namespace_of(""));
}

#[test]
fn a_table_in_brackets_dotted_or_inline_is_the_same() {
    let one = from_file("[namespace.chat]\nfrom = true\n[log]\nformat = \"json\"");
    assert_eq!(one, from_file("namespace.chat.from = true\nlog.format = \"json\""));
    assert_eq!(one, from_file("namespace = {chat = {from = true}}\nlog = {format = \"json\"}"));
}

#[test]
fn lists_come_from_files_variables_and_repeated_flags() {
    let origins = |config: Config| -> Vec<String> {
        config.http.allowed_origins.iter().map(ToString::to_string).collect()
    };
    let both = ["https://a.example", "https://b.example"];
    let file = "http.allowed_origins = [\"https://a.example\", \"https://b.example\"]";
    assert_eq!(origins(from_file(file)), both);
    let variable = [("OPENLINE_HTTP_ALLOWED_ORIGINS", "https://a.example, https://b.example")];
    assert_eq!(origins(Config::read(None, pairs(&variable), []).unwrap()), both);
    let flags = both.map(|origin| ("http.allowed_origins", origin));
    assert_eq!(origins(Config::read(None, [], pairs(&flags)).unwrap()), both);
    let emptied = [("OPENLINE_HTTP_ALLOWED_ORIGINS", "")];
    let file = Some(("openline.toml", file));
    assert!(origins(Config::read(file, pairs(&emptied), []).unwrap()).is_empty());
}

#[test]
fn keys_for_tokens_can_be_a_variable() {
    let secret = "0123456789abcdef0123456789abcdef";
    let text = format!("[{{id = \"a\", secret = \"{secret}\"}}]");
    let config = Config::read(None, pairs(&[("OPENLINE_AUTH_KEYS", &text)]), []).unwrap();
    let key = &config.auth.keys[0];
    assert_eq!(key.secret.as_ref().unwrap().expose(), secret);
    assert!(!format!("{config:?}").contains(secret));
    let file = format!("[[auth.keys]]\nid = \"a\"\nsecret = \"{secret}\"");
    assert_eq!(from_file(&file).auth.keys, config.auth.keys);
}

#[test]
fn what_is_set_can_be_unset_again() {
    let file = Some(("openline.toml", "auth.jwks_url = \"https://a.example\""));
    let environment = [("OPENLINE_AUTH_JWKS_URL", ""), ("OPENLINE_RATES_PUBLISH", "off")];
    let config = Config::read(file, pairs(&environment), []).unwrap();
    assert_eq!((config.auth.jwks_url, config.rates.publish), (None, None));
}

#[test]
fn files_that_the_configuration_names_are_looked_for() {
    let config = from_file(
        "[tls]\ncertificate = \"/none/a.pem\"\nkey = \"/none/b.pem\"\n\
         [[tls.certificates]]\ncertificate = \"/none/d\"\nkey = \"/none/e\"\n\
         [auth]\nkeys = [{secret_file = \"/none/c\"}]",
    );
    let said: Vec<String> = config.unreadable_files().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 5);
    assert!(said[0].starts_with("/none/a.pem: tls.certificate cannot be opened: "), "{said:?}");
    assert!(said[2].starts_with("/none/d: tls.certificates cannot be opened: "), "{said:?}");
    assert!(said[4].starts_with("/none/c: auth.keys cannot be opened: "), "{said:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let load = |path: &Path| Config::load(Some(path), [], []).unwrap_err()[0].to_string();
    let said = load(Path::new("/none/openline.toml"));
    assert!(said.starts_with("/none/openline.toml: cannot be opened: "), "{said}");

    let path = std::env::temp_dir().join(format!("openline-config-{}.toml", std::process::id()));
    let write = |bytes: &[u8]| {
        std::fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).unwrap();
        let said = load(&path);
        said.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    assert_eq!(write(b"# \xff"), "not UTF-8 at byte 2");
    assert_eq!(write(&vec![b'#'; (1 << 20) + 1]), "longer than 1 MiB; that is no configuration");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_with_a_byte_order_mark_or_other_line_ends_is_read() {
    assert_eq!(errors("\u{feff}# nothing\r\n[log]\r\nlevel = \"warn\"\r\n"), [""; 0]);
}
