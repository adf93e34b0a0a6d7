"""The README: its sessions print what they say, its pieces run, its figures are the real ones."""
import code
import contextlib
import doctest
import io
import os
import re
import sys
import textwrap
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from program import ROOT, run_here, source

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
    README = file.read()
with open(os.path.join(ROOT, "input.txt"), encoding="utf-8") as file:
    INPUT = file.read()
BLOCKS = [(language, textwrap.dedent(text)) for language, text
          in re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```$", README)]
PYTHON = [text for language, text in BLOCKS if language in ("python", "pycon")]
SESSIONS = [text for text in PYTHON if text.startswith(">>>")]
PIECES = [text for text in PYTHON if not text.startswith(">>>")]

PUBLISHED = ["num docs: 32257", "vocab size: 27", "num params: 4192",
             "step    1 / 1000 | loss 3.4639 | mean of last 100: 3.4639",
             "step 1000 / 1000 | loss 2.5116 | mean of last 100: 2.4078",
             "--- inference (new, hallucinated names) ---"]
NAMES = """biad amadon karel mararo nele talyn amarie emelen kieven salelyn
           sanirin aricon kayi anyn darien anilan sriale vadidon odinn nayri"""
PUBLISHED += [f"sample {i:2d}: {name}" for i, name in enumerate(NAMES.split(), 1)]


class TheReadme(unittest.TestCase):
    def test_its_python_sessions_print_what_they_say(self):
        self.assertTrue(SESSIONS)
        session = doctest.DocTestParser().get_doctest(
            "\n".join(SESSIONS), {"__name__": "__main__"}, "README.md", "README.md", 0)
        report = io.StringIO()
        result = doctest.DocTestRunner().run(session, out=report.write)
        self.assertEqual(result.failed, 0, report.getvalue())

    def test_its_notebook_pieces_run_after_the_program(self):
        self.assertTrue(PIECES)
        variables, _ = run_here(self, source(num_steps=2, num_samples=2), text=INPUT)
        for piece in PIECES:  # all of them in the folder of the run
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                exec(piece, variables)
            self.assertTrue(screen.getvalue().strip(), piece)

    def test_its_notebook_pieces_can_be_typed_into_a_plain_prompt(self):
        variables, _ = run_here(self, source(num_steps=2, num_samples=2), text=INPUT)
        prompt = code.InteractiveConsole(variables)
        for piece in PIECES:
            screen, errors = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(errors):
                for line in [*piece.splitlines(), ""]:
                    prompt.push(line)
            self.assertEqual(errors.getvalue(), "", piece)
            self.assertTrue(screen.getvalue().strip(), piece)

    def test_the_lines_that_its_experiments_change_are_lines_of_the_program(self):
        changed = [line[1:].strip() for language, text in BLOCKS if language == "diff"
                   for line in text.splitlines() if line.startswith("-")]
        self.assertTrue(changed)
        lines = [line.strip() for line in source().splitlines()]
        for line in changed:
            self.assertEqual(lines.count(line), 1, line)

    def test_the_output_that_it_quotes_is_the_published_one(self):
        output = next(text for _, text in BLOCKS if text.startswith("num docs"))
        quoted = [line.rstrip() for line in output.splitlines() if line.strip(" .")]
        self.assertEqual(quoted, [line for line in PUBLISHED if line in quoted])
        self.assertEqual(quoted[:6], PUBLISHED[:6])
        self.assertGreater(len(quoted), 6)

    def test_it_names_the_two_commands(self):
        for command in ("python3 microgpt.py", "python3 -m unittest discover tests"):
            self.assertIn(command, README)


if __name__ == "__main__":
    unittest.main()
