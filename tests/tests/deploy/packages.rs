//! The unit, and the Debian package.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use logout_tests::server::{Server, binary};

use super::{PATIENCE, assert_is_a_command, read, root, toml};

/// The last value of a key of the unit.
fn unit(key: &str) -> String {
    let unit = read("deploy/systemd/logout-hub.service");
    let mut values = unit
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(own, _)| *own == key);
    let (_, value) = values.next_back().unwrap_or_else(|| panic!("no {key}"));
    value.to_owned()
}

#[test]
fn the_unit_runs_the_hub() {
    let command = unit("ExecStart");
    assert_is_a_command(&command.split(' ').collect::<Vec<_>>());
    // Status 2 is a wrong configuration.
    assert_eq!(unit("RestartPreventExitStatus"), "2");
    let seconds: u64 = unit("TimeoutStopSec")
        .strip_suffix('s')
        .unwrap()
        .parse()
        .unwrap();
    let shutdown = logout_hub::config::ServerConfig::default().shutdown_timeout;
    assert!(Duration::from_secs(seconds) > 2 * shutdown);
}

#[test]
fn the_unit_and_its_configuration_agree_on_places() {
    let folder = format!("/var/lib/{}", unit("StateDirectory"));
    assert_eq!(unit("WorkingDirectory"), folder);
    let configuration = toml("deploy/systemd/hub.toml");
    let store = configuration["store"]["url"].as_str().unwrap();
    assert_eq!(store, format!("disk:{folder}/store"));
}

#[test]
fn the_package_has_what_it_names() {
    let hub = toml("apps/hub/Cargo.toml");
    let package = &hub["package"]["metadata"]["deb"];
    let features = hub["features"].as_table().unwrap();
    for feature in package["features"].as_array().unwrap() {
        assert!(features.contains_key(feature.as_str().unwrap()));
    }
    let from_hub = |path: &str| root().join("apps/hub").join(path);
    let mut targets = Vec::new();
    for asset in package["assets"].as_array().unwrap() {
        let [source, target, _] = [0, 1, 2].map(|at| asset[at].as_str().unwrap());
        assert!(
            source == "target/release/logout-hub" || from_hub(source).is_file(),
            "{source}"
        );
        targets.push(format!("/{target}"));
    }
    assert_eq!(targets[0], "/usr/bin/");
    for file in package["conf-files"].as_array().unwrap() {
        assert!(targets.contains(&file.as_str().unwrap().to_owned()));
        assert!(unit("ExecStart").ends_with(file.as_str().unwrap()));
    }
    let scripts = from_hub(package["maintainer-scripts"].as_str().unwrap());
    for script in ["postinst", "postrm"] {
        let text = fs::read_to_string(scripts.join(script)).unwrap();
        // Where the commands for the unit are put in.
        assert!(text.contains("\n#DEBHELPER#\n"), "{script}");
    }
    let units = &package["systemd-units"];
    let name = units["unit-name"].as_str().unwrap();
    for kind in ["service", "sysusers"] {
        let folder = from_hub(units["unit-scripts"].as_str().unwrap());
        assert!(folder.join(format!("{name}.{kind}")).is_file(), "{kind}");
    }
}

#[test]
fn the_user_of_the_unit_is_made() {
    let user = format!("u {} ", unit("User"));
    let users = read("deploy/systemd/logout-hub.sysusers");
    assert!(users.starts_with(&user) && users.contains(&unit("WorkingDirectory")));
    assert_eq!(unit("User"), unit("Group"));
}

#[test]
fn the_hub_says_when_it_is_ready_and_when_it_stops() {
    assert_eq!(unit("Type"), "notify");
    let folder = tempfile::tempdir().unwrap();
    let configuration = read("deploy/systemd/hub.toml")
        .replace("/var/lib/logout-hub", folder.path().to_str().unwrap())
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", "127.0.0.1:0");
    fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    let socket = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&socket).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut buffer = [0; 64];
        let length = supervisor.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let mut command = Command::new(binary());
    command
        .args(["serve", "--config", "hub.toml"])
        .env("NOTIFY_SOCKET", &socket);
    let server = Server::start(&mut command, folder.path());
    assert_eq!(told(), "READY=1\n");
    server.signal("TERM");
    assert_eq!(told(), "STOPPING=1\n");
    assert_eq!(server.wait(PATIENCE).code(), Some(0));
}
