"""KubeRay's manifests: what holds between them. `make manifests` holds them against their schemas."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.observe.prometheus import DEPLOY

KUBERAY = DEPLOY / "kuberay"


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    kept = yaml.safe_load((KUBERAY / "kustomization.yaml").read_text())["resources"]
    return [each for name in kept for each in yaml.safe_load_all((KUBERAY / name).read_text())]


@pytest.fixture(scope="module")
def cluster(found) -> dict[str, Any]:
    (one,) = (each for each in found if each["kind"] == "RayCluster")
    return one["spec"]


def groups(cluster) -> dict[str, Any]:
    return {each["groupName"]: each for each in cluster["workerGroupSpecs"]}


def test_all_are_of_one_namespace_and_what_is_chosen_is_there(found, cluster):
    assert all(each["metadata"].get("namespace", "vivavoce") == "vivavoce" for each in found)
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    labels = [pod["template"]["metadata"]["labels"] for pod in pods]
    for each in found:
        spec = each.get("spec", {})
        chosen = spec.get("podSelector", {}).get("matchLabels") or spec.get("selector")
        if each["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy"}:
            wanted = chosen.get("matchLabels", chosen)
            assert sum(wanted.items() <= label.items() for label in labels) == 1, each["metadata"]
    made = {each["metadata"]["name"] for each in found if each["kind"] == "ConfigMap"}
    made |= {
        each["name"]
        for each in yaml.safe_load((KUBERAY / "kustomization.yaml").read_text())[
            "configMapGenerator"
        ]
    }
    for pod in pods:
        spec = pod["template"]["spec"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            assert volume.get("configMap", {}).get("name") in made | {None}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
        assert spec["securityContext"]["runAsNonRoot"]
        # Front and raylet speak over files of Ray's: one folder, one user.
        assert "emptyDir" in volumes["ray"]
    assert cluster["authOptions"] == {"mode": "token"}


def test_there_is_a_core_for_each_worker_and_one_pod_to_a_machine(cluster):
    calls = groups(cluster)["calls"]
    spec = calls["template"]["spec"]
    (container,) = spec["containers"]
    cores = int(container["resources"]["requests"]["cpu"])
    assert int(calls["rayStartParams"]["num-cpus"]) < cores
    assert spec["hostNetwork"]
    (rule,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert calls["minReplicas"] >= 2
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert groups(cluster)["fronts"]["rayStartParams"]["num-cpus"] == "0"
    # As many MB as that many workers with their calls need (docs/sizing.md), and Ray's own.
    memory = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1000
    assert memory > 14 * (200 + 40 * 2) + 1500


def test_the_front_is_started_as_our_command_takes_it(found, cluster, monkeypatch, tmp_path):
    from click import Context
    from typer.main import get_command

    from vivavoce.cli.main import app
    from vivavoce.cli.serve import read_setup

    spec = groups(cluster)["fronts"]["template"]["spec"]
    front = next(each for each in spec["containers"] if each["name"] == "front")
    serve = get_command(app).commands[front["args"][0]]
    with Context(serve) as context:
        parsed, rest, _ = serve.make_parser(context).parse_args(front["args"][1:])
    assert not rest
    assert parsed["cluster"]
    grace = spec["terminationGracePeriodSeconds"]
    beside = next(each for each in spec["containers"] if each["name"] == "ray-worker")
    (words,) = [beside["lifecycle"]["preStop"]["exec"]["command"][-1]]
    stays = int(words.split()[1].rstrip(";"))
    before = int(front["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert before + float(parsed["drain"]) < stays < grace
    # The server listens where the probes ask.
    (setup,) = (each for each in found if each["kind"] == "ConfigMap")
    for name in ("TURN_SECRET", "VIVAVOCE_WEB_SECRET"):
        monkeypatch.setenv(name, "0" * 32)
    path = tmp_path / "serve.toml"
    path.write_text(setup["data"]["serve.toml"])
    exposure = read_setup(path, {}).exposure
    assert front["ports"] == [{"name": "web", "containerPort": exposure.port}]
    assert {front[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")} == {
        "/readyz",
        "/healthz",
    }
    tokens = {each["name"]: each for each in front["env"]}
    assert tokens["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == "vivavoce"


def test_ray_is_the_one_that_we_want(cluster):
    extras = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    (wanted,) = extras["project"]["optional-dependencies"]["cluster"]
    assert wanted.startswith("ray>=")
    from packaging.requirements import Requirement

    assert Requirement(wanted).specifier.contains(cluster["rayVersion"])
    assert f"ray[default]=={cluster['rayVersion']}" in (KUBERAY / "raycluster.yaml").read_text()


def test_a_pod_that_ends_drains_its_own_workers_and_no_others(cluster, tmp_path):
    said = tmp_path / "said"
    status = (
        '{"workers": [{"name": "aa", "node": "10.0.0.5-1f2e3d"},'
        ' {"name": "bb", "node": "10.0.0.50-aaaaaa"}, {"name": "cc", "node": "10.0.0.5-1f2e3d"}]}'
    )
    for name, body in (
        ("ray", f'echo "ray $*" >>{said}'),
        ("vivavoce", f'case "$*" in *status*) echo \'{status}\';; *) echo "$*" >>{said};; esac'),
    ):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    hook = groups(cluster)["calls"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]
    command = [word if "/" not in word else KUBERAY / "drain" for word in hook["exec"]["command"]]
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POD_IP": "10.0.0.5"}
    subprocess.run(command, check=True, timeout=30, env=env)
    lines = Path(said).read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("cluster")) == [
        "cluster drain aa --ray auto --wait 800",
        "cluster drain cc --ray auto --wait 800",
    ]
    # First nothing more is put there; at the end Ray leaves.
    assert lines[0].startswith("ray drain-node")
    assert lines[-1] == "ray stop"
    grace = groups(cluster)["calls"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert int(hook["exec"]["command"][-1]) < grace
