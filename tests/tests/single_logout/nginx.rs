//! The nginx configuration of docs/operations.md, really run: what a product would still accept is refused in front of it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::process::Running;
use logout_tests::skip::{Need, Run};
use serde_json::json;

use crate::front::{platform, wait_until};

/// An item that the product shows to those who are signed in.
const CONTENT: &str = "/dx/api/core/v1/dxmyrest/webcontent/contents/3f1c2a9e-0000-4000-8000-000000000002";

pub(crate) fn add(run: &mut Run) {
    run.test("nginx::the_documented_configuration_refuses_a_signed_out_token_that_the_product_still_accepts", &[Need::Nginx], documented);
}

fn documented() {
    let content =
        "track_logged_out_tokens = false\n[[platform.content]]\nid = \"3f1c2a9e-0000-4000-8000-000000000002\"\ntitle = \"Members\"\n";
    let product = TestHub::start("hcl-dx", &[content.to_owned()]).unwrap();
    let table = platform("hcl-dx", &product.base(), "").replace("name = \"hcl-dx\"", "name = \"portal\"");
    let hub = TestHub::with_platforms(&format!("[single_logout]\nwait = \"20s\"\n{table}")).unwrap();
    let nginx = Nginx::start(&hub, &product);

    let login = json!({ "username": "alice", "password": Accounts::ALICE });
    let answer = Request::post("/dx/api/core/v1/auth/login").json(&login).send(nginx.address);
    let token = answer.cookie("LtpaToken2").unwrap_or_else(|| panic!("{} {}", answer.status, answer.text())).to_owned();
    let cookie = format!("LtpaToken2={token}");
    let content = |at: SocketAddr| Request::get(CONTENT).header("Cookie", &cookie).send(at).status;
    assert_eq!(content(nginx.address), 200);
    assert_eq!(Request::get("/wps/portal").send(nginx.address).status, 200, "strangers pass");

    let out = Request::post("/dx/api/core/v1/auth/logout").header("Cookie", &cookie).send(nginx.address);
    assert_eq!(out.status, 200, "{}", out.text());
    assert!(out.header("logout-receipt").is_some(), "the hub answers, not the product");
    assert_eq!(content(product.address()), 200, "the product tracks nothing");
    assert_eq!(content(nginx.address), 401, "and the check does");
    assert_eq!(Request::get("/wps/portal").send(nginx.address).status, 200);
}

/// A running nginx; ended when it goes out of scope.
struct Nginx {
    address: SocketAddr,
    _running: Running,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(hub: &TestHub, product: &TestHub) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Freed for nginx, which cannot be told to take any port and say which.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = documented_server()
            .replace("listen 8000;", &format!("listen {address};"))
            .replace("127.0.0.1:8080", &hub.address().to_string())
            .replace("127.0.0.1:8081", &hub.admin_address().to_string())
            .replace("127.0.0.1:9080", &product.address().to_string())
            .replace("the token in check.token", fs::read_to_string(hub.folder().join("check.token")).unwrap().trim());
        fs::write(folder.path().join("nginx.conf"), whole(folder.path(), &server)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]).stdin(Stdio::null());
        let running = Running(command.spawn().unwrap());
        wait_until("nginx listens", || TcpStream::connect(address).is_ok());
        Self { address, _running: running, _folder: folder }
    }
}

/// The block of the documentation that asks the check.
fn documented_server() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md")).unwrap();
    let blocks = page.split("```nginx\n").skip(1).map(|block| block.split("```").next().unwrap_or_default().to_owned());
    let block: Vec<String> = blocks.filter(|block| block.contains("auth_request")).collect();
    let [block] = block.as_slice() else { panic!("one documented configuration with a check") };
    block.clone()
}

/// What stands around a server's block, for nginx to run as anybody in a folder of its own.
fn whole(folder: &Path, server: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", folder.join(kind).display()))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n",
        folder.join("nginx.pid").display()
    )
}
