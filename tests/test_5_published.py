"""Fifth: does a whole run print the published numbers?

known_good.json has what Karpathy's own program prints with the default settings, and what a third
program, with a backward pass derived by hand, prints with others. Of the losses it has the sum of
each ten, to 10 decimals: a step that went wrong by 1e-9 would change one.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


KNOWN_GOOD = json.loads(read("tests", "known_good.json"))


def run(text, **settings):
    """Run a copy of the program, with some settings changed. Return the lines that it prints."""
    program = read("microgpt.py").replace("{loss.data:.4f}", "{loss.data!r}")  # with all digits
    for name, number in settings.items():
        program = re.sub(rf"(?m)^{name} = \S+", f"{name} = {number}", program)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("microgpt.py", program), ("input.txt", text)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        done = subprocess.run([sys.executable, "microgpt.py"], cwd=folder, stdout=subprocess.PIPE,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"), check=True)
    return done.stdout.decode("utf-8").splitlines()


class PublishedNumbers(unittest.TestCase):
    def check(self, lines, known):
        losses = [float(line.split()[6]) for line in lines if line.startswith("step ")]
        sums = [sum(losses[i:i + 10]) for i in range(0, len(losses), 10)]
        self.assertEqual(len(losses), 10 * len(known["sums of ten losses"]))
        for found, expected in zip(sums, known["sums of ten losses"]):
            self.assertAlmostEqual(found, expected, delta=1e-9)
        names = [line.split(": ")[1] for line in lines if line.startswith("sample ")]
        self.assertEqual(names, known["names"])

    def test_the_default_run_prints_the_published_counts_losses_and_names(self):
        lines = run(read("input.txt"))
        self.assertEqual(lines[:3], ["num docs: 32257", "vocab size: 27", "num params: 4192"])
        self.assertRegex(lines[3], r"^step    1 / 1000 \| loss 3\.4639")
        self.assertRegex(lines[1002], r"^step 1000 / 1000 \| .* \| mean of last 100: 2\.4078 *$")
        self.check(lines, KNOWN_GOOD["default run"])

    def test_other_settings_give_the_losses_and_names_of_another_program(self):
        for known in KNOWN_GOOD["other settings"]:
            with self.subTest(**known["settings"]):
                text = known.get("text") or read("input.txt")
                self.check(run(text, **known["settings"]), known)


if __name__ == "__main__":
    unittest.main()
