//! The Debian package: the program without its debug symbols, which lie beside it, the unit that
//! runs it, what shells and `man` know of it. The tree is laid out here; Debian's own tool packs
//! it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::json;

use crate::setup::run;
use crate::{root, say};

/// What is packed may have this many bytes.
const PROGRAM_BYTES_MAX: u64 = 30_000_000;
/// Where shells look for what completes words, with the name a file has there.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/mimamori"),
    ("zsh", "usr/share/zsh/vendor-completions/_mimamori"),
    ("fish", "usr/share/fish/vendor_completions.d/mimamori.fish"),
];
/// Files of the package, where they come from and their rights.
const FILES: [(&str, &str, u32); 6] = [
    (
        "packaging/debian/mimamori.service",
        "lib/systemd/system/mimamori.service",
        0o644,
    ),
    (
        "packaging/debian/sysusers.conf",
        "usr/lib/sysusers.d/mimamori.conf",
        0o644,
    ),
    (
        "packaging/debian/copyright",
        "usr/share/doc/mimamori/copyright",
        0o644,
    ),
    ("LICENSE-MIT", "usr/share/doc/mimamori/LICENSE-MIT", 0o644),
    ("README.md", "usr/share/doc/mimamori/README.md", 0o644),
    ("README.ja.md", "usr/share/doc/mimamori/README.ja.md", 0o644),
];
/// How the package is packed: small, or quickly.
const SMALL: [&str; 2] = ["-Zxz", "-z6"];
const QUICK: [&str; 2] = ["-Zgzip", "-z1"];
/// What Debian runs when the package comes and goes.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the program and packs it; the package and its debug symbols lie in `target/package`.
pub(crate) fn debian() -> anyhow::Result<()> {
    let program = build()?;
    let into = root().join("target/package");
    let version = env!("CARGO_PKG_VERSION");
    // One package lies there: what is made of it takes all that do.
    if into.exists() {
        fs::remove_dir_all(&into)?;
    }
    let made = pack(&program, version, &into, SMALL)?;
    let unpacked = tool("dpkg-deb", &["--fsys-tarfile", &made.display().to_string()])?;
    if unpacked.len() as u64 > PROGRAM_BYTES_MAX {
        bail!("what is packed has {} bytes", unpacked.len());
    }
    say(&format!("{}", made.display()));
    Ok(())
}

/// Builds the program as it is released.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    run(Command::new("cargo").args(["build", "--release", "--package", "mimamori"]))?;
    Ok(root().join("target/release/mimamori"))
}

/// Packs a program as a version into a folder, and puts the program itself beside it, without its
/// debug symbols.
pub(crate) fn pack_for(
    program: &Path,
    version: &str,
    into: &Path,
    own: &Path,
) -> anyhow::Result<()> {
    let made = pack(program, version, into, QUICK)?;
    let quoted = |path: &Path| path.display().to_string();
    put(program, own, 0o755)?;
    tool("strip", &["--strip-all", &quoted(own)])?;
    say(&quoted(&made));
    Ok(())
}

/// Packs a program that somebody built, as a version, into a folder; for tests.
pub(crate) fn given(words: &[String]) -> anyhow::Result<()> {
    let [program, version, into] = words else {
        bail!("a program, a version and a folder are needed");
    };
    let made = pack(Path::new(program), version, Path::new(into), QUICK)?;
    say(&format!("{}", made.display()));
    Ok(())
}

/// Packs a program as this version; gives the package.
fn pack(program: &Path, version: &str, into: &Path, packing: [&str; 2]) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(into)?;
    let tree = into.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let own = tree.join("usr/bin/mimamori");
    put(program, &own, 0o755)?;
    let symbols = into.join(format!("mimamori_{version}.debug"));
    let quoted = |path: &Path| path.display().to_string();
    tool(
        "objcopy",
        &["--only-keep-debug", &quoted(&own), &quoted(&symbols)],
    )?;
    tool("strip", &["--strip-all", &quoted(&own)])?;
    tool(
        "objcopy",
        &[
            &format!("--add-gnu-debuglink={}", quoted(&symbols)),
            &quoted(&own),
        ],
    )?;
    for (from, to, mode) in FILES {
        put(&root().join(from), &tree.join(to), mode)?;
    }
    for (shell, to) in COMPLETIONS {
        let words = tool(&quoted(program), &["completions", shell])?;
        write(&tree.join(to), &words, 0o644)?;
    }
    let pages = tree.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    tool(&quoted(program), &["man", "--to", &quoted(&pages)])?;
    for page in fs::read_dir(&pages)? {
        tool("gzip", &["-9n", &quoted(&page?.path())])?;
    }
    let libraries = libraries()?;
    write(
        &tree.join("usr/share/doc/mimamori/libraries.txt"),
        licences(&libraries).as_bytes(),
        0o644,
    )?;
    let bill = serde_json::to_vec_pretty(&bill_of_materials(&libraries, version))?;
    write(
        &into.join(format!("mimamori_{version}.cdx.json")),
        &bill,
        0o644,
    )?;
    control(&tree, version)?;
    let architecture = architecture()?;
    let made = into.join(format!("mimamori_{version}_{architecture}.deb"));
    let mut words = vec!["--root-owner-group"];
    words.extend(packing);
    let (tree_path, made_path) = (quoted(&tree), quoted(&made));
    words.extend(["--build", &tree_path, &made_path]);
    tool("dpkg-deb", &words)?;
    fs::remove_dir_all(&tree)?;
    Ok(made)
}

/// What Debian calls this kind of computer.
pub(crate) fn architecture() -> anyhow::Result<String> {
    let said = tool("dpkg", &["--print-architecture"])?;
    Ok(String::from_utf8(said)?.trim().to_owned())
}

/// What Debian needs to know of the package.
fn control(tree: &Path, version: &str) -> anyhow::Result<()> {
    let folder = root().join("packaging/debian");
    let text = fs::read_to_string(folder.join("control"))?;
    let said = tool(
        "du",
        &["-sk", "--apparent-size", &tree.display().to_string()],
    )?;
    let said = String::from_utf8(said)?;
    let size = said.split_whitespace().next().unwrap_or_default();
    let text = text
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", &architecture()?)
        .replace("@LIBC@", &libc_wanted(&tree.join("usr/bin/mimamori"))?)
        .replace("@SIZE@", size);
    write(&tree.join("DEBIAN/control"), text.as_bytes(), 0o644)?;
    for script in SCRIPTS {
        put(
            &folder.join(script),
            &tree.join("DEBIAN").join(script),
            0o755,
        )?;
    }
    Ok(())
}

/// The oldest C library on which a program runs: that of the newest symbol it asks for.
fn libc_wanted(program: &Path) -> anyhow::Result<String> {
    let said = tool("objdump", &["-T", &program.display().to_string()])?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let versions = said.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let parts: Option<Vec<u32>> = rest
            .get(..end)?
            .split('.')
            .map(|n| n.parse().ok())
            .collect();
        parts.filter(|parts| !parts.is_empty())
    });
    // Packed relocations need this one, whatever the symbols say.
    let needs = tool("objdump", &["-p", &program.display().to_string()])?;
    let needs = String::from_utf8_lossy(&needs);
    let is_packed = needs.contains("GLIBC_ABI_DT_RELR");
    let newest = versions
        .chain(is_packed.then(|| vec![2, 36]))
        .max()
        .context("the program asks for no symbol of the C library")?;
    let parts: Vec<String> = newest.iter().map(ToString::to_string).collect();
    Ok(parts.join("."))
}

/// A library that is part of the program, as its manifest states it.
struct Library {
    name: String,
    version: String,
    licence: String,
    from: String,
}

/// The libraries behind the program, by name: what it links, not what builds or tests it.
fn libraries() -> anyhow::Result<Vec<Library>> {
    let manifest = root().join("Cargo.toml").display().to_string();
    let words = [
        "--format-version",
        "1",
        "--locked",
        "--manifest-path",
        &manifest,
    ];
    let said = tool("cargo", &[&["metadata"], &words[..]].concat())?;
    let told: serde_json::Value = serde_json::from_slice(&said)?;
    let tree = [
        "tree",
        "--locked",
        "--manifest-path",
        &manifest,
        "--package",
        "mimamori",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let linked = String::from_utf8(tool("cargo", &tree)?)?;
    let is_linked = |name: &str, version: &str| {
        let begin = format!("{name} v{version}");
        linked
            .lines()
            .any(|line| line == begin || line.starts_with(&format!("{begin} ")))
    };
    let mut libraries = Vec::new();
    for package in told["packages"].as_array().into_iter().flatten() {
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let library = Library {
            name: text("name"),
            version: text("version"),
            licence: text("license"),
            from: text("repository"),
        };
        let is_foreign = package["source"].is_string();
        if is_foreign && is_linked(&library.name, &library.version) {
            libraries.push(library);
        }
    }
    libraries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(libraries)
}

/// The libraries and their licences, for people.
fn licences(libraries: &[Library]) -> String {
    let line = |l: &Library| format!("{} {}: {} {}\n", l.name, l.version, l.licence, l.from);
    let lines: String = libraries.iter().map(line).collect();
    // As the licence of that group asks.
    let ijg = "This software is based in part on the work of the Independent JPEG Group.\n\n";
    ijg.to_owned() + &lines
}

/// What the program is made of, for other programs: CycloneDX 1.5.
fn bill_of_materials(libraries: &[Library], version: &str) -> serde_json::Value {
    let reference = |name: &str, version: &str| format!("pkg:cargo/{name}@{version}");
    let components = libraries.iter().map(|library| {
        let purl = reference(&library.name, &library.version);
        json!({
            "type": "library",
            "bom-ref": purl,
            "name": library.name,
            "version": library.version,
            // The older way to write "or".
            "licenses": [{"expression": library.licence.replace(" / ", " OR ").replace('/', " OR ")}],
            "purl": purl,
        })
    });
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": reference("mimamori", version),
            "name": "mimamori",
            "version": version,
        }},
        "components": components.collect::<Vec<_>>(),
    })
}

/// Copies a file to its place in the tree.
fn put(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let bytes = fs::read(from).with_context(|| from.display().to_string())?;
    write(to, &bytes, mode)
}

fn write(to: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(to, bytes).with_context(|| to.display().to_string())?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}

/// Runs a tool and gives what it says.
pub(crate) fn tool(program: &str, args: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {args:?}: {said}");
    }
    Ok(output.stdout)
}
