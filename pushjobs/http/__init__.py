"""Floor 4: the doors that speak HTTP, one process of them: `python -m pushjobs.http`.

Thin: a door reads a request, asks one use case and words its answer. No SQL, no Redis, no decision is made here, and
no address with its query is ever logged: WeChat's have open ids in them.
"""
