"""The console at `/console/`: what operators live in. Server-rendered pages over the same verbs as every other door.

A page is a `Page` (a path, a view, an entry of the navigation) in a module of `views`; a view gets a `Visit` and
returns what is `Shown`, or where the browser is `Moved` to; templates lie in `templates`, words in `words`, one table
a language. A page works without a script; with one it looks again by itself and asks without being loaded anew.

Nothing is loaded from elsewhere: styles and scripts lie in `static`, the two that are not ours with their licences.
"""
