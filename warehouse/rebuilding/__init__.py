"""Books rebuilt from snapshots, changes, polls and gaps: read, decide who speaks, lay out, show.

`reading` brings the rows of streams in order, `speaking` says whose book is the market's when, `changes`
makes ragged arrays of it, for frames (`showing`) and for the engine alike. Only `kernels` imports numba, and
nothing imports `kernels` before arrays are asked for.
"""
