"""Builds NAME.wasm, with its tools in .venv."""

import subprocess
import sys
import venv
from pathlib import Path

here = Path(__file__).resolve().parent
tools = here / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")


def run(program, *arguments):
    if subprocess.run([tools / program, *arguments], cwd=here).returncode != 0:
        sys.exit(f"{program} failed")


if not list(tools.glob("componentize-py*")):
    venv.create(here / ".venv", with_pip=True)
    run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt")
# The interfaces of the system that Python asks for are not there in a plugin: a call of one ends it.
run(
    "componentize-py", "--wit-path", "wit", "--world", "plugin",
    "componentize", "--stub-wasi", "app", "--output", "NAME.wasm",
)
