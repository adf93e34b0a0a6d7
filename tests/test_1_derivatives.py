"""First: are the derivatives right?

They are checked as any derivative: move an input a little, and see how far the result moves.
"""
import math
import random
import unittest

from program import model_of, values
from microgpt import (Value, add, attention, document_loss, dot, linear, log_softmax, mlp,
                      multi_head_attention, parameters, relu, rmsnorm, softmax)


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
    "a + b": (lambda a, b: a + b, [3.0, -2.0], 1.0),
    "a - b": (lambda a, b: a - b, [3.0, -2.0], 5.0),
    "a * b": (lambda a, b: a * b, [3.0, -2.0], -6.0),
    "a / b": (lambda a, b: a / b, [3.0, -2.0], -1.5),
    "-a": (lambda a: -a, [3.0], -3.0),
    "a ** 3": (lambda a: a ** 3, [-2.0], -8.0),
    "a ** -1": (lambda a: a ** -1, [-0.8], -1.25),
    "a ** -0.5": (lambda a: a ** -0.5, [6.25], 0.4),
    "exp": (lambda a: a.exp(), [1.3], math.exp(1.3)),
    "log": (lambda a: a.log(), [1.3], math.log(1.3)),
    "a + 2": (lambda a: a + 2, [3.0], 5.0),
    "2 + a": (lambda a: 2 + a, [3.0], 5.0),
    "a - 2": (lambda a: a - 2, [3.0], 1.0),
    "2 - a": (lambda a: 2 - a, [3.0], -1.0),
    "a * 2": (lambda a: a * 2, [3.0], 6.0),
    "2 * a": (lambda a: 2 * a, [3.0], 6.0),
    "a / 2": (lambda a: a / 2, [3.0], 1.5),
    "6 / a": (lambda a: 6 / a, [3.0], 2.0),
    "sum": (lambda a, b: sum([a, b, 4]), [3.0, 2.0], 9.0),
    "dot": (lambda *v: dot(v[:3], v[3:]), [1.0, -2.0, 3.0, 0.5, 1.5, -0.7], -4.6),
    "dot with itself": (lambda *v: dot(v, v), [1.0, -2.0], 5.0),
}

FUNCTIONS = {  # name: the function, number of inputs
    "add": (lambda *v: add(v[:3], v[3:]), 6),
    "linear": (lambda *v: linear(v[:3], [v[3:6], v[6:]]), 9),
    "relu": (lambda *v: relu(v), 5),
    "log_softmax": (lambda *v: log_softmax(v), 5),
    "softmax": (lambda *v: softmax(v), 5),
    "rmsnorm": (lambda *v: rmsnorm(v), 5),
    "attention": (lambda *v: attention(v[:2], [v[2:4], v[4:6]], [v[6:9], v[9:]]), 12),
}


def weighted_sum(vector):
    """Make one number of a vector. As each entry has another weight, no two can be mixed up."""
    return dot(vector, values(*range(1, len(vector) + 1)))


def random_expression(draw, leaves):
    """Apply 12 random operations, each to any of the leaves and of the earlier results."""
    pool = list(leaves)
    for _ in range(12):
        a, b, c = draw.choices(pool, k=3)
        operation = draw.choice([
            lambda: a + b, lambda: a - b, lambda: a * b, lambda: a / 3, lambda: a ** 2,
            lambda: 2 - a, lambda: a / (b ** 2 + 1), lambda: a.exp(), lambda: (a ** 2 + 1).log(),
            lambda: dot([a, b], [b, c]), lambda: log_softmax([a, b, c])[1],
            lambda: relu([a])[0] if abs(a.data) > 0.01 else a])  # relu has a corner at 0
        pool.append(rmsnorm([operation(), Value(1.0)])[0])  # so that no number becomes large
    return weighted_sum(pool[-3:])


class Derivatives(unittest.TestCase):
    def test_each_operation_has_the_right_result_and_derivatives(self):
        for name, (operation, numbers, result) in OPERATIONS.items():
            with self.subTest(name):
                leaves = values(*numbers)
                self.assertAlmostEqual(operation(*leaves).data, result, delta=1e-12)
                check_gradients(self, lambda: operation(*leaves), leaves)

    def test_each_function_of_vectors_has_the_right_derivatives(self):
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

    def test_numbers_and_values_mix_as_one_plays_with_micrograd(self):
        a, b = values(-1.7, 2.3)

        def play():
            c = a + b
            d = a * b + b ** 3
            c += c + 1
            c += 1 + c + (-a)
            d += d * 2 + relu([b + a])[0]
            d += 3 * d + (b - a)
            e = c - d
            f = e ** 2
            g = f / 2.0
            g += 10.0 / f
            return g

        check_gradients(self, play, [a, b])

    def test_relu_is_flat_at_its_corner(self):
        a = Value(0.0)
        [result] = relu([a])
        result.backward()
        self.assertEqual((result.data, a.grad), (0.0, 0.0))

    def test_a_dot_product_is_a_single_node(self):
        a, b = values(1.0, 2.0), values(3.0, 4.0)
        self.assertEqual(set(dot(a, b).inputs), {*a, *b})

    def test_heads_and_mlp_have_the_right_derivatives_for_x_and_weights(self):
        [layer] = model_of(vocab_size=3, n_layer=1, n_embd=4)["layers"]
        x = values(0.5, -1.0, 2.0, 0.3)
        for param in parameters(layer):
            param.data *= 6

        def heads():
            cache = [([values(1.0, 2.0)], [values(3.0, -1.0)]) for _ in range(2)]
            return weighted_sum(multi_head_attention(x, layer, cache))

        check_gradients(self, heads, x + parameters([layer[f"attn_w{w}"] for w in "qkvo"]))
        check_gradients(self, lambda: weighted_sum(mlp(x, layer)),
                        x + parameters([layer["mlp_fc1"], layer["mlp_fc2"]]))

    def test_every_weight_of_a_small_model_has_the_right_gradient(self):
        model = model_of(vocab_size=3, n_embd=4, block_size=3)
        params = parameters(model)
        for param in params:
            param.data *= 6  # large enough that each part of the model makes a difference
        check_gradients(self, lambda: document_loss([2, 0, 1, 2], model), params)
        self.assertGreater(sum([param.grad != 0 for param in params]), 0.9 * len(params))

    def test_weights_from_each_matrix_of_a_default_model_have_the_right_gradient(self):
        model = model_of(27, n_layer=1, n_embd=16, n_head=4, block_size=16)
        [layer] = model["layers"]
        matrices = [model["wte"], model["wpe"], model["lm_head"], layer["attn_wo"],
                    layer["mlp_fc1"], layer["mlp_fc2"]]
        matrices += [head for w in "qkv" for head in layer["attn_w" + w]]
        chosen = [matrix[0][column] for matrix in matrices for column in (1, 12)]
        check_gradients(self, lambda: document_loss([26, 0, 13, 26], model), chosen)


if __name__ == "__main__":
    unittest.main()
