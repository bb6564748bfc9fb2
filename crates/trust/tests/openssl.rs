//! The certificates as another implementation sees them: `openssl` checks chains, names and
//! constraints, and makes the requests that are signed.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

use model::{DeviceId, Time};
use trust::{Authority, HostNames, TrustError};

const NOW: i64 = 1_795_982_400_000;
const DAY: i64 = 24 * 3_600_000;

fn names() -> HostNames {
    let address = IpAddr::V4(Ipv4Addr::new(192, 168, 10, 5));
    HostNames::new([address], ["kojo".to_owned(), "box.example.com".to_owned()])
}

fn openssl(folder: &Path, words: &str) -> (bool, String) {
    let done = Command::new("openssl")
        .current_dir(folder)
        .args(words.split(' '))
        .output()
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn openssl_accepts_the_box_under_its_names_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let now = Time::from_ms(NOW);
    let authority = Authority::open(folder.path(), &names(), now).unwrap();
    let own = authority.box_certificate(&names(), now).unwrap();
    assert_eq!(own.chain.len(), 1, "the authority is not sent along");
    let at = NOW / 1_000;
    let verify = |what: &str| {
        openssl(
            folder.path(),
            &format!(
                "verify -attime {at} -purpose sslserver -CAfile tls-ca.pem {what} tls-box.pem"
            ),
        )
    };
    for good in [
        "-verify_ip 192.168.10.5",
        "-verify_hostname kojo.local",
        "-verify_hostname box.example.com",
        "-verify_ip 127.0.0.1",
    ] {
        let (is_good, said) = verify(good);
        assert!(is_good, "{good}: {said}");
    }
    for bad in ["-verify_ip 192.168.10.6", "-verify_hostname example.com"] {
        assert!(!verify(bad).0, "{bad}");
    }
    // In ten years the box's certificate has ended, the authority has not.
    let later = at + 10 * 365 * 86_400;
    let old = openssl(
        folder.path(),
        &format!("verify -attime {later} -CAfile tls-ca.pem tls-box.pem"),
    );
    assert!(!old.0 && old.1.contains("expired"), "{}", old.1);
    let then = Time::from_ms(later * 1_000);
    authority.box_certificate(&names(), then).unwrap();
    let renewed = openssl(
        folder.path(),
        &format!("verify -attime {later} -CAfile tls-ca.pem tls-box.pem"),
    );
    assert!(renewed.0, "{}", renewed.1);
}

#[test]
fn the_authority_people_install_may_sign_private_names_only() {
    let folder = tempfile::tempdir().unwrap();
    Authority::open(folder.path(), &names(), Time::from_ms(NOW)).unwrap();
    // What OpenSSL signs is valid from now on, by the clock of this computer.
    let at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 60;
    let sign = |name: &str| {
        std::fs::write(
            folder.path().join("ext"),
            format!("subjectAltName={name}\n"),
        )
        .unwrap();
        let made = openssl(
            folder.path(),
            "req -new -newkey rsa:2048 -nodes -keyout stolen.key -out stolen.csr -subj /CN=stolen",
        );
        assert!(made.0, "{}", made.1);
        let signed = openssl(
            folder.path(),
            "x509 -req -in stolen.csr -CA tls-ca.pem -CAkey tls-ca.key -out stolen.pem -days 36500 -extfile ext",
        );
        assert!(signed.0, "{}", signed.1);
        openssl(
            folder.path(),
            &format!(
                "verify -attime {at} -partial_chain -no_check_time -CAfile tls-ca.pem stolen.pem"
            ),
        )
    };
    let bank = sign("DNS:www.bank.example");
    assert!(
        !bank.0 && bank.1.contains("permitted subtree violation"),
        "{}",
        bank.1
    );
    assert!(!sign("IP:8.8.8.8").0);
    assert!(sign("DNS:printer.local").0);
}

/// What an older program made: small devices could not read it.
#[test]
fn an_authority_that_devices_cannot_read_is_signed_anew_and_both_are_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let now = Time::from_ms(NOW);
    let made = openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 \
         -subj /CN=Mimamori-0a1b2c -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
         -addext keyUsage=critical,keyCertSign,cRLSign -addext \
         nameConstraints=critical,permitted;DNS:local,permitted;DNS:localhost \
         -keyout tls-ca.key -out tls-ca.pem",
    );
    assert!(made.0, "{}", made.1);
    std::fs::write(folder.path().join("tls-ca.names"), "").unwrap();
    std::fs::copy(
        folder.path().join("tls-ca.pem"),
        folder.path().join("old.pem"),
    )
    .unwrap();
    let constraints = || {
        let shown = openssl(folder.path(), "x509 -in tls-ca.pem -noout -text").1;
        let line = shown.lines().find(|line| line.contains("Name Constraints"));
        line.unwrap().trim().to_owned()
    };
    assert_eq!(constraints(), "X509v3 Name Constraints: critical");
    let only_local = HostNames::new([], ["kojo".to_owned()]);
    let authority = Authority::open(folder.path(), &only_local, now).unwrap();
    authority.box_certificate(&only_local, now).unwrap();
    assert_eq!(constraints(), "X509v3 Name Constraints:");
    for known in ["old.pem", "tls-ca.pem"] {
        let words = format!("verify -no_check_time -CAfile {known} tls-box.pem");
        let (_, said) = openssl(folder.path(), &words);
        // The old one lets it sign no addresses.
        let fine = said.contains("OK") || said.contains("permitted subtree violation");
        assert!(fine, "{known}: {said}");
    }
    let fingerprint = authority.fingerprint();
    let again = Authority::open(folder.path(), &only_local, now).unwrap();
    assert_eq!(again.fingerprint(), fingerprint, "once is enough");
}

#[test]
fn a_certificate_is_kept_until_it_ends_or_the_names_change() {
    let folder = tempfile::tempdir().unwrap();
    let open = |t: i64| Authority::open(folder.path(), &names(), Time::from_ms(t)).unwrap();
    let made = |t: i64, names: &HostNames| {
        open(t)
            .box_certificate(names, Time::from_ms(t))
            .unwrap()
            .chain
    };
    let fingerprint = open(NOW).fingerprint();
    let first = made(NOW, &names());
    assert_eq!(
        made(NOW + 300 * DAY, &names()),
        first,
        "it is valid for a while"
    );
    assert_ne!(made(NOW + 340 * DAY, &names()), first, "it ends soon");
    let other = HostNames::new([IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9))], []);
    assert_ne!(
        made(NOW, &other),
        made(NOW, &names()),
        "the address changed"
    );
    assert_eq!(
        open(NOW + 3_650 * DAY).fingerprint(),
        fingerprint,
        "what people installed stays"
    );
}

#[test]
fn a_wrong_clock_leaves_nothing_that_is_not_valid_when_it_is_right_again() {
    let (from_1970, to_2046) = (0, NOW + 20 * 365 * DAY);
    for first in [from_1970, to_2046] {
        let folder = tempfile::tempdir().unwrap();
        let wrong = Time::from_ms(first);
        let authority = Authority::open(folder.path(), &names(), wrong).unwrap();
        authority.box_certificate(&names(), wrong).unwrap();
        let now = Time::from_ms(NOW);
        authority.box_certificate(&names(), now).unwrap();
        let verify = |at: i64| {
            let at = at / 1_000;
            let words = format!("verify -attime {at} -CAfile tls-ca.pem tls-box.pem");
            openssl(folder.path(), &words)
        };
        let (is_good, said) = verify(NOW);
        assert!(is_good, "{first}: {said}");
        // A moment in another year while it runs does not stay either.
        authority
            .box_certificate(&names(), Time::from_ms(to_2046))
            .unwrap();
        assert!(!verify(NOW).0, "the clock says 2046");
        let own = authority.box_certificate(&names(), now).unwrap();
        let (is_good, said) = verify(NOW);
        assert!(is_good, "{first}: {said}");
        let again = authority.box_certificate(&names(), now).unwrap();
        assert_eq!(own.chain, again.chain, "and then it is kept");
        assert_eq!(own.ends, again.ends);
    }
}

/// What an older program made on the first start with a clock that was twenty years ahead.
#[test]
fn an_authority_that_is_not_valid_yet_is_signed_anew_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nserial = serial\n\
        new_certs_dir = .\ndefault_md = sha256\npolicy = any\nx509_extensions = authority\n\
        [any]\ncommonName = supplied\n[authority]\n\
        basicConstraints = critical,CA:TRUE,pathlen:0\n\
        keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n";
    for (name, text) in [("settings", settings), ("index", ""), ("serial", "01\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for words in [
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Mimamori-0a1b2c \
         -keyout tls-ca.key -out request",
        "ca -batch -selfsign -notext -config settings -keyfile tls-ca.key -in request \
         -out tls-ca.pem -startdate 20460101000000Z -enddate 20760101000000Z",
    ] {
        let (is_good, said) = openssl(folder.path(), words);
        assert!(is_good, "{said}");
    }
    let before = std::fs::read(folder.path().join("tls-ca.key")).unwrap();
    let now = Time::from_ms(NOW);
    let authority = Authority::open(folder.path(), &names(), now).unwrap();
    authority.box_certificate(&names(), now).unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("tls-ca.key")).unwrap(),
        before
    );
    let at = NOW / 1_000;
    let words = format!("verify -attime {at} -CAfile tls-ca.pem tls-box.pem");
    let (is_good, said) = openssl(folder.path(), &words);
    assert!(is_good, "{said}");
}

#[test]
fn what_is_garbled_is_set_aside_and_made_anew() {
    let now = Time::from_ms(NOW);
    for name in [
        "tls-ca.pem",
        "tls-ca.key",
        "tls-devices.pem",
        "tls-devices.key",
    ] {
        for content in [None, Some(&b""[..]), Some(b"\xff\xfe"), Some(b"nonsense")] {
            let folder = tempfile::tempdir().unwrap();
            let open = || Authority::open(folder.path(), &names(), now).unwrap();
            let first = open();
            let own = first.box_certificate(&names(), now).unwrap();
            assert!(first.remade().is_empty());
            let path = folder.path().join(name);
            match content {
                Some(content) => std::fs::write(&path, content).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let second = open();
            if content.is_some() || name.contains("key") {
                assert_eq!(second.remade().len(), 1, "{name}");
                assert_eq!(second.remade()[0].file, name);
                let aside = format!("{name}.aside-{NOW}");
                let kept = std::fs::read(folder.path().join(aside)).ok();
                assert_eq!(kept.as_deref(), content, "{name}");
            }
            let is_of_pages = name.starts_with("tls-ca");
            let is_other = second.key_fingerprint() != first.key_fingerprint();
            assert_eq!(is_other, is_of_pages, "{name}");
            // What the old authority signed is no use to who trusts the new one.
            let next = second.box_certificate(&names(), now).unwrap();
            assert_eq!(next.chain != own.chain, is_of_pages, "{name}");
            assert!(open().remade().is_empty(), "once is enough");
        }
    }
    for name in ["tls-box.pem", "tls-box.key"] {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path(), &names(), now).unwrap();
        let own = authority.box_certificate(&names(), now).unwrap();
        std::fs::write(folder.path().join(name), "nonsense").unwrap();
        let next = authority.box_certificate(&names(), now).unwrap();
        assert_ne!(next.chain, own.chain, "{name}: nobody installed it");
    }
}

/// A key that belongs to another certificate proves nothing.
#[test]
fn a_certificate_with_another_key_is_set_aside() {
    let now = Time::from_ms(NOW);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &two] {
        Authority::open(folder.path(), &names(), now).unwrap();
    }
    let key = |folder: &tempfile::TempDir| folder.path().join("tls-ca.key");
    std::fs::copy(key(&two), key(&one)).unwrap();
    let authority = Authority::open(one.path(), &names(), now).unwrap();
    assert_eq!(authority.remade().len(), 1);
}

#[test]
fn a_device_is_signed_under_the_name_the_box_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let now = Time::from_ms(NOW);
    let authority = Authority::open(folder.path(), &names(), now).unwrap();
    let device = DeviceId::new("press-3").unwrap();
    for key in ["ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048"] {
        let made = openssl(
            folder.path(),
            &format!(
                "req -new -newkey {key} -nodes -keyout d.key -out d.csr -subj /CN=owner-of-everything"
            ),
        );
        assert!(made.0, "{}", made.1);
        let request = std::fs::read_to_string(folder.path().join("d.csr")).unwrap();
        let signed = authority.sign_device(&request, &device, now).unwrap();
        std::fs::write(folder.path().join("d.pem"), &signed.pem).unwrap();
        let at = NOW / 1_000;
        let checked = openssl(
            folder.path(),
            &format!("verify -attime {at} -purpose sslclient -CAfile tls-devices.pem d.pem"),
        );
        assert!(checked.0, "{}", checked.1);
        let shown = openssl(
            folder.path(),
            "x509 -in d.pem -noout -subject -fingerprint -sha256",
        )
        .1;
        assert!(shown.contains("CN = press-3"), "{shown}");
        assert!(
            shown
                .replace(':', "")
                .to_lowercase()
                .contains(&signed.fingerprint),
            "{shown}"
        );
        // Changed on the way, it is not signed with its own key any more.
        let mut lines: Vec<String> = request.lines().map(str::to_owned).collect();
        let line = &mut lines[3];
        let flipped = if line.starts_with('A') { "B" } else { "A" };
        line.replace_range(0..1, flipped);
        assert!(matches!(
            authority.sign_device(&lines.join("\n"), &device, now),
            Err(TrustError::Request)
        ));
    }
    for bad in [
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----",
    ] {
        assert!(matches!(
            authority.sign_device(bad, &device, now),
            Err(TrustError::Request)
        ));
    }
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let now = Time::from_ms(NOW);
    let authority = Authority::open(folder.path(), &names(), now).unwrap();
    authority.box_certificate(&names(), now).unwrap();
    for key in ["tls-ca.key", "tls-devices.key", "tls-box.key"] {
        let mode = std::fs::metadata(folder.path().join(key))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}
