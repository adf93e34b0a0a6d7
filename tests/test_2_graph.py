"""Second: does backward() find its way through any graph, and does none spoil the next?"""
import unittest

from program import values
from microgpt import Value, linear


class Paths(unittest.TestCase):
    def test_two_paths_to_a_value_add_up_and_so_do_two_uses_in_one_operation(self):
        for square in (lambda a: a ** 2, lambda a: a * a):
            a = Value(5.0)
            b = square(a)
            c = a * b
            c.backward()
            self.assertEqual((c.grad, b.grad, a.grad), (1.0, 5.0, 75.0))

    def test_a_node_waits_until_all_that_use_it_are_done(self):
        a = Value(2.0)
        b = a * 3  # used in the next line, and again in the last sum
        c = b / 1 / 1 / 1
        (b + c).backward()
        self.assertEqual((b.grad, a.grad), (2.0, 6.0))

    def test_a_graph_can_be_50_000_operations_deep_and_have_2_to_the_60_paths(self):
        a = x = Value(1.0)
        for _ in range(50_000):
            x = x + 0
        for _ in range(60):
            x = x + x
        x.backward()
        self.assertEqual(a.grad, 2.0 ** 60)

    def test_changing_a_list_afterward_does_not_change_the_graph(self):
        a, b = values(2.0, 5.0)
        x, row = [a], [b]
        [result] = linear(x, [row])
        x[0] = row[0] = Value(1.0)
        result.backward()
        self.assertEqual((a.grad, b.grad), (5.0, 2.0))

    def test_a_value_shows_its_number_and_its_grad(self):
        a = Value(3)
        self.assertEqual(repr(a), "Value(3, grad=0)")
        (a * 0.5).backward()
        self.assertEqual(repr(a), "Value(3, grad=0.5)")
        self.assertEqual(repr(Value(-138.8338192)), "Value(-138.834, grad=0)")


class MoreThanOnce(unittest.TestCase):
    def test_two_graphs_alive_at_once_add_up_in_their_common_leaves(self):
        a, b = values(2.0, 5.0)
        first, second = a * b, a * a
        second.backward()
        self.assertEqual((a.grad, b.grad), (4.0, 0.0))
        first.backward()
        self.assertEqual((a.grad, b.grad), (4.0 + 5.0, 2.0))

    def test_backward_can_start_in_the_middle_and_again_adding_to_leaves_only(self):
        a = Value(3.0)
        b = a * a
        c = b * b
        for root, grads in ((b, (0.0, 1.0, 6.0)),
                            (c, (1.0, 18.0, 6.0 + 108.0)),
                            (c, (1.0, 18.0, 6.0 + 108.0 + 108.0))):
            root.backward()
            self.assertEqual((c.grad, b.grad, a.grad), grads)

    def test_a_second_backward_is_right_if_the_grad_of_leaves_was_cleared(self):
        a = Value(3.0)
        c = a ** 3
        for _ in range(2):
            a.grad = 0.0
            c.backward()
            self.assertEqual(a.grad, 27.0)


if __name__ == "__main__":
    unittest.main()
