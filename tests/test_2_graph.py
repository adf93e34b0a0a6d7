"""Second: does backward() find its way through any graph, and does none spoil the next?"""
import gc
import os
import random
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import BOS, GPT, Adam, Value, document_loss, encode, linear, sample


class Paths(unittest.TestCase):
    def test_two_paths_to_a_value_add_up_and_so_do_two_uses_in_one_operation(self):
        for square in (lambda a: a ** 2, lambda a: a * a):
            a = Value(3.0)
            b = square(a)
            c = a * b
            c.backward()
            self.assertEqual((c.grad, b.grad, a.grad), (1.0, 3.0, 27.0))

    def test_a_node_waits_until_all_that_use_it_are_done(self):
        a = Value(2.0)
        b = a * Value(3.0)  # used in the next line, and again in the last sum
        c = b / 1 / 1 / 1
        (b + c).backward()
        self.assertEqual((b.grad, a.grad), (2.0, 6.0))

    def test_a_graph_can_be_50_000_operations_deep_and_have_2_to_the_60_paths(self):
        a = x = Value(1.0)
        for _ in range(50_000):
            x = x / 1
        for _ in range(60):
            x = x + x
        x.backward()
        self.assertEqual(a.grad, 2.0 ** 60)

    def test_changing_a_list_afterward_does_not_change_the_graph(self):
        a, b = Value(2.0), Value(5.0)
        x, row = [a], [b]
        [result] = linear(x, [row])
        x[0] = row[0] = Value(1.0)
        result.backward()
        self.assertEqual((a.grad, b.grad), (5.0, 2.0))


class MoreThanOnce(unittest.TestCase):
    def test_two_graphs_alive_at_once_add_up_in_their_common_leaves(self):
        a, b = Value(2.0), Value(5.0)
        first, second = a * b, a * a
        second.backward()
        self.assertEqual((a.grad, b.grad), (4.0, 0.0))
        first.backward()
        self.assertEqual((a.grad, b.grad), (4.0 + 5.0, 2.0))

    def test_backward_can_start_in_the_middle_and_again_adding_to_the_leaves_only(self):
        a = Value(3.0)
        b = a * a
        c = b * b
        for root, grads in ((b, (0.0, 1.0, 6.0)),
                            (c, (1.0, 18.0, 6.0 + 108.0)),
                            (c, (1.0, 18.0, 6.0 + 108.0 + 108.0))):
            root.backward()
            self.assertEqual((c.grad, b.grad, a.grad), grads)

    def test_an_interrupted_backward_spoils_nothing_for_the_next(self):
        class Interrupted:
            def __mul__(self, grad):
                raise KeyboardInterrupt

        a = Value(3.0)
        b = a ** 2
        c = a * b
        derivatives, b.derivatives = b.derivatives, [Interrupted()]
        with self.assertRaises(KeyboardInterrupt):
            c.backward()
        b.derivatives = derivatives
        a.grad = 0.0  # as the optimizer does after each step
        c.backward()
        self.assertEqual((c.grad, b.grad, a.grad), (1.0, 3.0, 27.0))


class Training(unittest.TestCase):
    def setUp(self):
        random.seed(1)
        self.vocab = ["a", "b", BOS]
        self.model = model = GPT(vocab_size=3, n_layer=2, n_embd=4, n_head=2, block_size=8)
        matrices = [model.wte, model.wpe, model.lm_head]
        matrices += [matrix for layer in model.layers for matrix in layer.values()]
        self.params = [p for matrix in matrices for row in matrix for p in row]

    def gradients(self):
        for param in self.params:
            param.grad = 0.0
        document_loss(encode("abba", self.vocab), self.model).backward()
        return [param.grad for param in self.params]

    def test_one_thread_can_sample_while_another_trains(self):
        def write():
            while not done.is_set():
                samples.append(sample(self.model, self.vocab))

        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)  # seconds: the threads take turns as often as they can
        alone, samples, done = self.gradients(), [], threading.Event()
        writer = threading.Thread(target=write)
        writer.start()
        together = []
        while writer.is_alive() and (len(together) < 10 or not samples):
            together.append(self.gradients())
        done.set()
        writer.join()
        self.assertTrue(samples)
        self.assertEqual(together, [alone] * len(together))

    @unittest.skipUnless(hasattr(gc, "is_tracked"), "only CPython counts references")
    def test_a_training_step_and_a_sample_leave_nothing_for_the_garbage_collector(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        optimizer, alive = Adam(self.params), []
        for _ in range(3):
            self.gradients()
            optimizer.step(0.01)
            sample(self.model, self.vocab)
            alive.append(len(gc.get_objects()))
        self.assertEqual(gc.collect(), 0)             # there are no cycles,
        self.assertLessEqual(alive[2], alive[1] + 5)  # and nothing is kept from step to step


if __name__ == "__main__":
    unittest.main()
