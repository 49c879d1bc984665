"""What a browser sees: the page of a recorded call.

Modules: `report` (the page), `story` (a record, checked), `peaks` (a recording's outline),
`timeline`, `dialogue`, `waterfall` (the page's three parts), `markup` (HTML that cannot be
injected into, and how figures are written).
"""
