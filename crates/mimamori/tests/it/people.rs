//! People at the door: the claim, invitations, passwords, the second factor, guessing, sessions
//! that end at once, and the way back in at the console.

use std::process::Command;

use serde_json::Value;

use super::house::{House, OWNER, PASSWORD, PROGRAM, agent, session_of, until};

/// Sends a form as a browser does; gives status, the new session if there is one, and the page.
fn form(house: &House, path: &str, session: &str, typed: &[(&str, &str)]) -> Sent {
    let own = format!("http://{}", house.http);
    let mut answer = agent()
        .post(format!("{own}{path}"))
        .header("Origin", &own)
        .header("Accept-Language", "en")
        .header("Cookie", format!("session={session}"))
        .send_form(typed.iter().copied())
        .expect("sent");
    Sent {
        status: answer.status().as_u16(),
        session: session_of(answer.headers()).unwrap_or_default(),
        page: answer.body_mut().read_to_string().unwrap_or_default(),
    }
}

struct Sent {
    status: u16,
    session: String,
    page: String,
}

impl Sent {
    /// The secret behind `before` on the page.
    fn after(&self, before: &str) -> String {
        let rest = self.page.split_once(before).expect("it is shown").1;
        rest.chars().take_while(char::is_ascii_hexdigit).collect()
    }
}

fn sign_in(house: &House, name: &str, password: &str, code: &str) -> Sent {
    let typed = [("name", name), ("password", password), ("code", code)];
    form(house, "/sign-in", "", &typed)
}

/// Signs the owner in from another address of this computer; gives the status.
fn sign_in_from(house: &House, address: &str) -> String {
    let script = "import sys, http.client, urllib.parse as u
to, source, name, password = sys.argv[1:]
asked = http.client.HTTPConnection(to, source_address=(source, 0))
asked.request('POST', '/sign-in', u.urlencode({'name': name, 'password': password}),
    {'Content-Type': 'application/x-www-form-urlencoded', 'Origin': 'http://' + to})
print(asked.getresponse().status)";
    let to = house.http.to_string();
    let mut command = Command::new("python3");
    command.args(["-c", script, &to, address, OWNER, PASSWORD]);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What an address answers to a session.
fn look(house: &House, path: &str, session: &str) -> u16 {
    let cookie = format!("session={session}");
    house.send_bare("GET", path, &[("Cookie", &cookie)], "").0
}

/// Asks the running program at its console; gives the exit code and the first line of what it said.
fn user(house: &House, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["--lang", "en", "user"]).args(words);
    let output = command.arg("--data").arg(&house.data).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    let first = said.lines().next().unwrap_or_default().to_owned();
    (output.status.code().unwrap(), first)
}

pub(crate) fn kinds(house: &House) -> Vec<String> {
    let entries = house.get("evidence?limit=200")["items"].as_array().cloned();
    let kind = |entry: &Value| entry["kind"].as_str().map(str::to_owned);
    entries.unwrap().iter().filter_map(kind).collect()
}

/// Invites somebody and lets them choose a password; gives their session.
fn invited(house: &House, name: &str, role: &str, password: &str) -> String {
    let sent = form(
        house,
        "/people",
        &house.token,
        &[("name", name), ("role", role)],
    );
    assert_eq!(sent.status, 200, "{}", sent.page);
    let link = format!("/link/{}", sent.after("/link/"));
    assert_eq!(look(house, &link, ""), 200, "looking does not use it up");
    let came = form(house, &link, "", &[]);
    assert_eq!(came.status, 303);
    let again = form(house, &link, "", &[]).status;
    assert!(matches!(again, 404 | 429), "it works once: {again}");
    let typed = [("password", password), ("again", password)];
    assert_eq!(
        form(house, "/me/password", &came.session, &typed).status,
        303
    );
    came.session
}

#[test]
fn a_box_is_claimed_once_and_only_with_its_code() {
    let mut house = House::new();
    // It has an owner now; the form is closed, whatever the code.
    let again = [
        ("code", "0000-0000-0000"),
        ("name", "Mallory"),
        ("password", "another password"),
        ("again", "another password"),
    ];
    assert_eq!(form(&house, "/claim", "", &again).status, 401);
    assert_eq!(look(&house, "/claim", ""), 303);
    assert!(kinds(&house).contains(&"person.claimed".to_owned()));
    house.kill_and_restart();
    assert_eq!(
        sign_in(&house, OWNER, PASSWORD, "").status,
        303,
        "still owned"
    );
    assert_eq!(look(&house, "/", &house.token), 200, "still signed in");
}

#[test]
fn an_invited_person_comes_in_with_their_role_and_leaves_at_once_when_ended() {
    let mut house = House::new();
    // A stranger who tries links cannot close them for who has one.
    let knock = |wrong| form(&house, &format!("/link/{wrong}"), "", &[]).status;
    let said: Vec<u16> = (0..30).map(knock).collect();
    assert_eq!((said[0], said[29]), (404, 429), "{said:?}");
    let session = invited(&house, "Taro", "operator", "a long enough one");
    assert_eq!(look(&house, "/", &session), 200);
    assert_eq!(look(&house, "/people", &session), 403);
    house.kill_and_restart();
    assert_eq!(
        look(&house, "/", &session),
        200,
        "a power cut signs nobody out"
    );
    let people = house.get("people");
    let taro = people["items"].as_array().unwrap().iter();
    let taro = taro.clone().find(|p| p["name"] == "Taro").unwrap();
    let end = format!("/people/{}/end", taro["id"]);
    assert_eq!(form(&house, &end, &house.token, &[]).status, 303);
    assert_eq!(look(&house, "/", &session), 303, "led to the door");
    assert_eq!(sign_in(&house, "Taro", "a long enough one", "").status, 401);
    for kind in [
        "person.invited",
        "person.signed_in",
        "person.password",
        "person.ended",
    ] {
        assert!(kinds(&house).contains(&kind.to_owned()), "{kind}");
    }
    // The last owner stays.
    let own = format!("/people/{}/end", people["items"][0]["id"]);
    assert_eq!(form(&house, &own, &house.token, &[]).status, 422);
}

#[test]
fn guessing_is_slowed_down_and_leaves_a_trace() {
    let house = House::new();
    for _ in 0..4 {
        assert_eq!(sign_in(&house, OWNER, "a wrong password", "").status, 401);
    }
    let wait = sign_in(&house, OWNER, PASSWORD, "");
    assert_eq!(wait.status, 429, "even the right password has to wait");
    assert!(wait.page.contains("seconds"), "{}", wait.page);
    assert_eq!(
        sign_in_from(&house, "127.0.0.2"),
        "303",
        "at another computer nobody has to wait"
    );
    until("the wait is over", || {
        sign_in(&house, OWNER, PASSWORD, "").status == 303
    });
    let refused = kinds(&house);
    let refused = refused.iter().filter(|kind| *kind == "person.refused");
    assert_eq!(refused.count(), 3, "the 1st, 2nd and 4th failure");
    // A name nobody has is answered like a wrong password.
    let unknown = sign_in(&house, "Nobody", "a wrong password", "");
    assert!(unknown.status == 401 && !unknown.page.contains("Nobody"));
}

#[test]
fn the_second_factor_is_asked_for_and_a_code_works_once() {
    let house = House::new();
    let cookie = format!("session={}", house.token);
    let headers = [("Cookie", cookie.as_str()), ("Accept-Language", "en")];
    let (_, page) = house.send_bare("GET", "/me/second-factor", &headers, "");
    let shown = page
        .split_once("name=\"key\" value=\"")
        .expect("the secret")
        .1;
    let secret: String = shown.chars().take_while(char::is_ascii_hexdigit).collect();
    // The code comes from a foreign implementation.
    let code = |ahead: i64| {
        let script = "import sys,hmac,hashlib,struct,time
k=bytes.fromhex(sys.argv[1]);t=int(time.time())//30+int(sys.argv[2])
d=hmac.new(k,struct.pack('>q',t),hashlib.sha1).digest();o=d[-1]&15
print('%06d'%((struct.unpack('>I',d[o:o+4])[0]&0x7fffffff)%1000000))";
        let mut command = Command::new("python3");
        let said = command
            .args(["-c", script, &secret, &ahead.to_string()])
            .output();
        String::from_utf8(said.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    let typed = |code: &str, password: &str| {
        let typed = [("key", secret.as_str()), ("code", code), ("old", password)];
        form(&house, "/me/second-factor", &house.token, &typed).status
    };
    let is_wanted = || sign_in(&house, OWNER, PASSWORD, "").status == 401;
    assert_eq!(
        typed(&code(-1), ""),
        401,
        "a browser left open is not enough"
    );
    assert_eq!(
        typed("000000", PASSWORD),
        422,
        "not before the app is right"
    );
    assert!(!is_wanted());
    assert_eq!(typed(&code(-1), PASSWORD), 303);
    assert_eq!(
        typed(&code(-1), "a wrong password"),
        401,
        "nor is one exchanged"
    );
    assert!(is_wanted());
    let now = code(0);
    assert_eq!(sign_in(&house, OWNER, PASSWORD, &now).status, 303);
    assert_eq!(
        sign_in(&house, OWNER, PASSWORD, &now).status,
        401,
        "seen over a shoulder"
    );
    let off = form(
        &house,
        "/me/second-factor/off",
        &house.token,
        &[("old", PASSWORD)],
    );
    assert_eq!(off.status, 303);
    until("the wait is over", || {
        sign_in(&house, OWNER, PASSWORD, "").status == 303
    });
}

#[test]
fn a_session_or_token_that_is_ended_ends_at_once() {
    let house = House::new();
    let other = sign_in(&house, OWNER, PASSWORD, "").session;
    let token = house.token_for("screen");
    let bearer = format!("Bearer {token}");
    let by_token = || {
        house
            .send_bare("GET", "/metrics", &[("Authorization", &bearer)], "")
            .0
    };
    assert_eq!((look(&house, "/", &other), by_token()), (200, 200));
    // A new password ends every other session, but no token.
    let typed = [
        ("old", PASSWORD),
        ("password", "quite another one"),
        ("again", "quite another one"),
    ];
    assert_eq!(
        form(&house, "/me/password", &house.token, &typed).status,
        303
    );
    assert_eq!((look(&house, "/", &other), by_token()), (303, 200));
    let page = house
        .send("GET", "/people", &[("Accept-Language", "en")], "")
        .1;
    let ends = page.split("/people/passes/").skip(1);
    let ids: Vec<&str> = ends.filter_map(|rest| rest.split('/').next()).collect();
    let end = format!("/people/passes/{}/end", ids[0]);
    assert_eq!(form(&house, &end, &house.token, &[]).status, 303);
    assert_eq!(by_token(), 401);
    assert_eq!(form(&house, "/sign-out", &house.token, &[]).status, 303);
    assert_eq!(look(&house, "/", &house.token), 303);
}

#[test]
fn who_forgot_everything_comes_back_in_at_the_console_and_it_shows() {
    let house = House::new();
    let link = |name: &str| user(&house, &["link", name]);
    let (code, said) = link("Nobody");
    assert!(code == 1 && said.contains("there is none"), "{said}");
    let (code, said) = link(OWNER);
    assert_eq!(code, 0, "{said}");
    let path = said
        .trim_start_matches(&format!("http://{}", house.http))
        .to_owned();
    let came = form(&house, &path, "", &[]);
    assert_eq!(came.status, 303);
    assert_eq!(look(&house, "/people", &came.session), 200);
    assert_eq!(
        sign_in(&house, OWNER, PASSWORD, "").status,
        401,
        "it is forgotten"
    );
    let chosen = [
        ("password", "a new beginning"),
        ("again", "a new beginning"),
    ];
    assert_eq!(
        form(&house, "/me/password", &came.session, &chosen).status,
        303
    );
    assert_eq!(sign_in(&house, OWNER, "a new beginning", "").status, 303);
    let mut house = house;
    house.kill();
    let mut command = Command::new(PROGRAM);
    command.args(["--lang", "en", "user", "link", OWNER, "--data"]);
    let output = command.arg(&house.data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no Mimamori runs"), "{said}");
    let mut command = Command::new(PROGRAM);
    command.args(["--lang", "ja", "user", "link", OWNER, "--data"]);
    let output = command.arg(&house.data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("動いている Mimamori がありません") && said.contains("対処"),
        "{said}"
    );
}

#[test]
fn no_secret_is_kept_as_it_is() {
    let mut house = House::new();
    let token = house.token_for("screen");
    house.terminate();
    for name in ["mimamori.db", "mimamori.db-wal", "log"] {
        let bytes = std::fs::read(house.data.join(name)).unwrap_or_default();
        for secret in [&token, &house.token, PASSWORD] {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "{name} holds a secret");
        }
    }
}

#[test]
fn a_customer_sees_what_was_shared_and_nothing_else() {
    let house = House::with_config("[[machine]]\nid = \"m1\"\n[[machine]]\nid = \"m2\"\n");
    let session = invited(&house, "Client", "customer", "a long enough one");
    let shared = |session: &str| {
        let cookie = format!("session={session}");
        let (status, page) = house.send_bare("GET", "/shared", &[("Cookie", &cookie)], "");
        assert_eq!(status, 200);
        (page.contains(">m1<"), page.contains(">m2<"))
    };
    assert_eq!(shared(&session), (false, false), "nothing was shared yet");
    let people = house.get("people")["items"].as_array().cloned().unwrap();
    let client = people.iter().find(|p| p["name"] == "Client").unwrap();
    let shares = format!("/people/{}/shares", client["id"]);
    assert_eq!(
        form(&house, &shares, &house.token, &[("machine", "m2")]).status,
        303
    );
    assert_eq!(shared(&session), (false, true));
    assert_eq!(look(&house, "/", &session), 303, "led to what was shared");
    for closed in [
        "/machines/m2",
        "/machines/m1",
        "/events",
        "/evidence",
        "/live",
        "/people",
    ] {
        assert_eq!(look(&house, closed, &session), 403, "{closed}");
    }
    assert_eq!(look(&house, "/api/v1/board", &session), 403);
    assert_eq!(
        form(&house, &shares, &session, &[("machine", "m1")]).status,
        403
    );
    assert_eq!(form(&house, &shares, &house.token, &[]).status, 303);
    assert_eq!(shared(&session), (false, false), "taken back");
    assert!(kinds(&house).contains(&"person.shares".to_owned()));
}

#[test]
fn a_box_is_owned_and_people_are_let_in_and_ended_at_the_console() {
    let (mut house, code) = House::unclaimed("");
    let (status, link) = user(&house, &["claim", OWNER]);
    assert_eq!(status, 0, "{link}");
    let (status, said) = user(&house, &["claim", "Mallory"]);
    assert!(status == 1 && said.contains("owns this box"), "{said}");
    let late = [
        ("code", code.as_str()),
        ("name", "Mallory"),
        ("password", "another password"),
        ("again", "another password"),
    ];
    assert_eq!(
        form(&house, "/claim", "", &late).status,
        401,
        "the code is worth nothing now"
    );
    let path = |link: &str| {
        link.split_once(&house.http.to_string())
            .unwrap()
            .1
            .to_owned()
    };
    house.token = form(&house, &path(&link), "", &[]).session;
    let (status, link) = user(&house, &["invite", "Taro", "--role", "operator"]);
    assert_eq!(status, 0, "{link}");
    let taro = form(&house, &path(&link), "", &[]).session;
    assert_eq!(look(&house, "/", &taro), 200);
    let (status, token) = user(&house, &["token", "erp", "--role", "screen"]);
    assert_eq!(status, 0, "{token}");
    let bearer = format!("Bearer {token}");
    let by_token = |path| {
        house
            .send_bare("GET", path, &[("Authorization", &bearer)], "")
            .0
    };
    assert_eq!(by_token("/api/v1/board"), 200);
    let (_, listed) = user(&house, &["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["people"].as_array().unwrap().len(), 2);
    let erp = listed["tokens"][0]["id"].to_string();
    assert_eq!(user(&house, &["end-token", &erp]).0, 0);
    assert_eq!(by_token("/api/v1/board"), 401, "at once");
    assert_eq!(user(&house, &["end", "Taro"]).0, 0);
    assert_eq!(look(&house, "/", &taro), 303, "at once");
    let (status, said) = user(&house, &["end", OWNER]);
    assert!(status == 1 && said.contains("last owner"), "{said}");
    let (status, _) = user(&house, &["invite", "X", "--role", "king"]);
    assert_eq!(status, 2);
    let seen = kinds(&house);
    for kind in [
        "person.claimed",
        "person.invited",
        "token.made",
        "token.ended",
        "person.ended",
    ] {
        assert!(seen.iter().any(|k| k == kind), "{kind}");
    }
}
