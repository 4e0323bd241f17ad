"""Our own API, `/v1`: the verbs of Python and of the terminal, for everything else that speaks HTTP.

Thin: a route reads what was asked, asks one verb of `permitted`, and words the answer. What is bad in a body is said
by the readers that every door uses, in their words; nothing is checked twice. Open ids are never part of an address:
what is asked by user is a POST, for addresses stand in the logs of whatever is on the way.
"""
