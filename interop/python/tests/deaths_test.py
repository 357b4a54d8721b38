"""Nobody hangs when a process is killed: the nine cases in which multiprocessing does, each with
our classes, and each, as a counter-check, with multiprocessing's own. deaths.py has the cases.
"""

import json
import os
import subprocess
import sys
import unittest

import deaths

from support import PATIENCE

_told = {}


def run(case, classes):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "deaths.py")
    done = subprocess.run(
        [sys.executable, "-B", program, case, classes],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    # On its standard error the resource tracker complains of what it had to remove.
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    _told[case, classes] = json.loads(done.stdout)
    return _told[case, classes]


class Deaths(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        print(f"\n{'killed':<16}{'multiprocessing':<18}ipckit", file=sys.stderr)
        for case in deaths.CASES:
            said = [
                "hangs" if not told["went_on"] else f"goes on after {told['ms']} ms"
                for told in (_told.get((case, "multiprocessing")), _told.get((case, "ipckit")))
                if told
            ]
            print(f"{case:<16}{said[0]:<18}{''.join(said[1:])}", file=sys.stderr)


def _ours(case):
    def test(self):
        self.assertTrue(run(case, "ipckit")["went_on"])

    return test


def _theirs(case):
    def test(self):
        self.assertFalse(run(case, "multiprocessing")["went_on"], "then it proves nothing")

    return test


for case in deaths.CASES:
    setattr(Deaths, f"test_{case}", _ours(case))
    setattr(Deaths, f"test_{case}_of_multiprocessing_hangs", _theirs(case))


if __name__ == "__main__":
    unittest.main()
