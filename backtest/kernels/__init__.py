"""The numba kernels: arrays in, arrays out. Importing this package does not import numba; its modules do.

Only entry points (`clock.simulate`, `tops.book_tops`) are cached on disk; the rest is compiled into them.
"""
