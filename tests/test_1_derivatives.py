"""First: are the derivatives right?

They are checked as any derivative: move an input a little, and see how far the result moves.
"""
import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import (GPT, Value, attention, document_loss, dot, linear, logsumexp, rmsnorm,
                      softmax)


def check_gradients(test, compute, leaves):
    """compute() returns a Value, computed anew from the leaves each time."""
    for leaf in leaves:
        leaf.grad = 0.0
    compute().backward()
    h = 1e-5
    for leaf in leaves:
        start = leaf.data
        leaf.data = start + h
        above = compute().data
        leaf.data = start - h
        below = compute().data
        leaf.data = start
        slope = (above - below) / (2 * h)  # the central difference
        test.assertAlmostEqual(leaf.grad, slope, delta=1e-7 * max(1, abs(slope)))


# Why h = 1e-5? The difference is not exactly the slope: the curve bends, which makes an error of
# about h ** 2, and results are rounded to 16 digits, which makes one of about 1e-16 / h. Here both
# are 1e-10 or so; 1e-7 leaves room for steep curves. A wrong derivative misses by far more.

OPERATIONS = {  # name: the operation, its inputs, its result
    "sum": (lambda a, b: a + b, [3.0, -2.0], 1.0),
    "difference": (lambda a, b: a - b, [3.0, -2.0], 5.0),
    "product": (lambda a, b: a * b, [3.0, -2.0], -6.0),
    "quotient": (lambda a: a / -2.5, [3.0], -1.2),
    "cube": (lambda a: a ** 3, [-2.0], -8.0),
    "inverse": (lambda a: a ** -1, [-0.8], -1.25),
    "inverse root": (lambda a: a ** -0.5, [6.25], 0.4),
    "exp": (lambda a: a.exp(), [1.3], math.exp(1.3)),
    "relu above its corner": (lambda a: a.relu(), [0.3], 0.3),
    "relu below its corner": (lambda a: a.relu(), [-0.3], 0.0),
    "dot": (lambda *v: dot(v[:3], v[3:]), [1.0, -2.0, 3.0, 0.5, 1.5, -0.7], -4.6),
    "dot with itself": (lambda *v: dot(v, v), [1.0, -2.0], 5.0),
    "logsumexp": (lambda *v: logsumexp(v), [math.log(0.3), math.log(2.2)], math.log(2.5)),
}

FUNCTIONS = {  # name: the function, number of inputs
    "linear": (lambda *v: linear(v[:3], [v[3:6], v[6:]]), 9),
    "softmax": (lambda *v: softmax(v), 5),
    "rmsnorm": (lambda *v: rmsnorm(v), 5),
    "attention": (lambda *v: attention(v[:2], [v[2:4], v[4:6]], [v[6:9], v[9:]]), 12),
}


def weighted_sum(vector):
    """Make one number of a vector. As each entry has another weight, no two can be mixed up."""
    return dot(vector, [Value(weight) for weight in range(1, len(vector) + 1)])


def random_expression(draw, leaves):
    """Apply 12 random operations, each to any of the leaves and of the earlier results."""
    values = list(leaves)
    for _ in range(12):
        a, b, c = draw.choices(values, k=3)
        operation = draw.choice([
            lambda: a + b, lambda: a - b, lambda: a * b, lambda: a / 3, lambda: a ** 2,
            lambda: a.exp(), lambda: dot([a, b], [b, c]), lambda: logsumexp([a, b, c]),
            lambda: a.relu() if abs(a.data) > 0.01 else a])  # at its corner, relu has no slope
        values.append(rmsnorm([operation(), Value(1.0)])[0])  # so that no number becomes large
    return weighted_sum(values[-3:])


def matrices(model):
    in_layers = [matrix for layer in model.layers for matrix in layer.values()]
    return [model.wte, model.wpe, model.lm_head, *in_layers]


class Derivatives(unittest.TestCase):
    def test_each_operation_has_the_right_result_and_the_right_derivative_by_each_input(self):
        for name, (operation, numbers, result) in OPERATIONS.items():
            with self.subTest(name):
                leaves = [Value(number) for number in numbers]
                self.assertAlmostEqual(operation(*leaves).data, result, delta=1e-12)
                check_gradients(self, lambda: operation(*leaves), leaves)

    def test_each_function_of_vectors_has_the_right_derivative_by_each_input(self):
        for name, (function, n) in FUNCTIONS.items():
            with self.subTest(name):
                leaves = [Value(random.Random(i).uniform(-2, 2)) for i in range(n)]
                check_gradients(self, lambda: weighted_sum(function(*leaves)), leaves)

    def test_random_expressions_with_shared_parts_have_the_right_derivatives(self):
        for seed in range(100):
            with self.subTest(seed=seed):
                leaves = [Value(random.Random(seed).uniform(-1, 1)) for _ in range(3)]
                check_gradients(
                    self, lambda: random_expression(random.Random(seed), leaves), leaves)

    def test_relu_is_flat_at_its_corner(self):
        a = Value(0.0)
        a.relu().backward()
        self.assertEqual((a.relu().data, a.grad), (0.0, 0.0))

    def test_a_dot_product_is_a_single_node(self):
        a, b = [Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]
        self.assertEqual(set(dot(a, b).inputs), {*a, *b})

    def test_unequal_lengths_are_refused_as_in_an_mlp_widened_in_one_matrix_only(self):
        with self.assertRaisesRegex(ValueError, "^dot product of 2 numbers with 3 numbers$"):
            dot([Value(1.0)] * 2, [Value(1.0)] * 3)
        model = GPT(vocab_size=3, n_layer=1, n_embd=2, n_head=1, block_size=4)
        model.layers[0]["mlp_fc1"] *= 2
        with self.assertRaisesRegex(ValueError, "^dot product of 8 numbers with 16 numbers$"):
            model.forward(0, 0, model.new_cache())

    def test_every_weight_of_a_small_model_has_the_right_gradient(self):
        random.seed(3)
        model = GPT(vocab_size=3, n_layer=2, n_embd=4, n_head=2, block_size=3)
        params = [p for matrix in matrices(model) for row in matrix for p in row]
        for param in params:
            param.data *= 6  # large enough that each part of the model makes a difference
        check_gradients(self, lambda: document_loss([2, 0, 1, 2], model), params)
        self.assertGreater(sum([param.grad != 0 for param in params]), 0.9 * len(params))

    def test_some_weights_of_each_matrix_of_the_default_model_have_the_right_gradient(self):
        random.seed(42)
        model = GPT(vocab_size=27, n_layer=1, n_embd=16, n_head=4, block_size=16)
        chosen = [matrix[0][column] for matrix in matrices(model) for column in (1, 12)]
        check_gradients(self, lambda: document_loss([26, 0, 13, 26], model), chosen)


if __name__ == "__main__":
    unittest.main()
