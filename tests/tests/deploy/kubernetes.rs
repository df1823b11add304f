//! The Kustomize base.

use serde_json::{Value, json};

use super::{assert_is_a_command, root, toml, words, yaml};

fn base(name: &str) -> Value {
    yaml(&format!("deploy/kubernetes/{name}.yaml"))
}

fn pod() -> Value {
    base("deployment")["spec"]["template"]["spec"].clone()
}

fn container() -> Value {
    pod()["containers"][0].clone()
}

#[test]
fn the_base_names_its_files() {
    let base = base("kustomization");
    let files = words(&base["resources"]);
    let generated = words(&base["configMapGenerator"][0]["files"]);
    for file in files.iter().chain(&generated) {
        assert!(root().join("deploy/kubernetes").join(file).exists());
    }
    assert_eq!(
        files,
        ["deployment.yaml", "disruption-budget.yaml", "service.yaml"]
    );
    let volume = &pod()["volumes"][0]["configMap"]["name"];
    assert_eq!(base["configMapGenerator"][0]["name"], *volume);
}

#[test]
fn service_and_budget_select_the_pods() {
    let deployment = base("deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(base("service")["spec"]["selector"], *labels);
    let budget = base("disruption-budget");
    assert_eq!(budget["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert!(deployment["spec"]["replicas"].as_u64().unwrap() > 1);
    let port = &base("service")["spec"]["ports"][0]["targetPort"];
    assert_eq!(container()["ports"][0]["name"], *port);
}

#[test]
fn probes_are_commands_of_the_hub() {
    let container = container();
    for (probe, is_live) in [
        ("startupProbe", true),
        ("livenessProbe", true),
        ("readinessProbe", false),
    ] {
        let probe = &container[probe];
        let command = words(&probe["exec"]["command"]);
        assert_is_a_command(&command);
        // A hub is not restarted because its store is away.
        assert_eq!(command.contains(&"--live"), is_live);
        // The command itself ends after five seconds, with a reason.
        assert_eq!(probe["timeoutSeconds"], 6);
    }
}

#[test]
fn the_hub_runs_without_rights() {
    let (pod, container) = (pod(), container());
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["enableServiceLinks"], false);
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["runAsUser"], 65532);
    assert_eq!(context["fsGroup"], context["runAsGroup"]);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    let expected = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
    });
    assert_eq!(container["securityContext"], expected);
}

#[test]
fn secrets_lie_where_the_configuration_expects_them_and_few_can_read_them() {
    let (pod, container) = (pod(), container());
    let secret = &pod["volumes"][1]["secret"];
    assert_eq!(secret["defaultMode"], 0o440);
    let environment = &container["env"][0];
    assert_eq!(environment["name"], "LOGOUT_HUB__STORE__URL");
    let reference = &environment["valueFrom"]["secretKeyRef"];
    assert_eq!(reference["name"], secret["secretName"]);
    let mounts = container["volumeMounts"].as_array().unwrap();
    let folder = |name: &str| {
        let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap();
        mount["mountPath"].as_str().unwrap()
    };
    assert_eq!(folder("configuration"), "/etc/logout-hub");
    let configuration = toml("deploy/kubernetes/hub.toml");
    for (section, key, file) in [
        ("admin", "token_file", "admin.token"),
        ("admin", "check_token_file", "check.token"),
        ("server", "seal_key_file", "seal.key"),
    ] {
        let place = format!("{}/{file}", folder("secrets"));
        assert_eq!(configuration[section][key].as_str(), Some(place.as_str()));
        let items = secret["items"].as_array().unwrap();
        assert!(items.contains(&json!({ "key": file, "path": file })));
    }
}

#[test]
fn a_pod_has_time_to_end() {
    let pod = pod();
    let pause = container()["lifecycle"]["preStop"]["sleep"]["seconds"].clone();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let shutdown = logout_hub::config::ServerConfig::default().shutdown_timeout;
    assert!(grace > pause.as_u64().unwrap() + 2 * shutdown.as_secs());
}
