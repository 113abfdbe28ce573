"""What a plugin is asked and what it may say stands in wit/plugin.wit."""

import json

from wit_world import exports
from wit_world.imports import types


class Filter(exports.Filter):
    def judge(self, event: types.Event, config: str) -> types.Verdict:
        """`config` is what the subscription says to this plugin, as JSON. `componentize_py_types.Err("…")` is raised as an error in words."""
        over = (json.loads(config) or {}).get("over", 100)
        total = json.loads(event.data)["total"]
        if total > over:
            return types.Verdict_Deliver()
        return types.Verdict_Drop(f"{total} is not over {over}")
