"""What a browser sees: the call server, its page, and the page of a recorded call.

A live call's page is `page/` and `component/` (`assets` knows its files; docs/page.md); the server
is `server` and what it imports (docs/web.md). Of a recorded call: `report` (the page), `story` (a
record, checked), `peaks` (a recording's outline), `timeline`, `dialogue`, `waterfall` (the page's
three parts), `markup` (HTML that cannot be injected into, and how figures are written).
"""
