//! The Debian package in a system of its own: the running one with everything that is written laid
//! over it, in which Debian's tools install, upgrade and remove.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The program, built beside this chore.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("mimamori");
    assert!(program.exists(), "{} is not built", program.display());
    program
}

/// Packs the program as a version.
fn pack(version: &str, into: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["package", program().to_str().unwrap(), version])
        .arg(into)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stderr).unwrap();
    PathBuf::from(said.lines().last().unwrap())
}

/// A system that is gone when the test is over.
struct ChangedRoot {
    folder: TempDir,
}

impl ChangedRoot {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a script in it; gives what it says. What it writes is there for the next one.
    fn run(&self, script: &str) -> String {
        let folder = self.folder.path().display();
        let outside = format!(
            "set -e; cd {folder}; mkdir -p upper work root packages
            mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
            mount -t proc proc root/proc; mount -t tmpfs tmpfs root/run
            mkdir -p root/packages; mount --bind packages root/packages
            exec chroot root /bin/sh -ec '{script}'"
        );
        let output = Command::new("unshare")
            .args([
                "--mount", "--pid", "--fork", "--", "/bin/sh", "-c", &outside,
            ])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("a counterpart is missing: unshare");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{script}: {said}");
        said
    }

    fn packages(&self) -> PathBuf {
        let packages = self.folder.path().join("packages");
        std::fs::create_dir_all(&packages).unwrap();
        packages
    }
}

/// Whether the bill of materials is one, by a foreign reader of CycloneDX, and names what it should.
fn is_valid_bill(file: &Path) {
    let script = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        text = open(sys.argv[1]).read()\n\
        print(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let output = Command::new(python).args(["-c", script]).arg(file).output();
    let output = output.expect("a counterpart is missing: python");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(said.trim(), "None", "{said}");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("pkg:cargo/rusqlite@") && !text.contains("pkg:cargo/proptest@"));
}

/// Runs the program as the unit does, until it has told where its pages are.
const SERVE: &str = "install -d -o mimamori -g mimamori -m 700 /var/lib/mimamori
    setpriv --reuid=mimamori --regid=mimamori --clear-groups timeout -s TERM 4 \
    /usr/bin/mimamori --lang en serve --data /var/lib/mimamori --http 127.0.0.1:0 --https off \
    --mqtt 127.0.0.1:0 --mqtts off </dev/null || test $? -eq 124";

#[test]
fn the_package_is_installed_upgraded_and_removed_and_nothing_recorded_is_lost() {
    let root = ChangedRoot::new();
    // A file system of its own: the layer may not lie in what it is laid over.
    let old = pack("0.0.9", &root.packages());
    let new = pack("0.1.0", &root.packages());
    is_valid_bill(&root.packages().join("mimamori_0.1.0.cdx.json"));
    let inside = |path: &Path| format!("/packages/{}", path.file_name().unwrap().to_str().unwrap());
    let unit = "/etc/systemd/system/multi-user.target.wants/mimamori.service";

    let said = root.run(&format!("dpkg -i --force-depends {}", inside(&old)));
    assert!(said.contains("journalctl -u mimamori"), "{said}");
    let said = root.run(&format!(
        "id mimamori; test -L {unit}; mimamori --version; ls -l /usr/bin/mimamori
        zcat /usr/share/man/man1/mimamori.1.gz | grep -c mimamori
        test -s /usr/share/bash-completion/completions/mimamori; dpkg --verify mimamori"
    ));
    assert!(
        said.contains("uid=") && said.contains("mimamori 0."),
        "{said}"
    );
    let said = root.run(SERVE);
    assert!(said.contains("Claim code:"), "{said}");

    root.run(&format!("dpkg -i --force-depends {}", inside(&new)));
    let said = root.run(&format!(
        "dpkg-query -W mimamori; test -L {unit}; mimamori --lang en verify /var/lib/mimamori"
    ));
    assert!(said.contains("0.1.0"), "{said}");
    let said = root.run(SERVE);
    assert!(said.contains("Claim code:"), "{said}");

    let gone = "test ! -e /usr/bin/mimamori; test -s /var/lib/mimamori/mimamori.db";
    root.run(&format!("dpkg -r mimamori; {gone}"));
    // It comes again, and starts with the computer again.
    let said = root.run(&format!(
        "dpkg -i --force-depends {}; test -L {unit}; systemctl is-enabled mimamori.service",
        inside(&new)
    ));
    assert!(said.contains("enabled"), "{said}");
    let said = root.run(&format!(
        "dpkg -r mimamori; dpkg -P mimamori; {gone}; test ! -L {unit}"
    ));
    assert!(said.contains("rm -r /var/lib/mimamori"), "{said}");
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_that_gives_little_away() {
    let unit =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/debian/mimamori.service");
    let analyze = |words: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(words)
            .arg(&unit)
            .output();
        let output = output.expect("a counterpart is missing: systemd-analyze");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let said = analyze(&["verify", "--man=no"]);
    let complaints: Vec<&str> = said
        .lines()
        // The program is not installed where this is tested.
        .filter(|line| line.contains("mimamori.service") && !line.contains("not executable"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let said = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]);
    let level = said.lines().last().unwrap_or_default();
    assert!(level.contains("OK"), "{said}");
}

/// Lays out a release, signed or not; gives what was said.
fn release(into: &Path, key: Option<&Path>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["dist", program().to_str().unwrap(), "0.1.0"])
        .arg(into);
    let output = command.args(key).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// Whether a foreign program, in a folder, is content.
fn is_content(folder: &Path, script: &str) -> bool {
    let mut command = Command::new("/bin/sh");
    let output = command.args(["-ec", script]).current_dir(folder).output();
    output.expect("a shell").status.success()
}

#[test]
fn a_release_is_checked_with_tools_that_every_debian_has() {
    let folder = tempfile::tempdir().unwrap();
    let (key, into) = (folder.path().join("key"), folder.path().join("dist"));
    let made = format!("ssh-keygen -q -t ed25519 -N '' -f {}", key.display());
    assert!(is_content(folder.path(), &made));
    let said = release(&into, Some(&key));
    assert!(said.contains("signed"), "{said}");
    let verify = "ssh-keygen -Y verify -f allowed_signers -I release@mimamori \
        -n mimamori-release -s SHA256SUMS.sig < SHA256SUMS && sha256sum --check --strict SHA256SUMS";
    assert!(is_content(&into, verify));
    let list = std::fs::read_to_string(into.join("SHA256SUMS")).unwrap();
    for part in ["mimamori_0.1.0_", ".deb", ".debug", ".cdx.json"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    // Another purpose, a changed list, a changed program: each is noticed.
    assert!(!is_content(
        &into,
        &verify.replace("mimamori-release", "file")
    ));
    let program = list
        .lines()
        .find(|line| line.ends_with("_amd64"))
        .or(list.lines().last());
    let program = program.unwrap().split_whitespace().last().unwrap();
    let changed = format!("printf x >> {program}");
    assert!(is_content(&into, &changed) && !is_content(&into, verify));
    std::fs::write(into.join("SHA256SUMS"), list + "0  x\n").unwrap();
    assert!(!is_content(&into, verify.split("&&").next().unwrap()));
    let said = release(&into, None);
    assert!(said.contains("not signed") && !into.join("SHA256SUMS.sig").exists());
}
