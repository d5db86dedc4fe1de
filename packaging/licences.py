#!/usr/bin/env python3
"""Prints the licences of all that is linked into the program for a target, as they ask for.

Licences are in the sources that cargo fetched; a crate that brings no text is named all the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"(?i)^(licen[cs]e|copying|notice|unlicense)")


def linked(target: str) -> list[dict]:
    """The crates of `openline`, without those that only build or test it."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [package["id"] for package in packages.values() if package["name"] == "openline"]
    found: set[str] = set()
    while waiting:
        if (one := waiting.pop()) in found:
            continue
        found.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    # Crates of this repository have no source.
    others = [packages[one] for one in found if packages[one]["source"]]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts(package: dict) -> list[str]:
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and TEXTS.match(path.name))
    return [path.read_text(errors="replace").strip() for path in files]


def main() -> None:
    packages = linked(sys.argv[1])
    print(f"Openline is linked with {len(packages)} crates of others. Each has its licence, and its text below.\n")
    users: dict[str, list[str]] = {}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        where = package["repository"] or "no repository is named"
        print(f"{name}: {package['license']}: {where}")
        for text in texts(package):
            users.setdefault(text, []).append(name)
    for text, names in users.items():
        print(f"\n{'=' * 79}\n{', '.join(names)}\n{'-' * 79}\n{text}")


if __name__ == "__main__":
    main()
