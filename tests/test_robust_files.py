"""input.txt in every form in which people save it, and the folder without one."""
import contextlib
import http.client
import io
import os
import shutil
import tempfile
import unittest
import urllib.error
from unittest import mock

from program import FAST, NAMES, folder_with, printed_losses, printed_names, run, source
from microgpt import read_docs

BOM = b"\xef\xbb\xbf"


def contents(folder):
    """What kinds of things are in a folder, how large they are, and when they were changed."""
    things = {name: os.lstat(os.path.join(folder, name)) for name in os.listdir(folder)}
    return {name: (at.st_mode, at.st_size, at.st_mtime_ns) for name, at in things.items()}


class FolderTestCase(unittest.TestCase):
    def enter_folder(self, text=None):
        """Work in a new folder with this input.txt, until the test ends."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        if text is not None:
            with open("input.txt", "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode("utf-8"))

    def docs_of(self, text):
        self.enter_folder(text)
        return read_docs()


class ATextIsReadAsItShouldBe(FolderTestCase):
    def test_what_stands_around_the_documents_makes_no_difference(self):
        for form, text in {"plain": "emma\nava\n",
                           "Windows line ends": "emma\r\nava\r\n",
                           "old Macintosh line ends": "emma\rava\r",
                           "no last newline": "emma\nava",
                           "blank lines": "\n\nemma\n \t \nava\n\n",
                           "white space around a line": "  emma \n\tava\t\n",
                           "a byte order mark": BOM + b"emma\nava\n",
                           "a byte order mark on Windows": BOM + b"emma\r\nava\r\n"}.items():
            with self.subTest(form):
                self.assertEqual(self.docs_of(text), ["emma", "ava"])

    def test_any_character_in_a_line_is_a_letter_and_one_is_enough(self):
        for docs in (["a"],
                     ["to be\tor", "not to be"],                                 # white space
                     ["\U0001f600\U0001f680", "\u2764\ufe0f\U0001f600"],         # emoji
                     ["\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628"],   # right to left
                     ["em\u2028ma\x0bx"]):            # separators that do not end a line
            with self.subTest(docs):
                self.assertEqual(self.docs_of("\n".join(docs)), docs)

    def test_a_run_with_one_writes_no_file_whatever_the_locale(self):
        folder = folder_with(self, "\u05e9\u05dc\u05d5\u05dd\n", **FAST)
        before = contents(folder)
        done = run(folder, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[:2], ["num docs: 1", "vocab size: 5"])
        self.assertEqual(len(printed_losses(done.stdout)), 3)
        self.assertEqual(len(printed_names(done.stdout)), 2)
        self.assertEqual(contents(folder), before)


class ABadOneEndsInOneLine(FolderTestCase):
    def refused(self, folder, says, *options):
        before = contents(folder)
        done = run(folder, *options)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\A.*input\.txt.*\n\Z")
        self.assertRegex(done.stderr, says)
        self.assertEqual(contents(folder), before)

    def test_when_it_is_no_text_in_utf8(self):
        for case, text in {"empty": "", "blank": "\n \n\t\r\n", "only a byte order mark": BOM,
                           "Latin-1": "zo\xeb\n".encode("latin-1"),
                           "UTF-16": "emma\nava\n".encode("utf-16"),
                           "UTF-16 without a mark": "emma\nava\n".encode("utf-16-le"),
                           "a NUL": "emma\0\nava\n"}.items():
            with self.subTest(case):
                self.refused(folder_with(self, text, **FAST), "(?i)utf-8")
                self.refused(folder_with(self, text, **FAST), "(?i)utf-8", "-O")

    def test_when_a_directory_has_that_name(self):
        folder = folder_with(self)
        os.mkdir(os.path.join(folder, "input.txt"))
        self.refused(folder, "irectory|denied")
        self.assertEqual(run(folder, "-i").stderr.count("Traceback"), 1)  # not that of its cause

    @unittest.skipIf(os.name == "nt", "symbolic links need a privilege on Windows")
    def test_when_it_is_a_link_to_nothing_which_stays_as_it_was(self):
        folder = folder_with(self)
        os.symlink("nowhere.txt", os.path.join(folder, "input.txt"))
        self.refused(folder, "No such file")
        self.assertEqual(os.readlink(os.path.join(folder, "input.txt")), "nowhere.txt")


class WithoutOneTheNamesAreDownloaded(FolderTestCase):
    """urlopen is replaced by a stand-in: no test needs the network."""

    def run_program(self, **stand_in):
        """Run the program in an empty folder. Return what it printed, and how it ended."""
        program = source(**FAST)
        self.enter_folder()
        with mock.patch("urllib.request.urlopen", **stand_in):
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                try:
                    exec(program, {"__name__": "__main__"})
                except SystemExit as end:
                    return screen.getvalue(), end.code
        return screen.getvalue(), None

    def test_once_said_so_and_kept(self):
        self.enter_folder()
        answer = io.BytesIO(NAMES.encode())
        with mock.patch("urllib.request.urlopen", return_value=answer) as urlopen:
            with contextlib.redirect_stdout(io.StringIO()) as screen:
                docs = read_docs()
        self.assertEqual(docs, NAMES.split())
        [[address]] = [call[0] for call in urlopen.call_args_list]
        self.assertRegex(address, "^https://.*/karpathy/makemore/988aa59/names.txt$")
        self.assertIn(address, screen.getvalue())
        with open("input.txt", "rb") as file:
            self.assertEqual(file.read(), NAMES.encode())
        with mock.patch("urllib.request.urlopen", side_effect=KeyboardInterrupt):
            self.assertEqual(read_docs(), docs)  # from the file

    def test_and_learned_by_a_run(self):
        printed, end = self.run_program(return_value=io.BytesIO(NAMES.encode()))
        self.assertRegex(printed, r"\A.*names.txt\nnum docs: 5\n")
        self.assertEqual((len(printed_losses(printed)), len(printed_names(printed))), (3, 2))
        self.assertIsNone(end)

    def test_when_that_fails_one_line_says_why_and_no_file_is_left(self):
        broken = mock.Mock()
        broken.read.side_effect = http.client.IncompleteRead(b"emma\noli", 100)
        for reason, stand_in in {
                "404": dict(side_effect=urllib.error.HTTPError("https", 404, "404", {}, None)),
                "unreachable": dict(side_effect=urllib.error.URLError("unreachable")),
                "timed out": dict(side_effect=TimeoutError("timed out")),
                "IncompleteRead": dict(return_value=broken)}.items():
            with self.subTest(reason):
                printed, end = self.run_program(**stand_in)
                self.assertRegex(printed, r"\A.*names.txt\n\Z")
                self.assertRegex(str(end), rf"\A.*download input\.txt.*{reason}.*\Z")
                self.assertEqual(os.listdir(), [])


if __name__ == "__main__":
    unittest.main()
