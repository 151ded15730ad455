"""Templates in Jinja's syntax: its sandbox, with values that are plain data alone.

Jinja parses a text, `rewrite` puts each operation that may take long, or print, behind
a filter of ours, and Jinja compiles what comes of it. What a template then makes is in
pieces, the template's own text and the mail's values apart (`pieces`), so that a value
is escaped once, at its place, and a shape that was seen before is not encoded again
(`shape`).
"""
