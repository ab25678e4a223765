"""What this machine does with our code, measured: `make bench`, or `python -m tests.benchmarks NAME…`.

Each module of figures measures one area, in a process of its own, so that its peak memory is its own. Ratios
compare two ways to do the same work in one process, and only after their results were found equal.
"""
