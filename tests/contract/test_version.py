"""The version is written once, in the contract."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import yaml

from tests.support.server import ROOT, run

VERSION = yaml.safe_load((ROOT / "openapi.yaml").read_bytes())["info"]["version"]


def test_the_contract_has_a_semantic_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_the_service_reports_the_contracts_version(server: str) -> None:
    for path in ("/health", "/health/live", "/health/ready"):
        assert httpx.get(server + path).json()["version"] == VERSION
    assert httpx.get(f"{server}/openapi.json").json()["info"]["version"] == VERSION


def test_the_command_prints_the_contracts_version(tmp_path: Path) -> None:
    assert run("--version", directory=tmp_path, settings={}).stdout == f"todo-api {VERSION}\n"


def test_the_package_has_the_contracts_version() -> None:
    words = [sys.executable, "-W", "ignore", "-c", "import setuptools; setuptools.setup()", "--version"]
    output = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == VERSION


def test_no_other_file_repeats_the_version() -> None:
    files = [ROOT / "pyproject.toml", *ROOT.glob("handlers/**/*.py"), *ROOT.glob("storage/**/*.py")]
    assert not [file.name for file in files if f'"{VERSION}"' in file.read_text()]
    assert len(re.findall(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])", (ROOT / "openapi.yaml").read_text())) == 1
