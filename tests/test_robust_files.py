"""input.txt in every form in which people save it, and the folder without one."""
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from program import FAST, folder_with, losses, names, run


def contents(folder):
    """What kinds of things are in a folder, how large they are, and when they were changed."""
    things = {name: os.lstat(os.path.join(folder, name)) for name in os.listdir(folder)}
    return {name: (at.st_mode, at.st_size, at.st_mtime_ns) for name, at in things.items()}


class ATextTrains(unittest.TestCase):
    def trains(self, text, docs, letters, **environment):
        folder = folder_with(self, text, **FAST)
        before = contents(folder)
        done = run(folder, **environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[:2],
                         [f"num docs: {docs}", f"vocab size: {letters + 1}"])
        self.assertEqual((len(losses(done.stdout)), len(names(done.stdout))), (3, 2))
        self.assertEqual(contents(folder), before, "a run writes no file")
        return done.stdout

    def test_what_stands_around_the_documents_makes_no_difference(self):
        plain = self.trains("emma\nava\n", docs=2, letters=4)
        for form, text in {"Windows line ends": "emma\r\nava\r\n",
                           "no last newline": "emma\nava",
                           "blank lines": "\n\nemma\n \t \nava\n\n",
                           "white space around a line": "  emma \n\tava\t\n"}.items():
            with self.subTest(form):
                self.assertEqual(self.trains(text, docs=2, letters=4), plain)

    def test_every_sign_in_a_line_is_a_letter_and_one_is_enough(self):
        for text, docs, letters in (
                ("a", 1, 1),
                ("to be\tor\nnot to be\n", 2, 8),                                # white space
                ("\U0001f600\U0001f680\n\u2764\ufe0f\U0001f600\n", 2, 4),        # emoji
                ("\u05e9\u05dc\u05d5\u05dd\n\u0645\u0631\u062d\u0628\n", 2, 8),  # right to left
                ("em\u2028ma\x0bx\n", 1, 6)):            # separators that do not end a line
            with self.subTest(text):
                self.trains(text, docs, letters)

    def test_ten_thousand_letters_in_one_line_train(self):
        self.trains("ab" * 5000, docs=1, letters=2)

    def test_it_is_read_as_utf8_whatever_the_locale(self):
        self.trains("\u05e9\u05dc\u05d5\u05dd\n", docs=1, letters=4,
                    LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")


class WithoutATextItEndsInOneLine(unittest.TestCase):
    def refused(self, folder):
        before = contents(folder)
        done = run(folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, rf"\A.*{re.escape(folder)}.*\n\Z")
        self.assertEqual(contents(folder), before)

    def test_when_the_file_is_missing_or_has_no_text_in_utf8(self):
        for case, text in {"missing": None, "empty": "", "blank": "\n \n\t\r\n",
                           "Latin-1": "zo\xeb\n".encode("latin-1"),
                           "UTF-16": "emma\nava\n".encode("utf-16")}.items():
            with self.subTest(case):
                self.refused(folder_with(self, text, **FAST))

    def test_when_a_directory_has_that_name(self):
        folder = folder_with(self)
        os.mkdir(os.path.join(folder, "input.txt"))
        self.refused(folder)

    @unittest.skipIf(os.name == "nt", "symbolic links need a privilege on Windows")
    def test_when_it_is_a_link_to_nothing_which_stays_as_it_was(self):
        folder = folder_with(self)
        os.symlink("nowhere.txt", os.path.join(folder, "input.txt"))
        self.refused(folder)
        self.assertEqual(os.readlink(os.path.join(folder, "input.txt")), "nowhere.txt")


if __name__ == "__main__":
    unittest.main()
