"""One HTML file of one run or several of one world: a replay, charts and tables; it needs no network and no server."""
