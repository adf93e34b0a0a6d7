"""README.md and experiments.md: what they show runs, in every place they name, and prints that."""
import code
import contextlib
import doctest
import io
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from program import ROOT, default_run, printed_names, read, source

README = read("README.md")
EXPERIMENTS = read("tests/experiments.md")
SHORT = dict(num_steps=2, num_samples=2)


def blocks(page):
    return [(language, textwrap.dedent(text))
            for language, text in re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```$", page)]


PYTHON = [text for page in (README, EXPERIMENTS) for language, text in blocks(page)
          if language in ("python", "pycon")]
SESSIONS = [text for text in PYTHON if text.startswith(">>>")]
PIECES = [text for text in PYTHON if not text.startswith(">>>")]


class FolderTestCase(unittest.TestCase):
    def enter_folder(self):
        """Work in a new folder with the project's input.txt, until the test ends."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        shutil.copy(os.path.join(ROOT, "input.txt"), folder)
        return folder


class ThePiecesRun(FolderTestCase):
    def in_cells(self, *cells):
        """Run cells as a notebook does, where the last expression is shown."""
        self.enter_folder()
        variables = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in cells:
                exec(cell, variables)
        for piece in PIECES:
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                *statements, last = piece.strip().splitlines()
                if piece.startswith("sample("):  # expressions, shown one by one
                    for line in [*statements, last]:
                        print(eval(line, variables))
                else:
                    exec(piece, variables)
            self.assertTrue(screen.getvalue().strip(), piece)

    def test_in_a_notebook_where_the_file_was_pasted_into_a_cell(self):
        self.in_cells(source(**SHORT))

    def test_in_a_notebook_with_a_cell_for_each_heading_as_jupytext_makes(self):
        self.in_cells(*re.split(r"(?m)^(?=# %% )", source(**SHORT)))

    def test_typed_line_by_line_into_the_prompt_of_python_i(self):
        folder = self.enter_folder()
        with open(os.path.join(folder, "microgpt.py"), "w", encoding="utf-8") as file:
            file.write(source(**SHORT))
        typed = "".join([piece.rstrip("\n") + "\n\nprint('piece', 'done')\n" for piece in PIECES])
        done = subprocess.run([sys.executable, "-i", "microgpt.py"], input=typed, cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
        self.assertNotIn("Error", done.stderr)
        printed = re.split(r"piece done\n", done.stdout.split("sample  2: ")[1])
        self.assertEqual(len(printed), len(PIECES) + 1)
        for piece, output in zip(PIECES, printed):
            self.assertTrue(output.strip(), piece)

    def test_pieces_need_no_blank_line_within_them_that_a_prompt_would_take_as_the_end(self):
        for piece in PIECES:
            prompt = code.InteractiveInterpreter({})
            lines = []
            for line in [*piece.splitlines(), ""]:
                lines.append(line)
                if code.compile_command("\n".join(lines)) is not None:
                    lines = []
            self.assertEqual("".join(lines), "", piece)
            self.assertTrue(prompt)


class TheOutputsAreThoseOfTheDefaultRun(FolderTestCase):
    def test_of_each_piece_in_the_order_of_the_pages(self):
        variables, _, state = default_run()
        self.enter_folder()
        random.setstate(state)
        checked = 0
        for piece, output in re.findall(r"(?ms)^```python\n([^>].*?)^```\n\n"
                                        r"(?:Output[^\n]*:\n\n)?(?:```text\n(.*?)^```)?",
                                        README + EXPERIMENTS):
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                exec(piece, variables)
            if output:
                self.assertEqual(screen.getvalue(), output)
                checked += 1
        self.assertGreaterEqual(checked, 4)

    def test_of_the_readme_and_its_names(self):
        variables, printed, _ = default_run()
        lines = [line.rstrip() for line in printed.replace("\r", "\n").splitlines()]
        output = next(text for _, text in blocks(README) if text.startswith("num docs"))
        quoted = [line for line in output.splitlines() if line != "..."]
        self.assertEqual(quoted, [line for line in lines if line in quoted])
        self.assertGreater(len(quoted), 6)
        names = printed_names(printed)
        text = " ".join(README.split())
        self.assertIn(f"The 20 names are {', '.join(names[:-1])} and {names[-1]}. Five", text)
        real = [name for name in names if name in variables["docs"]]
        self.assertIn(f"`input.txt`: {', '.join(real[:-1])} and {real[-1]}. Of these, only "
                      + [name for name in names if name in variables["docs"][:1000]][0], text)
        untrained = [name for name, _ in re.findall(r"(?m)^\| (\w+) \| (\w+) \|$", README)][1:]
        trained = [name for _, name in re.findall(r"(?m)^\| (\w+) \| (\w+) \|$", README)][1:]
        self.assertEqual(trained, names[:5])
        with contextlib.redirect_stdout(io.StringIO()) as screen:
            self.enter_folder()
            exec(source(num_steps=0, num_samples=5), {"__name__": "__main__"})
        self.assertEqual(untrained, printed_names(screen.getvalue()))


class ThePagesSayTrue(FolderTestCase):
    def test_what_is_saved_and_loaded_is_the_model_whatever_the_settings_say(self):
        self.enter_folder()
        variables = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(source(**SHORT, n_layer=2, n_embd=8, n_head=2, block_size=5), variables)
            weights = [param.data for param in variables["parameters"](variables["model"])]
            variables.update(n_layer=1, n_embd=16, n_head=4, block_size=16, seed=1)
            save, load = [piece for piece in PIECES if "json" in piece]
            exec(save, variables)
            variables["model"] = None
            exec(load, variables)
        loaded = variables["parameters"](variables["model"])
        self.assertEqual([param.data for param in loaded], weights)
        self.assertEqual({type(param) for param in loaded}, {variables["Value"]})

    def test_an_experiment_with_a_program_that_crashes_shows_its_last_line(self):
        folder = self.enter_folder()
        shutil.copytree(os.path.join(ROOT, "tests"), os.path.join(folder, "tests"))
        shutil.copy(os.path.join(ROOT, "README.md"), folder)
        with open("microgpt.py", "w", encoding="utf-8") as file:
            file.write(source().replace("    random.seed(seed)\n", "    raise KeyError('here')\n"))
        done = subprocess.run([sys.executable, "tests/experiments.py", "default", "42"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"KeyError: 'here'\n\Z")
        self.assertNotIn("Traceback", done.stderr)


class TheSessionsPrintWhatTheySay(FolderTestCase):
    def play(self, variables, sessions):
        self.assertTrue(SESSIONS)
        session = doctest.DocTestParser().get_doctest("\n".join(sessions), variables, "README.md",
                                                      "README.md", 0)
        report = io.StringIO()
        result = doctest.DocTestRunner().run(session, out=report.write)
        self.assertEqual(result.failed, 0, report.getvalue())

    def test_in_a_plain_prompt(self):
        self.play({"__name__": "__main__"}, SESSIONS)

    def test_after_the_program_without_the_import(self):
        self.enter_folder()
        variables = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(source(**SHORT), variables)
        self.play(variables, [text.replace(">>> from microgpt import *\n", "")
                              for text in SESSIONS])


class ThePages(unittest.TestCase):
    def test_the_lines_that_experiments_change_are_lines_of_the_program(self):
        changed = [line[1:].strip() for language, text in blocks(EXPERIMENTS) if language == "diff"
                   for line in text.splitlines() if line.startswith("-")]
        self.assertTrue(changed)
        lines = [line.strip() for line in source().splitlines()]
        for line in changed:
            self.assertEqual(lines.count(line), 1, line)

    def test_the_readme_names_the_two_commands_and_is_short(self):
        for command in ("python3 microgpt.py", "python3 -m unittest discover tests"):
            self.assertIn(command, README)
        self.assertLessEqual(len(README.splitlines()), 320)

    def test_links_lead_to_files_and_headings_that_are_there(self):
        for folder, page in (("", README), ("tests", EXPERIMENTS)):
            for path, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page):
                target = os.path.normpath(os.path.join(ROOT, folder, path)) if path else None
                self.assertTrue(path == "" or os.path.exists(target), path)
                if heading:
                    text = page if not path else read(os.path.relpath(target, ROOT))
                    titles = re.findall(r"(?m)^#+ (.*)$", text)
                    slugs = [re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles]
                    self.assertIn(heading, slugs)


if __name__ == "__main__":
    unittest.main()
