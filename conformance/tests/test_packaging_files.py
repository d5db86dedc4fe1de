"""What packaging/ hands out, by the tools that read it, and held to what the server really has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from kubernetes_validate import validate

from programs import ROOT, find

PACKAGING = ROOT / "packaging"
RULES = PACKAGING / "prometheus" / "openline.rules.yml"
DASHBOARD = PACKAGING / "grafana" / "openline.json"

METRIC = re.compile(r"\b(?:openline|process)_[a-z0-9_]+")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")

# Streams of NATS have such names too.
NO_METRICS = {"openline_chat", "openline_default"}

SITES = "https://github.com/openline/openline/blob/main/"

# What a drain may take beside its own three times.
END_SECONDS = 20


def run(*argv: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([find(argv[0]), *argv[1:]], capture_output=True, text=True, timeout=40, **options)


def metrics() -> set[str]:
    """Every metric that the server has, by the page that is made from its code."""
    return set(re.findall(r"^\| `([a-z0-9_]+)` \|", (ROOT / "docs/metrics.md").read_text(), re.M))


def named(text: str) -> set[str]:
    """The metrics that a text is about; a histogram's series stand for it."""
    return {SUFFIX.sub("", name) for name in METRIC.findall(text)} - NO_METRICS


def rules() -> list[dict]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def defaults(openline: str) -> dict:
    """The configuration with a file, as `openline config default` prints it commented out."""
    printed = subprocess.run([openline, "config", "default"], capture_output=True, text=True, check=True).stdout
    lines = [line.removeprefix("#") for line in printed.splitlines() if re.match(r"#[a-z_]+ = |\[[a-z_]+\]$", line)]
    return tomllib.loads("\n".join(lines))


def seconds(text: str) -> float:
    value, unit = re.fullmatch(r"(\d+)(ms|s|m|min|h)?", text).groups()
    return int(value) * {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, None: 1}[unit]


def test_the_image_is_built_as_hadolint_wants_it():
    done = run("hadolint", "--failure-threshold", "style", str(PACKAGING / "docker/Dockerfile"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_runs_the_program_alone_and_not_as_root():
    text = (PACKAGING / "docker/Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    assert last.startswith("\nFROM scratch\n")
    assert "\nUSER 65532:65532\n" in last and "\nSTOPSIGNAL SIGTERM\n" in last and "\nVOLUME /var/lib/openline\n" in last
    assert 'CMD ["/usr/bin/openline", "health"]' in last
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert f"FROM rust:{toolchain}-slim-" in text, "the image builds with the toolchain of the repository"


def image_context() -> list[str]:
    """The files that .dockerignore leaves of those in the repository. The last line that fits decides."""
    decisions = []
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and line[0] != "#":
            words = re.split(r"(\*\*/|\*)", line.removeprefix("!"))
            pattern = "".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(word, re.escape(word)) for word in words)
            decisions.append((re.compile(rf"{pattern}(?:/.*)?"), line[0] == "!"))
    files = run("git", "ls-files", cwd=ROOT).stdout.splitlines()
    given = [[is_given for pattern, is_given in decisions if pattern.fullmatch(file)] for file in files]
    return [file for file, said in zip(files, given, strict=True) if not said or said[-1]]


def test_the_build_of_the_image_is_given_what_it_needs_and_not_more(tmp_path):
    context = image_context()
    assert {file.split("/")[0] for file in context if "/" in file} == {"crates", "examples", "packaging", "testkit", "tidy", "web"}
    pages = run("git", "ls-files", "web/dist", cwd=ROOT).stdout.splitlines()
    assert pages and set(pages) <= set(context)
    for file in context:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    # Every member of the workspace is there, with all that its manifest names.
    done = run("cargo", "metadata", "--format-version=1", "--locked", "--offline", "--no-deps", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in re.findall(r"COPY --from=build (?:--chown=\S+ )?/src/(\S+)", (PACKAGING / "docker/Dockerfile").read_text()):
        assert (tmp_path / name).is_file(), name
    assert os.access(tmp_path / "packaging/static.sh", os.X_OK)
    # What the code takes in, tests and documentation excepted.
    for source in (tmp_path / "crates").glob("*/src/**/*.rs"):
        if source.name == "guides.rs" or "tests" in str(source.relative_to(tmp_path)):
            continue
        for name in re.findall(r"include_(?:str|bytes)!\(\"([^\"]+)\"\)", source.read_text()):
            assert (source.parent / name).is_file(), f"{source.relative_to(tmp_path)} takes in {name}"


def test_what_packages_install_is_a_configuration(openline):
    done = subprocess.run([openline, "config", "check", str(PACKAGING / "openline.toml")], capture_output=True, text=True)
    assert done.returncode == 0, done
    # As it says itself.
    assert "nobody can come in" in done.stderr and done.stderr.count("warning") == 1, done


def test_the_rules_are_prometheus_rules_and_each_alert_fires_when_it_is_to():
    done = run("promtool", "check", "rules", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("promtool", "test", "rules", str(RULES.with_name("openline.test.yml")))
    assert done.returncode == 0, done.stdout + done.stderr
    tested = RULES.with_name("openline.test.yml").read_text()
    untested = [rule["alert"] for rule in rules() if f'alertname="{rule["alert"]}"' not in tested]
    assert not untested


def test_each_alert_says_what_is_wrong_what_to_do_and_where_more_is():
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action", "docs"}, rule["alert"]
        assert "{{ $labels.instance }}" in rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["docs"].startswith(SITES), rule["alert"]
        page, _, heading = rule["annotations"]["docs"].removeprefix(SITES).partition("#")
        headings = re.findall(r"^#+ (.*)", (ROOT / page).read_text(), re.M)
        anchors = {re.sub(r"[^a-z0-9 _-]", "", line.lower()).replace(" ", "-") for line in headings}
        assert not heading or heading in anchors, rule["alert"]


@pytest.mark.parametrize("path", [RULES, DASHBOARD, ROOT / "docs/operations.md"], ids=lambda path: path.name)
def test_every_metric_that_is_named_is_one_of_the_server(path):
    assert named(path.read_text()) - metrics() == set()


def test_every_alarm_of_the_metrics_page_has_a_rule():
    page = (ROOT / "docs/metrics.md").read_text()
    table = page[page.index("## Worth an alarm") :].split("\n## ")[0]
    alarms = named(table)
    assert len(alarms) > 5
    ruled = named("\n".join(rule["expr"] for rule in rules()))
    assert alarms - ruled == set()


def test_the_dashboard_shows_what_alerts_and_the_operations_page_are_about():
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    shown = named("\n".join(target["expr"] for panel in panels for target in panel["targets"]))
    asked = named((ROOT / "docs/operations.md").read_text()) | named("\n".join(rule["expr"] for rule in rules()))
    # Starts are marks over all panels; the rest is a yes or no that an alert says better.
    marks = named(json.dumps(board["annotations"])) | {"openline_store_damaged"}
    assert asked - shown - marks == set()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        assert panel["title"] and panel["description"] and panel["targets"], panel["id"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            # What Prometheus understands once Grafana has put in its variables.
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
            assert "$" not in expression, expression


def test_the_dashboards_expressions_are_prometheus_expressions(tmp_path):
    board = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    text = "\n".join(expressions).replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
    recorded = [{"record": f"panel:{number}", "expr": line} for number, line in enumerate(text.splitlines())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    done = run("promtool", "check", "rules", str(tmp_path / "rules.yml"))
    assert done.returncode == 0 and f"{len(expressions)} rules found" in done.stdout, done.stdout + done.stderr


def manifest() -> list[dict]:
    return list(yaml.safe_load_all((PACKAGING / "kubernetes/openline.yaml").read_text()))


def test_the_manifest_is_what_kubernetes_understands():
    kinds = [part["kind"] for part in manifest()]
    assert kinds == ["ConfigMap", "Secret", "Deployment", "Service", "PodDisruptionBudget", "Ingress"]
    for part in manifest():
        validate(part, "1.37", strict=True)


def test_the_manifest_and_the_configuration_in_it_belong_together(openline, tmp_path):
    parts = {part["kind"]: part for part in manifest()}
    file = tmp_path / "openline.toml"
    file.write_text(parts["ConfigMap"]["data"]["openline.toml"])
    environment = os.environ | parts["Secret"]["stringData"] | {"OPENLINE_NODE_NAME": "a", "OPENLINE_LISTEN": "0.0.0.0:8000"}
    done = subprocess.run([openline, "config", "check", str(file)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stderr, done
    selector = parts["Deployment"]["spec"]["selector"]["matchLabels"]
    assert parts["Deployment"]["spec"]["template"]["metadata"]["labels"] == selector
    assert parts["Service"]["spec"]["selector"] == selector
    assert parts["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    container = parts["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in ("/health/live", "/health/ready")


def test_who_stops_the_server_waits_for_a_whole_drain(openline):
    drain = defaults(openline)["drain"]
    longest = sum(seconds(drain[key]) for key in ("delay", "duration", "notice")) + END_SECONDS
    service = (PACKAGING / "systemd/openline.service").read_text()
    assert seconds(re.search(r"^TimeoutStopSec=(\w+)$", service, re.M)[1]) >= longest
    pod = next(part for part in manifest() if part["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= longest
    # Who balances learns of it within the delay.
    haproxy = (PACKAGING / "haproxy/haproxy.cfg").read_text()
    interval, fall = re.search(r"check inter (\d+)s fall (\d+)", haproxy).groups()
    assert int(interval) * int(fall) < seconds(drain["delay"])
    ready = pod["containers"][0]["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < seconds(drain["delay"])


def test_completions_are_scripts_of_their_shells(openline, tmp_path):
    for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])):
        script = tmp_path / f"openline.{shell}"
        script.write_text(subprocess.run([openline, "completions", shell], capture_output=True, text=True, check=True).stdout)
        done = run(*check, str(script))
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), shell


def test_bash_completes_commands_and_options(openline, tmp_path):
    script = tmp_path / "openline.bash"
    script.write_text(subprocess.run([openline, "completions", "bash"], capture_output=True, text=True, check=True).stdout)

    def completed(*words: str) -> list[str]:
        line = " ".join(words)
        code = f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; '
        done = run("bash", "-c", code + '_openline openline "${@: -1}" ""; printf "%s\\n" "${COMPREPLY[@]}"', "bash", str(script), *words)
        return done.stdout.split()

    assert {"serve", "connect", "health", "man"} <= set(completed("openline", ""))
    assert completed("openline", "ser") == ["serve"]
    assert "--data-dir" in completed("openline", "serve", "--da")


def test_manual_pages_are_sound_and_can_be_read(openline, tmp_path):
    subprocess.run([openline, "man", "--dir", str(tmp_path)], check=True)
    pages = sorted(path.name for path in tmp_path.iterdir())
    assert {"openline.1", "openline-serve.1", "openline-token-mint.1", "openline-health.1"} <= set(pages)
    done = run("mandoc", "-T", "lint", "-W", "error", *(str(tmp_path / page) for page in pages))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout[:2000]
    read = run("mandoc", "-T", "ascii", str(tmp_path / "openline-serve.1")).stdout
    plain = re.sub(r".\x08", "", read)
    assert "--data-dir" in plain and "OPENLINE_DATA_DIR" in plain
