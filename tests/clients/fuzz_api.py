"""Runs Schemathesis over the management API of a running gateway: the argument is its address.

It makes requests from the API's own description, right ones and wrong ones, and holds every answer against it.
"""

import os
import pathlib
import sys
import tempfile

from schemathesis.cli import schemathesis

CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")

arguments = ["--config-file", str(CONFIGURATION), "run", f"{sys.argv[1]}/openapi.json"]
arguments += ["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--max-time", "15", "--seed", "1"]
arguments += ["--request-timeout", "10", "--workers", "2", "--no-shrink", "--continue-on-failure"]
arguments += ["--generation-database", "none"]
# It keeps what it found beside where it is run.
os.chdir(tempfile.mkdtemp())
schemathesis(arguments)
