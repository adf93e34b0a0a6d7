"""What people do: their own text in any form, no text, Ctrl-C, other locales and options, no network."""
import contextlib
import http.server
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request
from unittest import mock

import microgpt
from program import FAST, folder_with, losses, names, run

NAMES = "emma\nolivia\nava\nmarina\nmarie\n"


class TheirText(unittest.TestCase):
    def trains(self, text, docs, letters, **settings):
        done = run(folder_with(self, text, **dict(FAST, **settings)), PYTHONIOENCODING="utf-8")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[:2], [f"num docs: {docs}", f"vocab size: {letters + 1}"])
        self.assertEqual((len(losses(done.stdout)), len(names(done.stdout))), (3, 2))
        return names(done.stdout)

    def test_windows_line_ends(self):
        self.assertEqual(self.trains(b"emma\r\nava\r\n", 2, 4), self.trains(b"emma\nava\n", 2, 4))

    def test_a_byte_order_mark_is_no_token(self):
        self.assertEqual(self.trains(b"\xef\xbb\xbfemma\nava\n", 2, 4), self.trains(b"emma\nava\n", 2, 4))

    def test_no_last_newline(self):
        self.assertEqual(self.trains("emma\nava", 2, 4), self.trains("emma\nava\n", 2, 4))

    def test_blank_lines_are_ignored(self):
        self.assertEqual(self.trains("\n\nemma\n \t \nava\n\n\n", 2, 4), self.trains("emma\nava\n", 2, 4))

    def test_white_space_around_a_line_is_dropped(self):
        self.assertEqual(self.trains("  emma \n\tava\t\n", 2, 4), self.trains("emma\nava\n", 2, 4))

    def test_spaces_and_tabs_inside_lines_are_letters(self):
        self.trains("to be\tor\nnot to be\n", 2, 8)

    def test_one_letter(self):
        self.trains("a", 1, 1)

    def test_one_document(self):
        self.trains("emma\n", 1, 3)

    def test_names_repeated(self):
        self.trains("emma\n" * 50, 50, 3)

    def test_a_document_of_ten_thousand_letters(self):
        self.trains("ab" * 5000, 1, 2)

    def test_emoji(self):
        self.trains("\U0001f600\U0001f680\n\u2764\ufe0f\U0001f600\n", 2, 4)

    def test_scripts_from_right_to_left(self):
        self.trains("\u05e9\u05dc\u05d5\u05dd\n\u0645\u0631\u062d\u0628\u0627\n", 2, 9)

    def test_thousands_of_distinct_letters(self):
        text = "".join([chr(0x4e00 + i) + ("\n" if i % 10 == 9 else "") for i in range(4000)])
        self.trains(text, 400, 4000, n_embd=2, n_head=1, block_size=2)

    def test_a_line_separator_of_unicode_does_not_end_a_document(self):
        self.trains("em\u2028ma\x0bx\n", 1, 6)

    def test_letters_that_the_screen_cannot_show_print_as_question_marks(self):
        done = run(folder_with(self, "\u65e5\u672c\n", **FAST), PYTHONIOENCODING="ascii")
        self.assertEqual((done.returncode, done.stderr, len(names(done.stdout))), (0, "", 2))
        self.assertIn("?", "".join(names(done.stdout)))


class NoText(unittest.TestCase):
    """One clear line on stderr, no traceback, an exit status that is not 0, and nothing written."""

    def ends_in_one_line(self, folder, reason):
        before = sorted(os.listdir(folder))
        done = run(folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"^No text to learn from \({reason}\): save one as input.txt, UTF-8, one doc a line\n$")
        self.assertEqual(sorted(os.listdir(folder)), before)

    def test_an_empty_file(self):
        self.ends_in_one_line(folder_with(self, ""), "input.txt is empty or binary")

    def test_a_file_of_blank_lines(self):
        self.ends_in_one_line(folder_with(self, "\n \n\t\r\n"), "input.txt is empty or binary")

    def test_a_byte_order_mark_alone(self):
        self.ends_in_one_line(folder_with(self, b"\xef\xbb\xbf"), "input.txt is empty or binary")

    def test_not_utf8(self):
        self.ends_in_one_line(folder_with(self, "zo\xeb\n".encode("latin-1")), "'utf-8' codec can't decode [^\n]*")

    def test_utf16(self):
        self.ends_in_one_line(folder_with(self, "emma\nava\n".encode("utf-16")), "'utf-8' codec can't decode [^\n]*")

    def test_utf16_without_a_mark(self):
        self.ends_in_one_line(folder_with(self, "emma\nava\n".encode("utf-16-le")), "input.txt is empty or binary")

    def test_a_picture(self):
        picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01" + bytes(range(256))
        self.ends_in_one_line(folder_with(self, picture), "'utf-8' codec can't decode [^\n]*")

    def test_a_directory_of_that_name(self):
        folder = folder_with(self)
        os.mkdir(os.path.join(folder, "input.txt"))
        self.ends_in_one_line(folder, "[^\n]*(Is a directory|Permission denied)[^\n]*")


class CtrlC(unittest.TestCase):
    @unittest.skipIf(os.name == "nt", "needs a signal that a test can send")
    def test_while_training_it_goes_on_to_the_samples(self):
        folder = folder_with(self, NAMES, **dict(FAST, num_steps=1000000))
        with subprocess.Popen([sys.executable, "microgpt.py"], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as program:
            started, more = b"", b"more"
            while more and b"step   20 " not in started:
                more = os.read(program.stdout.fileno(), 1000)
                started += more
            program.send_signal(signal.SIGINT)
            rest, errors = program.communicate(timeout=60)
        self.assertEqual((program.returncode, errors), (0, b""))
        self.assertEqual(len(names((started + rest).decode().replace("\r", "\n"))), 2)
        self.assertLess((started + rest).count(b"step"), 1000000)


class EverywhereTheSame(unittest.TestCase):
    def test_under_options_and_locales(self):
        folder = folder_with(self, NAMES, **FAST)
        plain = run(folder).stdout
        self.assertEqual(len(losses(plain)), 3)
        for options, environment in ((["-O"], {}), (["-W", "error"], {}), (["-X", "dev"], {}), (["-B", "-I"], {}),
                                     ([], {"PYTHONUTF8": "0", "LC_ALL": "C"}), ([], {"PYTHONHASHSEED": "7"}),
                                     ([], {"PYTHONUTF8": "1"}), (["-u"], {})):
            with self.subTest(options=options, **environment):
                done = run(folder, *options, **environment)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, plain, ""))

    def test_text_in_another_script_under_the_locale_c(self):
        done = run(folder_with(self, "\u05e9\u05dc\u05d5\u05dd\n", **FAST), PYTHONUTF8="0", LC_ALL="C")
        self.assertEqual((done.returncode, done.stderr, len(names(done.stdout))), (0, "", 2))


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that answers /whole, /broken (off half way), /late (never in time), and else 404."""
    def do_GET(self):
        if self.path == "/late":
            self.server.release.wait(10)
            return
        self.send_response(200 if self.path in ("/whole", "/broken") else 404)
        self.send_header("Content-Length", str(len(NAMES)))
        self.end_headers()
        self.wfile.write(NAMES.encode()[:10 if self.path == "/broken" else None])

    def log_message(self, *_):
        pass


def need_loopback():
    with socket.socket() as here, socket.socket() as there:
        try:
            here.bind(("127.0.0.1", 0))
            here.listen(1)
            there.connect(here.getsockname())
        except OSError as error:
            raise unittest.SkipTest(f"this machine has no 127.0.0.1 to serve from: {error}")


@contextlib.contextmanager
def serving(certificate=None):
    need_loopback()
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    server.release = threading.Event()
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Download(unittest.TestCase):
    """Only where there is no input.txt; against a server on this machine."""

    def setUp(self):
        self.folder = folder_with(self)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        no_proxy = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
        no_proxy.start()
        self.addCleanup(no_proxy.stop)

    def fails(self, url, reason):
        with self.assertRaises(SystemExit) as stopped:
            microgpt.load_docs(url)
        if isinstance(stopped.exception.__context__, urllib.error.HTTPError):
            stopped.exception.__context__.close()  # it holds the connection
        self.assertRegex(str(stopped.exception), rf"^No text to learn from \(.*{reason}.*\): save one as input.txt")
        self.assertNotIn("\n", str(stopped.exception))
        self.assertEqual(os.listdir(self.folder), ["microgpt.py"])

    def test_a_whole_list_is_kept_as_input_txt(self):
        with serving() as address:
            docs = microgpt.load_docs(address + "/whole")
        self.assertEqual(docs, NAMES.split())
        with open("input.txt", encoding="utf-8") as file:
            self.assertEqual(file.read(), NAMES)
        self.assertEqual(sorted(os.listdir(self.folder)), ["input.txt", "microgpt.py"])

    def test_a_file_that_is_there_is_used_and_nothing_fetched(self):
        with open("input.txt", "w", encoding="utf-8") as file:
            file.write("ava\n")
        with mock.patch("urllib.request.urlopen", side_effect=AssertionError("it asked the network")):
            self.assertEqual(microgpt.load_docs(), ["ava"])

    def test_a_broken_off_download_leaves_no_file(self):
        with serving() as address:
            self.fails(address + "/broken", "IncompleteRead")

    def test_a_missing_page_leaves_no_file(self):
        with serving() as address:
            self.fails(address + "/gone", "404")

    def test_no_connection_is_one_clear_line(self):
        need_loopback()
        with socket.socket() as taken:  # bound, but nobody listens
            taken.bind(("127.0.0.1", 0))
            self.fails(f"http://127.0.0.1:{taken.getsockname()[1]}/", "refused|actively")

    def test_a_server_that_keeps_silent_is_given_up(self):
        limits, real = [], urllib.request.urlopen

        def impatient(url, timeout):
            limits.append(timeout)
            return real(url, timeout=0.2)  # the same wait, in a hundredth of the time
        with serving() as address, mock.patch("urllib.request.urlopen", impatient):
            self.fails(address + "/late", "timed out")
        self.assertEqual(limits, [20])

    def test_a_server_whose_certificate_nobody_vouches_for_is_refused(self):
        with serving(os.path.join(os.path.dirname(os.path.abspath(__file__)), "self_signed.pem")) as address:
            blind = urllib.request.urlopen(address + "/whole", context=ssl._create_unverified_context())
            with blind:  # it does serve those who do not look
                self.assertEqual(blind.read().decode(), NAMES)
            self.fails(address + "/whole", "CERTIFICATE_VERIFY_FAILED|certificate verify failed")

    def test_the_published_list_is_asked_for(self):
        with mock.patch("urllib.request.urlopen", side_effect=OSError("offline")) as asked:
            with self.assertRaises(SystemExit):
                microgpt.load_docs()
        self.assertEqual(asked.call_args[0],
                         ("https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt",))

    def test_a_disk_that_is_full_leaves_no_half_file(self):
        def full(*_):
            raise OSError("No space left on device")
        with serving() as address, mock.patch("os.replace", full), self.assertRaises(SystemExit):
            microgpt.load_docs(address + "/whole")
        self.assertNotIn("input.txt", os.listdir(self.folder))


class LinearTime(unittest.TestCase):
    def test_a_text_is_encoded_by_one_look_up_a_letter(self):
        looks = []

        class Counting(dict):
            def __getitem__(self, letter):
                looks.append(letter)
                return dict.__getitem__(self, letter)
        vocab = Counting((chr(0x4e00 + i), i) for i in range(5000))
        text = "".join([random.Random(1).choice(list(vocab)) for _ in range(5)]) * 200
        self.assertEqual(len(microgpt.encode(text, vocab)), 1002)
        self.assertEqual(len(looks), 1000)


if __name__ == "__main__":
    unittest.main()
