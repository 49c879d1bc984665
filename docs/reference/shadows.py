"""For the reference: a module that its package hides behind a name of the same spelling is kept.

`vivavoce.tools` has a module `tool` and gives its function `tool` under the same name.
"""

from typing import Any

import griffe


class Shadows(griffe.Extension):
    """Drops the second names, which would be circles."""

    def on_module_members(self, *, mod: griffe.Module, **_more: Any) -> None:
        """Look at a module whose members were just read."""
        for name, member in list(mod.members.items()):
            if (
                isinstance(member, griffe.Alias)
                and member.target_path == f"{mod.path}.{name}.{name}"
            ):
                del mod.members[name]
