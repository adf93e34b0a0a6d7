"""backward() on any graph: shared nodes, many paths, long chains, several graphs, second calls, no leftovers."""
import gc
import unittest

import microgpt
from microgpt import Value


class Backward(unittest.TestCase):
    def test_a_value_used_twice_gets_both_shares(self):
        a = Value(3.0)
        b = a * 2
        (b * b + b).backward()
        self.assertEqual((b.grad, a.grad), (2 * 6.0 + 1, 2 * (2 * 6.0 + 1)))

    def test_a_node_waits_until_all_that_use_it_are_done(self):
        a = Value(2.0)
        b = a * 3          # used now, and again much later
        c = b
        for _ in range(10):
            c = c * 1.0
        (c + b).backward()
        self.assertEqual((b.grad, a.grad), (2.0, 6.0))

    def test_sixty_nodes_with_2_to_the_60_paths(self):
        a = x = Value(1.0)
        for _ in range(60):
            x = x + x
        x.backward()
        self.assertEqual(a.grad, 2.0 ** 60)

    def test_a_chain_of_200_000_operations(self):
        a = x = Value(1.0)
        for _ in range(100_000):
            x = (x + 1.0) * 1.0
        x.backward()
        self.assertEqual((x.data, a.grad), (100_001.0, 1.0))

    def test_two_graphs_alive_at_once_add_up_in_their_common_leaves(self):
        a, b = Value(2.0), Value(5.0)
        first, second = a * b, a * a  # both are built before either is used
        second.backward()
        self.assertEqual((a.grad, b.grad), (4.0, 0.0))
        first.backward()
        self.assertEqual((a.grad, b.grad), (4.0 + 5.0, 2.0))

    def test_a_second_backward_adds_to_leaves_and_counts_inner_nodes_once(self):
        a = Value(3.0)
        b = a * a
        c = b * b
        c.backward()
        once = (b.grad, a.grad)
        c.backward()
        self.assertEqual(once, (2 * 9.0, 4 * 27.0))
        self.assertEqual((c.grad, b.grad, a.grad), (1.0, once[0], 2 * once[1]))

    def test_two_results_that_share_inner_nodes(self):
        a = Value(3.0)
        b = a * a
        first, second = b * 2, b * 5
        first.backward()
        second.backward()
        self.assertEqual((b.grad, a.grad), (5.0, (2 + 5) * 6.0))

    def test_backward_from_the_middle_of_a_graph(self):
        a = Value(3.0)
        b = a * a
        c = b * 2
        b.backward()
        self.assertEqual((c.grad, b.grad, a.grad), (0.0, 1.0, 6.0))
        c.backward()
        self.assertEqual((c.grad, b.grad, a.grad), (1.0, 2.0, 6.0 + 12.0))

    def test_a_leaf_is_its_own_derivative_and_stays_a_leaf(self):
        a = Value(3.0)
        a.backward()
        a.backward()
        self.assertEqual(a.grad, 2.0)
        (a * 5).backward()
        self.assertEqual(a.grad, 7.0)

    def test_what_is_not_part_of_the_result_is_left_alone(self):
        a, b = Value(3.0), Value(4.0)
        aside = b * 2
        aside.grad = 7.0
        (a * 2).backward()
        self.assertEqual((aside.grad, b.grad), (7.0, 0.0))

    def test_changing_a_list_afterward_does_not_change_the_graph(self):
        x, row = [Value(2.0), Value(3.0)], [Value(5.0), Value(7.0)]
        scores = [Value(0.0), Value(0.0)]
        [total], lse = microgpt.linear(x, [row]), microgpt.log_sum_exp(scores)
        leaves = x + row + scores
        for used in (x, row, scores):
            used.reverse()
            used.append(Value(1.0))
        (total + lse).backward()
        self.assertEqual([leaf.grad for leaf in leaves], [5.0, 7.0, 2.0, 3.0, 0.5, 0.5])


class Memory(unittest.TestCase):
    def setUp(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def test_a_value_has_room_for_its_own_fields_and_no_dictionary(self):
        self.assertFalse(hasattr(Value(1.0), "__dict__"))

    @unittest.skipUnless(hasattr(gc, "is_tracked"), "needs CPython's reference counting")
    def test_a_training_step_and_a_sample_leave_nothing_for_the_cycle_collector(self):
        vocab = {"a": 0, "b": 1}
        state_dict = microgpt.init_weights(3, n_embd=8, n_layer=2, block_size=5)
        params = [weight for matrix in state_dict.values() for row in matrix for weight in row]
        optimizer = microgpt.Adam(params)
        counts = []
        gc.collect()
        for _ in range(4):
            loss = microgpt.document_loss(microgpt.encode("abba", vocab), state_dict, 2)
            loss.backward()
            optimizer.step(0.01)
            del loss
            microgpt.sample(state_dict, 2, vocab)
            counts.append(len(gc.get_objects()))
        self.assertEqual(gc.collect(), 0)
        self.assertLessEqual(counts[-1], counts[1])  # and nothing is kept from step to step


if __name__ == "__main__":
    unittest.main()
