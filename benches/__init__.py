"""What scriptstep costs, beside what its peers cost, measured in one run and compared as ratios.

`python -m benches` (or `make bench`) runs it; README.md in this folder holds the figures of the last full run.
"""
