"""Runs Schemathesis over the management API of a running gateway: the argument is its address.

It makes requests from the API's own description, right ones and wrong ones, and holds every answer against it.
"""

import os
import pathlib
import sys
import tempfile

from schemathesis.cli import schemathesis

CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")

shared = ["--config-file", str(CONFIGURATION), "run", f"{sys.argv[1]}/openapi.json"]
shared += ["--max-examples", "15", "--max-time", "15", "--seed", "1", "--request-timeout", "30", "--no-shrink"]
# What it did not reach in its time is no finding, and would stand before those.
shared += ["--continue-on-failure", "--generation-database", "none", "--warnings", "off"]
# It keeps what it found beside where it is run.
os.chdir(tempfile.mkdtemp())
# First each operation by itself, then sequences of them, in which one uses what another answered. A time for each: the
# first would leave the second none. One worker: two threads that read Python's source at once can fail in Python 3.11
# itself ("AST constructor recursion depth mismatch").
for phases in (["examples,coverage,fuzzing", "--workers", "1"], ["stateful"]):
    try:
        schemathesis([*shared, "--phases", *phases])
    except SystemExit as end:
        if end.code:
            raise
