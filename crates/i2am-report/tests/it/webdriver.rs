//! A browser driven over the `WebDriver` protocol: JSON over HTTP over a socket, as much of both as `chromedriver` speaks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// Longest time that any one command may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Keys that have no character, as the protocol numbers them.
pub(crate) const ENTER: &str = "\u{E007}";
pub(crate) const ESCAPE: &str = "\u{E00C}";
pub(crate) const LEFT: &str = "\u{E012}";
pub(crate) const RIGHT: &str = "\u{E014}";
pub(crate) const DOWN: &str = "\u{E015}";

/// The key of an element's reference in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with an empty profile, closed when dropped.
pub(crate) struct Browser {
    driver: Driver,
    session: String,
    profile: tempfile::TempDir,
}

/// A process of `chromedriver`, ended when dropped.
struct Driver {
    process: Child,
    port: u16,
    // Kept open: the driver ends when it cannot write.
    _output: BufReader<ChildStdout>,
}

/// An element of the page.
pub(crate) struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    /// Starts a browser; `None` where none is installed.
    pub(crate) fn start() -> Option<Self> {
        let binary = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| is_installed(name))?;
        let driver = Driver::start()?;
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1300,1000",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": path_of(binary), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = driver.send("POST", "/session", &capabilities);
        let session = made["sessionId"]
            .as_str()
            .expect("a session has an id")
            .to_owned();
        Some(Self {
            driver,
            session,
            profile,
        })
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.driver
            .send(method, &format!("/session/{}{path}", self.session), body)
    }

    pub(crate) fn open(&self, file: &Path) {
        let url = format!("file://{}", file.display());
        self.command("POST", "/url", &json!({ "url": url }));
    }

    pub(crate) fn find(&self, selector: &str) -> Element<'_> {
        let found = self.command(
            "POST",
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let id = found[ELEMENT]
            .as_str()
            .expect("an element has a reference")
            .to_owned();
        Element { browser: self, id }
    }

    /// What a function with this body returns, a promise waited for.
    pub(crate) fn run(&self, body: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": body, "args": []}),
        )
    }

    /// Text of an element, hidden or not.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.run(&format!(
            "return document.querySelector({selector:?}).textContent"
        ));
        text.as_str().expect("text").to_owned()
    }

    /// Waits until the function with this body returns true.
    #[track_caller]
    pub(crate) fn wait_for(&self, body: &str) {
        for _ in 0..100 {
            if self.run(body) == Value::Bool(true) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("never true: {body}");
    }

    /// Presses a key wherever the focus is.
    pub(crate) fn press(&self, key: &str) {
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key},
        ]}]});
        self.command("POST", "/actions", &actions);
    }

    /// Shows the page as to a reader who prefers `light` or `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let body = json!({"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}],
        }});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Shows the page as printed.
    pub(crate) fn print_media(&self) {
        let body = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"media": "print"}});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Shows the page on a screen of this width in pixels.
    pub(crate) fn set_width(&self, width: u32) {
        let body = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
        }});
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Errors and warnings on the browser's console so far, but for the advice that tests earn which read what a page has drawn.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("a list").iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .filter(|message| !message.contains("willReadFrequently"))
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.command("DELETE", "", &Value::Null);
        let _ = &self.profile;
    }
}

impl Element<'_> {
    fn command(&self, path: &str, body: &Value) -> Value {
        self.browser
            .command("POST", &format!("/element/{}{path}", self.id), body)
    }

    pub(crate) fn click(&self) {
        self.command("/click", &json!({}));
    }

    /// Types text, or keys, into it.
    pub(crate) fn type_in(&self, text: &str) {
        self.command("/value", &json!({ "text": text }));
    }

    /// Clicks the place that lies at these shares of its height and width.
    pub(crate) fn click_at(&self, down: f64, right: f64) {
        // Offsets are from the middle, in pixels of the page.
        let size = self.browser.run(&format!(
            "const e = [...document.querySelectorAll('canvas')].find((c) => c.id === {:?}); \
             e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const b = e.getBoundingClientRect(); return [b.width, b.height]",
            self.attribute("id")
        ));
        let side = |index: usize| size[index].as_f64().expect("a length");
        let (x, y) = ((right - 0.5) * side(0), (down - 0.5) * side(1));
        let origin = json!({ ELEMENT: self.id });
        let actions = json!({"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "duration": 0, "origin": origin, "x": x.round() as i64, "y": y.round() as i64},
            {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
        ]}]});
        self.browser.command("POST", "/actions", &actions);
    }

    pub(crate) fn attribute(&self, name: &str) -> String {
        let path = format!("/element/{}/attribute/{name}", self.id);
        let value = self.browser.command("GET", &path, &Value::Null);
        value.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_shown(&self) -> bool {
        let path = format!("/element/{}/displayed", self.id);
        self.browser.command("GET", &path, &Value::Null) == Value::Bool(true)
    }
}

impl Driver {
    /// On a port that the system chooses, which the driver prints.
    fn start() -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        while output
            .read_line(&mut line)
            .expect("chromedriver prints text")
            > 0
        {
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                let port = rest.trim().trim_end_matches('.').parse().expect("a port");
                return Some(Self {
                    process,
                    port,
                    _output: output,
                });
            }
            line.clear();
        }
        panic!("chromedriver ended without a port");
    }

    /// The `value` of the answer.
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line).expect("an answer in time");
            if line.trim().is_empty() {
                break;
            }
            if let Some(found) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = found.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).expect("an answer in JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Nothing can be done about a driver that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn path_of(name: &str) -> Option<String> {
    let paths = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&paths)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.map(|path| path.display().to_string())
}

fn is_installed(name: &str) -> bool {
    path_of(name).is_some()
}
