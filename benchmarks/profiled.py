"""Runs a `python -m MODULE …` under the profiler: `profiled.py OUT python -m MODULE …`."""

import cProfile
import runpy
import sys


def main() -> None:
    out, _, _, module, *arguments = sys.argv[1:]
    sys.path.pop(0)  # where this file is: no module beside it may pose as one of theirs
    sys.argv = [module, *arguments]
    profile = cProfile.Profile()
    try:
        profile.runcall(runpy.run_module, module, run_name="__main__", alter_sys=True)
    finally:
        profile.dump_stats(out)


if __name__ == "__main__":
    main()
