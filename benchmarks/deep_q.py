#!/usr/bin/env python3
"""How long examples/deep_q takes to learn, seed by seed.

A seed has learnt when the mean of 100 episodes in a row is at least 195 moves of 200.

    cmake -G Ninja -S examples/deep_q -B build/deep_q -DCMAKE_PREFIX_PATH=~/millrace -DCMAKE_BUILD_TYPE=Release
    cmake --build build/deep_q
    python3 benchmarks/deep_q.py build/deep_q/deep_q [--seeds 10] [--slots 1]
"""
import argparse
import resource
import subprocess
import time


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
words.add_argument("program")
words.add_argument("--seeds", type=int, default=10)
words.add_argument("--slots", type=int, default=1)
options = words.parse_args()

learnt = 0
for seed in range(1, options.seeds + 1):
    wall, processor = time.monotonic(), processor_time()
    run = subprocess.run([options.program, str(seed), str(options.slots)], capture_output=True, text=True)
    wall, processor = time.monotonic() - wall, processor_time() - processor
    learnt += run.returncode == 0
    said = run.stdout.strip() or run.stderr.strip()
    print(f"{said}: {'learnt' if run.returncode == 0 else 'NOT LEARNT'}, {wall:.1f} s, {processor:.1f} s of processors",
          flush=True)
print(f"{learnt} of {options.seeds} seeds have learnt")
