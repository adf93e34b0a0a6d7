"""The README: its Python sessions print what it says, its notebook pieces run, its commands are the real ones."""
import contextlib
import doctest
import io
import os
import re
import unittest

from program import FAST, ROOT
from test_run import KNOWN_GOOD, run_here

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as readme:
    README = readme.read()
PIECES = re.findall(r"(?ms)^```python\n(.*?)^```", README)


class Readme(unittest.TestCase):
    def test_its_python_sessions_print_what_they_say(self):
        sessions = [piece for piece in PIECES if piece.startswith(">>>")]
        self.assertGreaterEqual(len(sessions), 4)
        variables, report = {}, io.StringIO()  # one prompt for all of them, in their order
        for session in sessions:
            test = doctest.DocTestParser().get_doctest(session, variables, "README.md", "README.md", 0)
            runner = doctest.DocTestRunner()
            result = runner.run(test, out=report.write, clear_globs=False)
            variables = test.globs
            self.assertEqual(result.failed, 0, report.getvalue())
            self.assertGreater(result.attempted, 0)

    def test_its_notebook_pieces_run_after_the_program(self):
        pieces = [piece for piece in PIECES if not piece.startswith(">>>")]
        self.assertGreaterEqual(len(pieces), 2)
        variables, _ = run_here("emma\nmarina\nnoah\n", **dict(FAST, n_embd=8, n_head=4, block_size=8))
        for piece in pieces:
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                exec(piece, variables)
            self.assertTrue(screen.getvalue().strip(), piece)

    def test_it_quotes_the_lines_that_the_default_run_prints(self):
        default = KNOWN_GOOD["default"]
        for line in [f"num docs: {default['num docs']}", f"vocab size: {default['vocab size']}",
                     f"num params: {default['num params']}", f"step    1 / 1000 | loss {default['losses'][0]:.4f}",
                     f"step 1000 / 1000 | loss {default['losses'][-1]:.4f} | mean of last 100: 2.4078",
                     f"sample  1: {default['samples'][0]}", f"sample 20: {default['samples'][-1]}"]:
            self.assertIn("\n" + line, README)

    def test_the_lines_that_its_experiments_change_are_lines_of_the_program(self):
        with open(os.path.join(ROOT, "microgpt.py"), encoding="utf-8") as program:
            text = program.read()
        [experiments] = re.findall(r"(?ms)^## Experiments\n(.*?)^## ", README)
        changed = re.findall(r"(?m)^- (.*)$", "\n".join(re.findall(r"(?ms)^```diff\n(.*?)^```", experiments)))
        self.assertGreaterEqual(len(changed), 4)
        for line in changed:
            self.assertEqual(text.count(line.strip()), 1, line)

    def test_it_is_at_most_250_lines(self):
        self.assertLessEqual(README.count("\n"), 250)


if __name__ == "__main__":
    unittest.main()
