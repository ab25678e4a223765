"""The numba kernels: arrays in, arrays out. Importing this package does not import numba; its modules do.

Only entry points (`clock.simulate` and those of `tops`) are cached on disk; the rest is compiled into them.
"""
