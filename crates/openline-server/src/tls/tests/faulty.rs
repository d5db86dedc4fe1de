//! Files that cannot be used, and what is said about them.

use std::time::SystemTime;

use super::super::certificate::Certificate;
use super::{Authority, DAY};

/// What is wrong with `file.pem` and `file.key`, without the folder.
fn fault(authority: &Authority, certificate: &str, key: &str) -> String {
    let (certificate, key) = (authority.folder.join(certificate), authority.folder.join(key));
    let fault = Certificate::from_files(&certificate, &key).unwrap_err().to_string();
    fault.replace(&format!("{}/", authority.folder.display()), "")
}

#[test]
fn what_is_wrong_is_said_with_the_file_it_is_in() {
    let authority = Authority::new();
    authority.issue("own", &["a.example"], 90);
    authority.issue("other", &["b.example"], 90);
    let (own, key) = (authority.read("own.pem"), authority.read("own.key"));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let half = &own[..own.len() / 2];
    let broken = own.replacen('M', "*", 1);
    for (file, text) in [
        ("empty.pem", ""),
        ("text.pem", "hello"),
        ("half.pem", half),
        ("broken.pem", &broken),
        ("encrypted.key", &encrypted),
        ("old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n"),
        ("binary.pem", "0\u{1}"),
        ("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("garbage.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    ] {
        authority.write(file, text);
    }
    let how = "the key is encrypted; write it without a passphrase, for the server alone to read \
               (openssl pkey -in FILE)";
    for (certificate, key, said) in [
        ("none.pem", "own.key", "none.pem: No such file or directory (os error 2)".to_owned()),
        ("own.pem", "none.key", "none.key: No such file or directory (os error 2)".to_owned()),
        ("empty.pem", "own.key", "empty.pem: there is no certificate in it".to_owned()),
        ("text.pem", "own.key", "text.pem: there is no certificate in it".to_owned()),
        ("own.key", "own.key", "own.key: there is no certificate in it, but a key".to_owned()),
        (
            "binary.pem",
            "own.key",
            "binary.pem: there is no certificate in it; it looks like DER, PEM is needed (openssl \
             x509 -inform der -in FILE)"
                .to_owned(),
        ),
        ("own.pem", "empty.pem", "empty.pem: there is no private key in it".to_owned()),
        (
            "own.pem",
            "own.pem",
            "own.pem: there is no private key in it, but a certificate".to_owned(),
        ),
        ("own.pem", "encrypted.key", format!("encrypted.key: {how}")),
        ("own.pem", "old.key", format!("old.key: {how}")),
        ("own.pem", "other.key", "other.key: this is not the key of own.pem".to_owned()),
    ] {
        assert_eq!(fault(&authority, certificate, key), said);
    }
    for (certificate, key, begin) in [
        ("half.pem", "own.key", "half.pem: the PEM in it is broken: "),
        ("broken.pem", "own.key", "broken.pem: the PEM in it is broken: "),
        ("garbage.pem", "own.key", "garbage.pem: the certificate is broken: "),
        ("own.pem", "garbage.key", "garbage.key: the key is of a kind that TLS here does not use"),
    ] {
        let said = fault(&authority, certificate, key);
        assert!(said.starts_with(begin), "{said}");
    }
}

#[test]
fn a_chain_that_begins_with_its_authority_is_explained() {
    let authority = Authority::new();
    authority.issue("own", &["a.example"], 90);
    authority.issue("above", &["authority.example"], 90);
    let (own, above) = (authority.read("own.pem"), authority.read("above.pem"));
    authority.write("chain.pem", &format!("{above}{own}"));
    assert_eq!(
        fault(&authority, "chain.pem", "own.key").replace("chain.pem", "CHAIN"),
        "own.key: this is not the key of CHAIN: the server's own certificate has to be the first \
         in the file"
    );
    authority.write("chain.pem", &format!("{own}{above}"));
    let folder = &authority.folder;
    let read = Certificate::from_files(&folder.join("chain.pem"), &folder.join("own.key")).unwrap();
    assert_eq!(read.key.cert.len(), 2);
    assert_eq!(read.names, ["a.example"]);
}

#[test]
fn key_and_certificate_may_be_in_one_file() {
    let authority = Authority::new();
    authority.issue("own", &["a.example"], 90);
    let both = authority.read("own.key") + &authority.read("own.pem");
    authority.write("both.pem", &both);
    let file = authority.folder.join("both.pem");
    assert_eq!(Certificate::from_files(&file, &file).unwrap().names, ["a.example"]);
}

#[test]
fn certificates_near_their_end_are_told() {
    let authority = Authority::new();
    let now = SystemTime::now();
    let file = |end: &str| authority.folder.join(format!("own.{end}"));
    let doubt = |from, to| {
        authority.issue_between("own", &["a.example"], from, to);
        let read = Certificate::from_files(&file("pem"), &file("key")).unwrap();
        read.doubt(now).map(|doubt| doubt.replace(&file("pem").display().to_string(), "FILE"))
    };
    let hour = DAY / 24;
    assert_eq!(doubt(now - DAY, now + DAY * 89), None);
    let said = doubt(now - DAY * 80, now + DAY * 10 + hour);
    assert_eq!(said.unwrap(), "the certificate FILE expires in 10 days");
    // A certificate for six days is not told of for all of them.
    assert_eq!(doubt(now - DAY * 3, now + DAY * 3), None);
    let said = doubt(now - DAY * 5, now + DAY + hour / 2);
    assert_eq!(said.unwrap(), "the certificate FILE expires in 24 hours");
    let said = doubt(now - DAY * 2, now - DAY);
    assert_eq!(said.unwrap(), "the certificate FILE has expired: clients refuse it");
    let said = doubt(now + DAY, now + DAY * 9);
    assert_eq!(said.unwrap(), "the certificate FILE is not valid yet: clients refuse it");
}
