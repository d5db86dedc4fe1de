//! What is said about files, variables and flags that are wrong.

use super::{errors, errors_of};

/// A broken file, and the whole of what is said about it.
pub(crate) const BROKEN: &[(&str, &str)] = &[
    // Names.
    (
        "[namespace.chat]\n\n  histroy_size = 5",
        "openline.toml:3:3: unknown key \"histroy_size\" in [namespace.chat]; did you mean \
         \"history_size\"?",
    ),
    ("lisen = 1", "openline.toml:1:1: unknown key \"lisen\"; did you mean \"listen\"?"),
    (
        "[http]\nallowed-origins = []",
        "openline.toml:2:1: unknown key \"allowed-origins\" in [http]; did you mean \
         \"allowed_origins\"?",
    ),
    (
        "[tls]\ncert = \"a.pem\"",
        "openline.toml:2:1: unknown key \"cert\" in [tls]; did you mean \"certificate\"?",
    ),
    (
        "[[tls.certificates]]\ncertificate = \"a.pem\"\nkeys = \"a.key\"",
        "openline.toml:3:1: unknown key \"keys\" in tls.certificates; did you mean \"key\"?",
    ),
    (
        "[tls]\ncertificates = [\"a.pem\"]",
        "openline.toml:2:17: tls.certificates: this is not a list of tables, as in [{certificate = \
         \"a.pem\", key = \"a.key\"}]",
    ),
    (
        "[tls]\nacme_domains = [\"*.a.example\"]",
        "openline.toml:2:17: tls.acme_domains: \"*.a.example\" is not a name of this server, as in \
         \"a.example\" (not an address, and without \"*\")",
    ),
    (
        "[tls]\nlisten = \"127.0.0.1:1\"",
        "openline.toml:2:1: unknown key \"listen\" in [tls]; it belongs before the first table",
    ),
    (
        "allowed_origins = []",
        "openline.toml:1:1: unknown key \"allowed_origins\"; it belongs in [http]",
    ),
    (
        "[history]\nhistory_size = 5",
        "openline.toml:2:1: unknown key \"history_size\" in [history]; it belongs in \
         [namespace.default] or another namespace",
    ),
    ("[log]\ncolour = true", "openline.toml:2:1: unknown key \"colour\" in [log]"),
    ("[limit]\n", "openline.toml:1:2: unknown table \"limit\"; did you mean [limits]?"),
    ("[database]\n", "openline.toml:1:2: unknown table \"database\""),
    (
        "auth.keys = [{algorithm = \"HS256\", secrt = \"x\"}]",
        "openline.toml:1:36: unknown key \"secrt\" in auth.keys; did you mean \"secret\"?",
    ),
    // Types.
    (
        "listen = 8000",
        "openline.toml:1:10: listen: 8000 is not an address and a port, as in \"127.0.0.1:8000\" \
         or \"[::1]:8000\"",
    ),
    (
        "listen = \"localhost:8000\"",
        "openline.toml:1:10: listen: \"localhost:8000\" is not an address and a port, as in \
         \"127.0.0.1:8000\" or \"[::1]:8000\"",
    ),
    ("ephemeral = \"yes\"", "openline.toml:1:13: ephemeral: \"yes\" is not true or false"),
    ("http = true", "openline.toml:1:8: http is a table; write [http]"),
    (
        "[listen]",
        "openline.toml:1:1: listen: a table is not an address and a port, as in \
      \"127.0.0.1:8000\" or \"[::1]:8000\"",
    ),
    (
        "http.allowed_origins = \"https://a.example\"",
        "openline.toml:1:24: http.allowed_origins: \"https://a.example\" is not a list; write \
         [\"https://a.example\"]",
    ),
    (
        "[limits]\nsubscriptions = 1.5",
        "openline.toml:2:17: limits.subscriptions: 1.5 is not a whole number from 0 to 4294967295",
    ),
    (
        "[limits]\nsubscriptions = -1",
        "openline.toml:2:17: limits.subscriptions: -1 is not a whole number from 0 to 4294967295",
    ),
    (
        "api.keys = \"swordfish\"",
        "openline.toml:1:12: api.keys: this is not a list; write it in [ ]",
    ),
    (
        "api.keys = [\"a long enough key\", 7]",
        "openline.toml:1:34: api.keys: this is not secret text",
    ),
    (
        "auth.keys = \"swordfish\"",
        "openline.toml:1:13: auth.keys: this is not a list of tables, as in [{algorithm = \
         \"HS256\", secret_file = \"token.key\"}]",
    ),
    // Values.
    (
        "auth.leeway = \"30\"",
        "openline.toml:1:15: auth.leeway: \"30\" is not a duration with its unit (ms, s, m, h, d), \
         as in \"30s\"",
    ),
    (
        "auth.leeway = \"1h\"",
        "openline.toml:1:15: auth.leeway: \"1h\" is out of range; write from \"0s\" to \"5m\"",
    ),
    (
        "limits.queue = \"1MB\"",
        "openline.toml:1:16: limits.queue: \"1MB\" is not a size with its unit (B, KiB, MiB, GiB, \
         TiB), as in \"1MiB\"",
    ),
    (
        "limits.subscriptions = 0",
        "openline.toml:1:24: limits.subscriptions: 0 is out of range; write from 1 to 100000",
    ),
    (
        "rates.publish = \"20\"",
        "openline.toml:1:17: rates.publish: \"20\" is not a rate, as in \"20/s burst 40\"",
    ),
    (
        "history.level = \"disk\"",
        "openline.toml:1:17: history.level: \"disk\" is not one of \"memory\", \"os\" or \"fsync\"",
    ),
    (
        "http.allowed_origins = [\n  \"https://a.example\",\n  \"https://*b.example\",\n]",
        "openline.toml:3:3: http.allowed_origins: \"https://*b.example\" is not an origin: \
         \"https://a.example\", \"https://*.a.example\" (for one label), or \"*\" alone",
    ),
    (
        "http.trusted_proxies = [\"10.0.0.1/8\"]",
        "openline.toml:1:25: http.trusted_proxies: \"10.0.0.1/8\" is not an address or a network, \
         as in \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"",
    ),
    (
        "webhook.decide = [\"conect\"]",
        "openline.toml:1:19: webhook.decide: \"conect\" is not one of \"connect\", \"subscribe\", \
         \"publish\" or \"request\"",
    ),
    (
        "auth.keys = [{algorithm = \"none\"}]",
        "openline.toml:1:27: auth.keys.algorithm: \"none\" is not one of \"HS256\", \"HS384\", \
         \"HS512\", \"RS256\", \"ES256\" or \"EdDSA\"",
    ),
    // Namespaces.
    (
        "[namespace]\nhistory_size = 5",
        "openline.toml:2:1: \"history_size\" belongs in a namespace; write it in [namespace.default]",
    ),
    ("namespace.chat = 5", "openline.toml:1:11: \"chat\" is a table; write [namespace.…]"),
    ("namespace = 5", "openline.toml:1:13: namespace is a table; write [namespace.default]"),
    (
        "[namespace.\"a:b\"]",
        "openline.toml:1:12: \"a:b\" cannot be a namespace; its name has 1 to 64 letters, digits, _ \
         and -",
    ),
    // TOML.
    ("[http\n", "openline.toml:1:6: not TOML: unclosed table, expected `]`"),
    ("demo = true\ndemo = true", "openline.toml:2:1: not TOML: duplicate key"),
    (
        "demo = yes",
        "openline.toml:1:8: not TOML: string values must be quoted, expected literal string",
    ),
    // Places are counted in characters, and a byte order mark is none.
    ("\u{feff}lisen = 1", "openline.toml:1:1: unknown key \"lisen\"; did you mean \"listen\"?"),
    (
        "auth.keys = [{id = \"ключ\", kid = 1}]",
        "openline.toml:1:28: unknown key \"kid\" in auth.keys; did you mean \"id\"?",
    ),
];

#[test]
fn a_broken_file_is_told_what_is_wrong_and_where() {
    for (file, said) in BROKEN {
        assert_eq!(errors(file), [*said], "{file}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_in_the_files_order() {
    let file = "listen = 1\n[zzz]\n[auth]\nleeway = 1\n[log]\nlevel = 1\nfromat = 2";
    let lines: Vec<String> =
        errors(file).iter().map(|error| error.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "openline.toml:1:10:",
            "openline.toml:2:2:",
            "openline.toml:4:10:",
            "openline.toml:6:9:",
            "openline.toml:7:1:"
        ]
    );
}

#[test]
fn a_hostile_file_is_answered_briefly() {
    let long = format!("{} = 1\n[{}]\n\"a\\nb\" = 1", "k".repeat(100_000), "t".repeat(100_000));
    let said = errors(&long);
    assert_eq!(said.len(), 2, "the second table is unknown as a whole");
    assert!(said.iter().all(|error| error.len() < 200 && !error.contains('\n')));
    let many: String = (0..1000).map(|number| format!("key_{number} = 1\n")).collect();
    assert_eq!(errors(&many).len(), 100);
    let deep = format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(errors(&deep).len(), 1);
}

/// Keys that are right each by itself, and what is said about them together.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "listen = \"0.0.0.0:8000\"\nauth.anonymous = true\nhttp.allowed_origins = [\"*\"]",
        "auth.anonymous=true with http.allowed_origins=[\"*\"] on 0.0.0.0:8000; set \
         --insecure-dev to allow this",
    ),
    (
        "listen = \"[::]:8000\"\nauth.anonymous = true",
        "auth.anonymous=true on [::]:8000; set --insecure-dev to allow this",
    ),
    ("tls.certificate = \"a.pem\"", "tls.certificate without tls.key; set both"),
    ("tls.key = \"a.pem\"", "tls.key without tls.certificate; set both"),
    (
        "[[tls.certificates]]\ncertificate = \"a.pem\"",
        "tls.certificates[0] needs certificate and key",
    ),
    ("tls.acme_domains = [\"a.example\", \"A.Example\"]", "tls.acme_domains has a.example twice"),
    (
        "ephemeral = true\ntls.acme_domains = [\"a.example\"]",
        "tls.acme_domains with ephemeral=true: each start would order certificates anew, which \
         authorities allow a few times; set data_dir",
    ),
    (
        "tls.acme_domains = [\"a.example\"]\ntls.acme_directory = \"http://acme.example\"",
        "tls.acme_directory has to begin with https://",
    ),
    ("tls.acme_ca = \"ca.pem\"", "tls.acme_ca without tls.acme_domains; say for which names"),
    (
        "http.trusted_proxies = [\"::/0\"]",
        "http.trusted_proxies=[\"::/0\"] believes every client about its address; name the \
         proxies",
    ),
    (
        "http.proxy_protocol = true",
        "http.proxy_protocol=true without http.trusted_proxies; name the proxies",
    ),
    (
        "auth.handshake = true",
        "auth.handshake=true without auth.keys and auth.jwks_url; set one to check tokens",
    ),
    (
        "auth.query = true",
        "auth.query=true without auth.keys and auth.jwks_url; set one to check tokens",
    ),
    (
        "namespace.chat.subscribe = \"token\"",
        "namespace.chat.subscribe=\"token\" without auth.keys and auth.jwks_url; set one to check \
         tokens",
    ),
    (
        "auth.cookie = \"session\"",
        "auth.cookie=\"session\" without auth.keys and auth.jwks_url; set one to check tokens",
    ),
    (
        "auth.jwks_url = \"https://a.example\"\nauth.cookie = \"session\"\n\
         http.allowed_origins = [\"*\"]",
        "auth.cookie=\"session\" with http.allowed_origins=[\"*\"]: any page could act for its \
         visitors; name the origins",
    ),
    (
        "listen = \"0.0.0.0:1\"\nauth.jwks_url = \"https://a.example\"\nauth.cookie = \"session\"",
        "auth.cookie=\"session\" without http.allowed_origins; name the origins",
    ),
    (
        "auth.jwks_url = \"http://a.example\"",
        "auth.jwks_url has to begin with https://; plain HTTP is for this machine",
    ),
    ("auth.keys = [{}]", "auth.keys[0]: HS256 needs secret or secret_file"),
    ("auth.keys = [{algorithm = \"RS256\"}]", "auth.keys[0]: RS256 needs public_key_file"),
    (
        "auth.keys = [{algorithm = \"HS256\", public_key_file = \"rsa.pem\"}]",
        "auth.keys[0]: HS256 takes secret or secret_file, not public_key_file",
    ),
    (
        "auth.keys = [{algorithm = \"EdDSA\", secret = \"x\"}]",
        "auth.keys[0]: EdDSA takes public_key_file, not secret",
    ),
    (
        "auth.keys = [{secret = \"x\", secret_file = \"y\"}]",
        "auth.keys[0]: secret and secret_file; set one of them",
    ),
    (
        "auth.keys = [{algorithm = \"HS384\", secret = \"swordfish\"}]",
        "auth.keys[0]: the secret has 9 bytes; 32 are the least",
    ),
    (
        "auth.keys = [{id = \"a\", secret_file = \"x\"}, {id = \"a\", secret_file = \"y\"}]",
        "auth.keys[1]: another key has the id \"a\" too",
    ),
    ("api.keys = [\"swordfish\"]", "api.keys[0] has 9 characters; 32 are the least"),
    (
        "api.keys = [\"swordfish swordfish\"]",
        "api.keys[0] can only have printable ASCII, no spaces",
    ),
    (
        "webhook.url = \"https://a.example\"\nwebhook.events = [\"client.gone\"]",
        "webhook.url without webhook.secrets; set one to sign requests with",
    ),
    ("webhook.secrets = [\"swordfish\"]", "webhook.secrets[0] has 9 characters; 16 are the least"),
    (
        "http.allowed_origins = [\"*\", \"https://a.example\"]",
        "http.allowed_origins has \"*\" and others; with \"*\" the others mean nothing",
    ),
    (
        "http.allowed_hosts = [\"a.example\", \"*\"]",
        "http.allowed_hosts has \"*\" and others; with \"*\" the others mean nothing",
    ),
    ("webhook.decide = [\"connect\"]", "webhook.decide without webhook.url; say whom to ask"),
    (
        "webhook.events = [\"client.gone\"]",
        "webhook.events without webhook.url; say where to send them",
    ),
    (
        "limits.message = \"2MiB\"",
        "limits.message=\"2MiB\" with limits.queue=\"1MiB\": a message that fills the queue reaches \
         nobody; raise limits.queue",
    ),
    (
        "[broker]\nurl = \"nats://a.example\"\nca = \"a.pem\"",
        "broker.ca is for TLS, which broker.url does not ask for; begin it with rediss:// or tls://",
    ),
];

#[test]
fn keys_that_contradict_each_other_are_named() {
    for (file, said) in CONTRADICTIONS {
        assert_eq!(errors(file), [*said], "{file}");
    }
}

#[test]
fn what_is_refused_for_safety_can_be_allowed() {
    let file = "insecure_dev = true\nlisten = \"0.0.0.0:1\"\n[auth]\nanonymous = true\n\
                cookie = \"a\"\njwks_url = \"https://a.example\"";
    assert_eq!(errors(file), [""; 0]);
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let environment = [("OPENLINE_THREADS", "many"), ("OPENLINE_AUTH_KEYS", "swordfish")];
    let flags = [("http.allowed_origins", "*"), ("http.allowed_origins", "b.example")];
    assert_eq!(
        errors_of(None, &environment, &flags),
        [
            "OPENLINE_THREADS: \"many\" is not a whole number from 0 to 4294967295",
            "OPENLINE_AUTH_KEYS: this is not a list of tables, as in [{algorithm = \"HS256\", \
             secret_file = \"token.key\"}]",
            "--http-allowed-origins: \"b.example\" is not an origin: \"https://a.example\", \
             \"https://*.a.example\" (for one label), or \"*\" alone",
        ]
    );
}

#[test]
fn a_variable_that_looks_like_a_slip_is_an_error_and_others_are_left_alone() {
    let slips = [
        ("OPENLINE_LISTN", "1"),
        ("OPENLINE_NAMESPACE_CHAT_FROM", "true"),
        ("OPENLINE_TLS_CERT", "a.pem"),
    ];
    assert_eq!(
        errors_of(None, &slips, &[]),
        [
            "OPENLINE_LISTN: unknown variable; did you mean OPENLINE_LISTEN?",
            "OPENLINE_NAMESPACE_CHAT_FROM: namespaces have no variables; write [namespace.default] \
             in the file",
            "OPENLINE_TLS_CERT: unknown variable; did you mean OPENLINE_TLS_CERTIFICATE?",
        ]
    );
    // Kubernetes makes such for a service that is called openline.
    let others = [
        ("OPENLINE_SERVICE_HOST", "10.0.0.1"),
        ("OPENLINE_PORT", "tcp://10.0.0.1:80"),
        ("OPENLINE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("OPENLINE_CONFIG", "openline.toml"),
        ("OPENLINE_BIN", "target/debug/openline"),
        ("LISTEN", "1"),
    ];
    assert_eq!(errors_of(None, &others, &[]), [""; 0]);
}

#[test]
fn a_flag_that_does_not_exist_is_an_error() {
    assert_eq!(errors_of(None, &[], &[("nothing", "1")]), ["--nothing: unknown key \"nothing\""]);
}

#[test]
fn secrets_are_in_no_error() {
    for file in [
        "api.keys = \"swordfish\"",
        "api.keys = [\"swordfish\"]",
        "auth.keys = [\"swordfish\"]",
        "auth.keys = [{secret = [\"swordfish\"]}]",
        "auth.keys = [{secret = \"swordfish\"}]",
        "webhook.secrets = \"swordfish\"",
        "broker.url = \"redis//:swordfish@a.example\"",
    ] {
        let said = errors(file);
        assert!(!said.is_empty() && !said.concat().contains("swordfish"), "{said:?}");
    }
    let keys = "[{secret = \"swordfish\", algorithm = 1}]";
    let said = errors_of(None, &[("OPENLINE_AUTH_KEYS", keys)], &[("api.keys", "swordfish")]);
    assert!(!said.is_empty() && !said.concat().contains("swordfish"), "{said:?}");
}
