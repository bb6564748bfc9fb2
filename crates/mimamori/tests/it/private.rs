//! What goes over the wire: another computer gets nothing in clear text but the certificate, TLS is
//! as foreign clients expect it, devices have certificates of their own, and nobody can keep a door
//! shut for others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use model::{DeviceId, Time};
use web::Access;

use super::house::{House, PROGRAM, now_ms, until};
use super::network::OtherComputer;
use super::openssl::openssl;
use crate::process::root;

/// Asks as a browser would, from another computer: status, where it is led, body.
const ASK: &str = "
import sys,ssl,urllib.request as u,urllib.error as e
class Stay(u.HTTPRedirectHandler):
    def redirect_request(self,*a): return None
context=ssl.create_default_context(cafile=sys.argv[3]) if sys.argv[3] else None
handlers=[Stay]+([u.HTTPSHandler(context=context)] if context else [])
q=u.Request(sys.argv[1],headers={'Authorization':'Bearer '+sys.argv[2]},method=sys.argv[4])
try: a=u.build_opener(*handlers).open(q,timeout=20)
except e.HTTPError as refused: a=refused
print(a.status, a.headers.get('Location') or '-')
print(a.read().decode(errors='replace'))";

/// What another computer is answered.
fn ask(
    other: &OtherComputer,
    url: &str,
    token: &str,
    authority: &str,
    method: &str,
) -> (u16, String, String) {
    let mut command = other.command("python3");
    let said = command
        .args(["-c", ASK, url, token, authority, method])
        .output()
        .unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let (first, body) = text
        .split_once('\n')
        .unwrap_or_else(|| panic!("{url}: {}", String::from_utf8_lossy(&said.stderr)));
    let (status, place) = first.split_once(' ').unwrap();
    (status.parse().unwrap(), place.to_owned(), body.to_owned())
}

#[test]
fn in_clear_text_another_computer_gets_the_certificate_and_nothing_else() {
    let other = OtherComputer::new();
    let folder = tempfile::tempdir().unwrap();
    let house = House::listening_on(folder.path(), "", &format!("{}:0", other.here));
    let clear = format!("http://{}", house.http);
    for route in web::routes() {
        let path = route
            .path
            .replace("{id}", "m1")
            .replace("{version}", "0.1.0");
        let path = path
            .replace("{file}", "app.css")
            .replace("{secret}", "x")
            .replace("{device}", "m1");
        let (status, place, body) = ask(
            &other,
            &format!("{clear}{path}"),
            &house.token,
            "",
            route.method,
        );
        if route.access == Access::Clear {
            assert_eq!(status, 200, "{path}: {body}");
        } else if route.method == "GET" && !path.starts_with("/api/") {
            assert_eq!((status, place.as_str()), (303, "/trust"), "{path}");
        } else {
            assert_eq!(status, 403, "{path}: {body}");
            assert!(body.contains("clear_text"), "{body}");
        }
    }
    let nowhere = ask(
        &other,
        &format!("{clear}/no-such-page"),
        &house.token,
        "",
        "GET",
    );
    assert_eq!((nowhere.0, nowhere.1.as_str()), (303, "/trust"));

    // With the certificate it took in clear text everything is there, and only with it.
    let (_, _, authority) = ask(
        &other,
        &format!("{clear}/trust/mimamori.crt"),
        "-",
        "",
        "GET",
    );
    let ca = folder.path().join("taken.pem");
    std::fs::write(&ca, authority).unwrap();
    let secure = format!("https://{}", house.https);
    let machines = format!("{secure}/api/v1/machines");
    let ca = ca.to_str().unwrap();
    assert_eq!(ask(&other, &machines, &house.token, ca, "GET").0, 200);
    assert_eq!(ask(&other, &machines, "-", ca, "GET").0, 401);
    assert_eq!(
        ask(&other, &format!("{secure}/healthz"), "-", ca, "GET").0,
        200
    );
    let mut stranger = other.command("python3");
    let said = stranger
        .args(["-c", ASK, &machines, "-", "", "GET"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("CERTIFICATE_VERIFY_FAILED"), "{said}");
    let page = ask(&other, &format!("{clear}/trust?lang=en"), "-", "", "GET").2;
    let fingerprint = fingerprint(Path::new(ca));
    assert!(
        page.replace(' ', "").contains(&fingerprint),
        "the page shows {fingerprint}"
    );
}

/// SHA-256 of a certificate, as openssl computes it.
fn fingerprint(pem: &Path) -> String {
    let made = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(pem)
        .output();
    let said = String::from_utf8(made.unwrap().stdout).unwrap();
    said.split_once('=').unwrap().1.trim().replace(':', "")
}

#[test]
fn a_new_address_gets_a_certificate_without_a_restart() {
    let other = OtherComputer::new();
    let folder = tempfile::tempdir().unwrap();
    let house = House::listening_on(folder.path(), "", "0.0.0.0:0");
    let ca = folder.path().join("tls-ca.pem");
    let address = other.add_address(77);
    let url = format!("https://{address}:{}/healthz", house.https.port());
    until("the certificate names the new address", || {
        let mut command = other.command("python3");
        let said = command
            .args(["-c", ASK, &url, "-", ca.to_str().unwrap(), "GET"])
            .output()
            .unwrap();
        said.stdout.starts_with(b"200")
    });
}

struct Client {
    folder: PathBuf,
    port: String,
}

impl Client {
    /// Publishes with mosquitto's client over TLS; says whether it was taken.
    fn publish(&self, device: &str, more: &[&str]) -> (bool, String) {
        let done = Command::new("mosquitto_pub")
            .current_dir(&self.folder)
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port,
                "-q",
                "1",
                "-i",
                "client",
                "-m",
                "{\"power_w\":5}",
            ])
            .args(["-t", &format!("mimamori/{device}")])
            .args(more)
            .output()
            .unwrap();
        (
            done.status.success(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    }
}

#[test]
fn a_device_gets_a_certificate_of_its_own_and_its_token_is_used_up() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let client = Client {
        folder: folder.path().to_owned(),
        port: house.mqtts.port().to_string(),
    };
    std::fs::copy(house.data.join("tls-ca.pem"), folder.path().join("ca.pem")).unwrap();
    let (token, other) = (house.device("press-3", &[]), house.device("press-4", &[]));
    let by_token = ["--cafile", "ca.pem", "-u", "press-3", "-P", &token];
    assert!(
        client.publish("press-3", &by_token).0,
        "a token works over TLS"
    );
    let stranger = client.publish(
        "press-3",
        &["--capath", "/etc/ssl/certs", "-u", "press-3", "-P", &token],
    );
    assert!(!stranger.0, "without the authority the box is not believed");

    enrolls_once(&house, &client, &token, &other);
    assert!(
        !client.publish("press-3", &by_token).0,
        "the token is used up"
    );

    let own = [
        "--cafile", "ca.pem", "--cert", "own.pem", "--key", "own.key",
    ];
    let taken = client.publish("press-3", &own);
    assert!(taken.0, "{}", taken.1);
    house.until_stored(2);
    assert!(
        !client
            .publish(
                "press-3",
                &[&own[..], &["-u", "press-4", "-P", &other]].concat()
            )
            .0,
        "it is not somebody else"
    );
    client.publish("press-4", &own);
    assert_eq!(
        house.refused("press-3", "foreign_topic"),
        1,
        "it publishes under its own name only"
    );

    strangers_and_the_ended_stay_out(&house, &client, &own);
}

/// A device makes its key, asks for a certificate with its token, and gets it once.
fn enrolls_once(house: &House, client: &Client, token: &str, other: &str) {
    openssl(
        &client.folder,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.csr -subj /CN=anybody",
    );
    let request = std::fs::read_to_string(client.folder.join("own.csr")).unwrap();
    let enroll = |token: &str, request: &str| {
        let bearer = format!("Bearer {token}");
        house.send_bare(
            "POST",
            "/enroll/press-3",
            &[("Authorization", &bearer)],
            request,
        )
    };
    assert_eq!(
        enroll(other, &request).0,
        401,
        "with the token of another device"
    );
    assert_eq!(enroll(token, "no request").0, 422);
    let (status, said) = enroll(token, &request);
    assert_eq!(status, 200, "{said}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    std::fs::write(
        client.folder.join("own.pem"),
        said["certificate"].as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(enroll(token, &request).0, 401, "a token works once");
}

fn strangers_and_the_ended_stay_out(house: &House, client: &Client, own: &[&str]) {
    // A certificate that somebody else signed, or that nobody registered, is nobody's.
    openssl(
        &client.folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -subj /CN=press-3 -days 10",
    );
    assert!(
        !client
            .publish(
                "press-3",
                &[
                    "--cafile", "ca.pem", "--cert", "self.pem", "--key", "self.key"
                ]
            )
            .0
    );
    let mut end = Command::new(PROGRAM);
    let done = end
        .args(["device", "end", "press-3", "--data"])
        .arg(&house.data)
        .status();
    assert!(done.unwrap().success());
    until("the ended device is refused", || {
        !client.publish("press-3", own).0
    });
}

#[test]
fn an_end_that_nobody_noticed_stops_no_recording() {
    let house = House::new();
    let folder = tempfile::tempdir().unwrap();
    let client = Client {
        folder: folder.path().to_owned(),
        port: house.mqtts.port().to_string(),
    };
    std::fs::copy(house.data.join("tls-ca.pem"), folder.path().join("ca.pem")).unwrap();
    house.device("old", &[]);
    openssl(
        folder.path(),
        "req -new -newkey rsa:2048 -nodes -keyout old.key -out old.csr -subj /CN=old",
    );
    let request = std::fs::read_to_string(folder.path().join("old.csr")).unwrap();
    // Signed thirty years ago, it has been over for ten.
    let long_ago = Time::from_ms(now_ms() - 30 * 365 * 24 * 3_600_000);
    let names = trust::HostNames::new([], []);
    let authority = trust::Authority::open(&house.data, &names, long_ago).unwrap();
    let id = DeviceId::new("old").unwrap();
    let signed = authority.sign_device(&request, &id, long_ago).unwrap();
    std::fs::write(folder.path().join("old.pem"), &signed.pem).unwrap();
    let fingerprint = &signed.fingerprint;
    house.take_in(&format!(
        "[[device]]\nid = \"old\"\ncertificate_sha256 = \"{fingerprint}\"\n"
    ));
    let taken = client.publish(
        "old",
        &[
            "--cafile", "ca.pem", "--cert", "old.pem", "--key", "old.key",
        ],
    );
    assert!(taken.0, "{}", taken.1);
    house.until_stored(1);
}

#[test]
fn a_limited_device_sends_little_and_gets_nothing() {
    let house = House::new();
    let token = house.device("m1", &[]);
    let cookie = format!("session={}", house.token);
    let origin = format!("http://{}", house.http);
    let form = [
        ("Cookie", &*cookie),
        ("Origin", &*origin),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let limit = |limited: &str| {
        house
            .send_bare(
                "POST",
                "/devices/m1/limit",
                &form,
                &format!("limited={limited}"),
            )
            .0
    };
    let publish = |n: &str| {
        let began = Instant::now();
        let text = format!(
            "for i in $(seq {n}); do echo '{{\"x\":'$i'}}'; done | mosquitto_pub -h 127.0.0.1 -p {} -q 1 -l -t mimamori/m1 -u m1 -P {token}",
            house.mqtt.port()
        );
        assert!(
            Command::new("sh")
                .args(["-c", &text])
                .status()
                .unwrap()
                .success()
        );
        began.elapsed()
    };
    let free = publish("60");
    assert_eq!(limit("true"), 303);
    let limited = publish("60");
    assert!(
        limited > Duration::from_secs(4) && limited > free,
        "{limited:?} limited, {free:?} free"
    );
    let subscribe = Command::new("mosquitto_sub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &house.mqtt.port().to_string(),
            "-u",
            "m1",
            "-P",
            &token,
        ])
        .args(["-t", "mimamori/m1/cmd/#", "-W", "2", "-E"])
        .output()
        .unwrap();
    assert!(
        !subscribe.status.success() || !subscribe.stderr.is_empty(),
        "its subscription is refused"
    );
    assert_eq!(limit("false"), 303);
    assert!(publish("60") < Duration::from_secs(2));
    house.until_stored(180);
    let kinds = house.get("evidence?limit=50")["items"].to_string();
    assert!(kinds.contains("device.limited") && kinds.contains("device.freed"));
}

#[test]
fn a_limited_device_sends_little_by_http_too() {
    let house = House::new();
    let bearer = format!("Bearer {}", house.device("m1", &[]));
    let by_http = |method: &str, body: &str| {
        let headers = [("Authorization", &*bearer)];
        house.send_bare(method, "/ingest/m1", &headers, body)
    };
    let limit = |limited: bool| {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("limited={limited}");
        house.send("POST", "/devices/m1/limit", &form, &body).0
    };
    let many = format!("[{}]", [r#"{"y":1}"#; 6].join(","));
    assert_eq!(by_http("POST", &many).0, 200);
    until("it is told of its machine", || {
        by_http("GET", "").1.contains("\"machine\":{")
    });
    assert_eq!(limit(true), 303);
    assert_eq!(by_http("POST", &many).0, 429);
    assert_eq!(by_http("POST", "{\"y\":1}").0, 200);
    let told = by_http("GET", "").1;
    assert!(
        told.contains("\"machine\":null"),
        "it is told nothing: {told}"
    );
    assert_eq!(limit(false), 303);
    assert_eq!(by_http("POST", &many).0, 200);
}

#[test]
fn storms_at_the_doors_keep_nobody_out() {
    let other = OtherComputer::new();
    let folder = tempfile::tempdir().unwrap();
    let house = House::listening_on(folder.path(), "", "0.0.0.0:0");
    // From another computer: half-open handshakes, headers that never end, a thousand connections
    // that are reset.
    let storm = "
import socket,struct,sys,time
host,clear,secure,mqtts=sys.argv[1],*map(int,sys.argv[2:5])
held=[]
for port,words in [(secure,b'\\x16\\x03\\x01'),(clear,b'GET / HTTP/1.1\\r\\nX-A: '),(mqtts,b'\\x16')]:
    for i in range(100):
        s=socket.create_connection((host,port),timeout=5); held.append(s)
        try: s.send(words)
        except OSError: pass
for port in (secure,mqtts,clear):
    for i in range(350):
        s=socket.create_connection((host,port),timeout=5)
        s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0)); s.close()
print('held',flush=True)
gone=0; end=time.time()+25
for s in held:
    s.settimeout(max(0.1,end-time.time()))
    try:
        while s.recv(4096): pass
        gone+=1
    except TimeoutError: pass
    except OSError: gone+=1
print(gone,len(held))";
    let ports = [house.http, house.https, house.mqtts].map(|port| port.port().to_string());
    let mut command = other.command("python3");
    let mut storm = command
        .args(["-c", storm, &other.here.to_string()])
        .args(&ports)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(storm.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line, "held\n");
    // Meanwhile everybody else is served at once.
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(house.send("GET", "/api/v1/machines", &[], "").0, 200);
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
    let mut secure = TcpStream::connect(("127.0.0.1", house.https.port())).unwrap();
    secure.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    secure.read_to_end(&mut answer).ok();
    assert!(
        !answer.starts_with(b"HTTP"),
        "clear text at the encrypted door is no request"
    );
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let (gone, held) = rest.trim().split_once(' ').unwrap();
    assert_eq!(gone, held, "what never became a request is gone in the end");
    assert!(storm.wait().unwrap().success());
}

/// What chips with little memory carry (Mbed TLS) reads the authority, checks the box by it, and
/// gets in.
#[test]
fn a_small_device_checks_the_box_and_connects() {
    let house = House::new();
    let token = house.device("chip", &[]);
    let authority = house.data.join("tls-ca.pem");
    let said = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("tests/counterparts/mbedtls_client.py"))
        .arg(&authority)
        .args(["127.0.0.1", &house.mqtts.port().to_string(), "chip", &token])
        .output()
        .expect("a counterpart is missing: python-mbedtls");
    let problem = String::from_utf8_lossy(&said.stderr);
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        "20020000",
        "{problem}"
    );
}

/// Thirty computers hold as many half-open handshakes, and requests whose answers they never take,
/// as they get, and take new places as soon as they lose one: another computer, and this PC, see
/// the board all the while.
#[test]
fn thirty_computers_keep_nobody_from_the_pages() {
    let other = OtherComputer::new();
    other.multiply(31);
    let folder = tempfile::tempdir().unwrap();
    let house = House::listening_on(folder.path(), "", "0.0.0.0:0");
    let authority = house.data.join("tls-ca.pem");
    let storm = "
import socket,ssl,sys,time,selectors
host,port=sys.argv[1],int(sys.argv[2])
net=host.rsplit('.',1)[0]+'.'
held=[]; end=time.time()+18; turn=0
context=ssl._create_unverified_context()
def half(address):
    s=socket.socket(); s.bind((address,0)); s.settimeout(2)
    s.connect((host,port)); s.send(b'\\x16\\x03\\x01\\x02'); s.setblocking(False); return s
def deaf(address):
    s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_RCVBUF,2048); s.bind((address,0)); s.settimeout(2)
    s.connect((host,port)); t=context.wrap_socket(s)
    t.send(b'GET /assets/0.1.0/app.css HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'*50); t.setblocking(False); return t
print('held',flush=True)
while time.time()<end:
    for last in range(10,40):
        address=net+str(last)
        try: held.append(half(address) if turn%4 else deaf(address))
        except OSError: pass
    turn+=1
    if len(held)>3000:
        for s in held[:1000]: s.close()
        del held[:1000]
";
    let (host, port) = (other.here.to_string(), house.https.port().to_string());
    let mut command = other.command("python3");
    let mut storm = command
        .args(["-c", storm, &host, &port])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(storm.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    std::thread::park_timeout(Duration::from_secs(3));
    let guest = "
import sys,ssl,socket,time
host,port,ca,own=sys.argv[1],int(sys.argv[2]),*sys.argv[3:5]
context=ssl.create_default_context(cafile=ca)
seen=0
for n in range(20):
    try:
        s=socket.create_connection((host,port),timeout=5,source_address=(own,0))
        t=context.wrap_socket(s,server_hostname=host)
        t.send(b'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')
        seen+=t.recv(100).startswith(b'HTTP/1.1 200'); t.close()
    except OSError as e: print(e,file=sys.stderr)
    time.sleep(.3)
print(seen)";
    let seen = other
        .command("python3")
        .args(["-c", guest, &host, &port])
        .arg(&authority)
        .arg(other.address(40).to_string())
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&seen.stderr).into_owned();
    let seen = String::from_utf8_lossy(&seen.stdout).trim().to_owned();
    let own = (0..20).filter(|_| house.send("GET", "/api/v1/machines", &[], "").0 == 200);
    assert_eq!(own.count(), 20, "this PC");
    assert!(storm.wait().unwrap().success());
    let seen: u32 = seen.parse().unwrap();
    assert!(seen >= 19, "another computer: {seen} of 20, {problem}");
}
